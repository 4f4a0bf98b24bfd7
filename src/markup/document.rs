//! A report as a small tree of literal texts, parsed from its Markdown.
//!
//! Converters walk this tree and never see Markdown. Raw HTML is literal text, an image is a link,
//! a link has an `http` or `https` target or is only its text, and nesting is bounded.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A parsed report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its parts in order.
    pub blocks: Vec<Block>,
}

/// A part that stands on its own lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading of level 1 to 6.
    Heading {
        /// 1 is the title.
        level: u8,
        /// The text.
        content: Vec<Inline>,
    },
    /// Prose.
    Paragraph(Vec<Inline>),
    /// A list; numbered when it has a start.
    List {
        /// The number of the first item.
        start: Option<u64>,
        /// The items.
        items: Vec<Vec<Block>>,
    },
    /// A GFM table. A head whose cells are all empty is no head.
    Table {
        /// The cells of the head.
        head: Vec<Cell>,
        /// The cells of each row.
        rows: Vec<Vec<Cell>>,
    },
    /// A fenced or indented block, without its last newline.
    Code {
        /// The info string's first word; letters and digits only.
        language: Option<String>,
        /// The text, literal.
        text: String,
    },
    /// A quotation.
    Quote(Vec<Block>),
    /// A line across.
    Rule,
}

/// What a table cell holds.
pub type Cell = Vec<Inline>;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inline {
    /// Literal text.
    Text(String),
    /// Literal text in a code span.
    Code(String),
    /// Strong emphasis.
    Strong(Vec<Inline>),
    /// Emphasis.
    Emphasis(Vec<Inline>),
    /// Struck through.
    Strike(Vec<Inline>),
    /// A link.
    Link {
        /// Absolute, `http` or `https`.
        url: String,
        /// What is shown.
        content: Vec<Inline>,
    },
    /// A hard line break.
    Break,
}

/// Deeper structure is read as if it stood at this depth.
const MAX_DEPTH: usize = 16;

impl Document {
    /// Parses Markdown. Every text is a document, so this cannot fail.
    pub fn parse(markdown: &str) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut builder = Builder::default();
        for event in Parser::new_ext(markdown, options) {
            builder.take(event);
        }
        builder.finish()
    }

    /// The document without its level-1 heading, which destinations show in their own way.
    pub fn body(&self) -> &[Block] {
        match self.blocks.split_first() {
            Some((Block::Heading { level: 1, .. }, rest)) => rest,
            _ => &self.blocks,
        }
    }
}

/// The literal text of a line, without its formatting; a break is a blank.
pub fn plain(content: &[Inline]) -> String {
    let mut out = String::new();
    push_plain(&mut out, content);
    out
}

fn push_plain(out: &mut String, content: &[Inline]) {
    for part in content {
        match part {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Strike(inner) => {
                push_plain(out, inner);
            }
            Inline::Link { content, .. } => push_plain(out, content),
            Inline::Break => out.push(' '),
        }
    }
}

/// One open element.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    blocks: Vec<Block>,
    inlines: Vec<Inline>,
    items: Vec<Vec<Block>>,
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    cells: Vec<Cell>,
}

#[derive(Debug)]
enum Kind {
    Root,
    Heading(u8),
    Paragraph,
    List(Option<u64>),
    Item,
    Table,
    TableHead,
    TableRow,
    TableCell,
    Code(Option<String>),
    Html,
    Quote,
    Strong,
    Emphasis,
    Strike,
    Link(Option<String>),
    /// Too deep, or nothing we know: what is inside belongs to the parent.
    Transparent,
}

impl Frame {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            blocks: Vec::new(),
            inlines: Vec::new(),
            items: Vec::new(),
            head: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// The blocks inside, where loose text (a tight list item) becomes a paragraph.
    fn into_blocks(mut self) -> Vec<Block> {
        self.flush();
        self.blocks
    }

    fn flush(&mut self) {
        if !self.inlines.is_empty() {
            self.blocks
                .push(Block::Paragraph(std::mem::take(&mut self.inlines)));
        }
    }

    fn push_block(&mut self, block: Block) {
        self.flush();
        self.blocks.push(block);
    }

    fn push_text(&mut self, text: &str) {
        match self.inlines.last_mut() {
            Some(Inline::Text(last)) => last.push_str(text),
            _ => self.inlines.push(Inline::Text(text.to_owned())),
        }
    }

    /// Takes over everything of a transparent child.
    fn absorb(&mut self, child: Self) {
        for block in child.blocks {
            self.push_block(block);
        }
        self.inlines.extend(child.inlines);
    }
}

#[derive(Debug)]
struct Builder {
    /// Never empty: the first is the root.
    stack: Vec<Frame>,
    /// How many structures too deep to be kept are open.
    too_deep: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            stack: vec![Frame::new(Kind::Root)],
            too_deep: 0,
        }
    }
}

impl Builder {
    fn top(&mut self) -> &mut Frame {
        self.stack.last_mut().expect("the root is never closed")
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(end) => self.close(end),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.top().push_text(&text)
            }
            Event::Code(text) => self.top().inlines.push(Inline::Code(text.into_string())),
            Event::SoftBreak => self.top().push_text(" "),
            Event::HardBreak => self.top().inlines.push(Inline::Break),
            Event::Rule => self.top().push_block(Block::Rule),
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.top().push_text(&text);
            }
            Event::TaskListMarker(_) => {}
        }
    }

    fn open(&mut self, tag: Tag<'_>) {
        if self.stack.len() > MAX_DEPTH {
            self.too_deep += 1;
            return;
        }
        let kind = match tag {
            Tag::Paragraph => Kind::Paragraph,
            Tag::Heading { level, .. } => Kind::Heading(level as u8),
            Tag::BlockQuote(_) => Kind::Quote,
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => Kind::Code(language(&info)),
            Tag::CodeBlock(CodeBlockKind::Indented) => Kind::Code(None),
            Tag::HtmlBlock => Kind::Html,
            Tag::List(start) => Kind::List(start),
            Tag::Item => Kind::Item,
            Tag::Table(_) => Kind::Table,
            Tag::TableHead => Kind::TableHead,
            Tag::TableRow => Kind::TableRow,
            Tag::TableCell => Kind::TableCell,
            Tag::Emphasis => Kind::Emphasis,
            Tag::Strong => Kind::Strong,
            Tag::Strikethrough => Kind::Strike,
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                Kind::Link(web_url(&dest_url))
            }
            _ => Kind::Transparent,
        };
        self.stack.push(Frame::new(kind));
    }

    fn close(&mut self, _end: TagEnd) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        if self.stack.len() < 2 {
            return;
        }
        let Some(mut frame) = self.stack.pop() else {
            return;
        };
        let parent = self.top();
        let kind = std::mem::replace(&mut frame.kind, Kind::Transparent);
        match kind {
            Kind::Heading(level) => {
                parent.push_block(Block::Heading {
                    level,
                    content: frame.inlines,
                });
            }
            Kind::Paragraph | Kind::Html => {
                for block in frame.into_blocks() {
                    parent.push_block(block);
                }
            }
            Kind::List(start) => parent.push_block(Block::List {
                start,
                items: frame.items,
            }),
            Kind::Item => parent.items.push(frame.into_blocks()),
            Kind::Quote => parent.push_block(Block::Quote(frame.into_blocks())),
            Kind::Code(language) => {
                let text = plain(&frame.inlines);
                let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                parent.push_block(Block::Code { language, text });
            }
            Kind::Table => parent.push_block(Block::Table {
                head: frame.head,
                rows: frame.rows,
            }),
            Kind::TableHead => parent.head = frame.cells,
            Kind::TableRow => parent.rows.push(frame.cells),
            Kind::TableCell => parent.cells.push(frame.inlines),
            Kind::Strong => parent.inlines.push(Inline::Strong(frame.inlines)),
            Kind::Emphasis => parent.inlines.push(Inline::Emphasis(frame.inlines)),
            Kind::Strike => parent.inlines.push(Inline::Strike(frame.inlines)),
            Kind::Link(Some(url)) => {
                let content = match frame.inlines.is_empty() {
                    true => vec![Inline::Text(url.clone())],
                    false => frame.inlines,
                };
                parent.inlines.push(Inline::Link { url, content });
            }
            Kind::Link(None) | Kind::Transparent | Kind::Root => parent.absorb(frame),
        }
    }

    fn finish(mut self) -> Document {
        // The parser closes what it opens, so only the root is left.
        self.stack.truncate(1);
        let blocks = self.stack.pop().map(Frame::into_blocks).unwrap_or_default();
        Document { blocks }
    }
}

fn language(info: &str) -> Option<String> {
    let word = info.split_whitespace().next()?;
    word.chars()
        .all(|c| c.is_ascii_alphanumeric())
        .then(|| word.to_owned())
}

/// The URL when a reader may follow it: absolute, `http` or `https`, one line of plain characters.
fn web_url(url: &str) -> Option<String> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme)?;
    let known = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let plain = url
        .chars()
        .all(|c| c.is_ascii_graphic() && !"<>\"'`\\|".contains(c));
    (known && plain).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::testing::hostile_text;
    use proptest::prelude::*;

    fn text(text: &str) -> Inline {
        Inline::Text(text.to_owned())
    }

    #[test]
    fn a_report_becomes_blocks() {
        let document = Document::parse(
            "# T `c`\n\n**a** b\\\nc\n\n- one\n- two\n  - deep\n\n| h | |\n|---|---|\n| `x\\|y` | z |\n\n```yaml\nk: v\n```\n\n> q\n\n---\n",
        );
        let expected = vec![
            Block::Heading {
                level: 1,
                content: vec![text("T "), Inline::Code("c".into())],
            },
            Block::Paragraph(vec![
                Inline::Strong(vec![text("a")]),
                text(" b"),
                Inline::Break,
                text("c"),
            ]),
            Block::List {
                start: None,
                items: vec![
                    vec![Block::Paragraph(vec![text("one")])],
                    vec![
                        Block::Paragraph(vec![text("two")]),
                        Block::List {
                            start: None,
                            items: vec![vec![Block::Paragraph(vec![text("deep")])]],
                        },
                    ],
                ],
            },
            Block::Table {
                head: vec![vec![text("h")], vec![]],
                rows: vec![vec![vec![Inline::Code("x|y".into())], vec![text("z")]]],
            },
            Block::Code {
                language: Some("yaml".into()),
                text: "k: v".into(),
            },
            Block::Quote(vec![Block::Paragraph(vec![text("q")])]),
            Block::Rule,
        ];
        assert_eq!(document.blocks, expected);
    }

    #[test]
    fn only_web_links_are_links() {
        let link = |markdown: &str| Document::parse(markdown).blocks;
        assert_eq!(
            link("[a](https://e.example/x)"),
            [Block::Paragraph(vec![Inline::Link {
                url: "https://e.example/x".into(),
                content: vec![text("a")]
            }])]
        );
        for markdown in [
            "[a](javascript:alert(1))",
            "[a](/x)",
            "![a](data:x)",
            "[a](//e)",
            "[a](http:e)",
        ] {
            assert_eq!(
                link(markdown),
                [Block::Paragraph(vec![text("a")])],
                "{markdown}"
            );
        }
        assert!(matches!(
            link("![a](http://e)").first(),
            Some(Block::Paragraph(parts)) if matches!(parts.first(), Some(Inline::Link { .. }))
        ));
    }

    #[test]
    fn raw_html_is_literal_text() {
        assert_eq!(
            Document::parse("a <b>x</b>\n\n<script>y</script>\n").blocks,
            [
                Block::Paragraph(vec![text("a <b>x</b>")]),
                Block::Paragraph(vec![text("<script>y</script>\n")]),
            ]
        );
    }

    #[test]
    fn deep_nesting_is_flattened() {
        let deep = format!("{}x", "> ".repeat(5000));
        let document = Document::parse(&deep);
        let mut depth = 0;
        let mut blocks = &document.blocks;
        while let Some(Block::Quote(inner)) = blocks.first() {
            depth += 1;
            blocks = inner;
        }
        assert_eq!(depth, MAX_DEPTH);
        assert_eq!(blocks, &[Block::Paragraph(vec![text("x")])]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_document(markdown in hostile_text()) {
            Document::parse(&markdown);
        }
    }
}
