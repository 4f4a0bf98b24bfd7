//! From the parser's events to the tree: a stack of open elements.

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use super::{Block, Cell, Document, Inline, plain};

/// Deeper structure is read as if it stood at this depth.
pub(super) const MAX_DEPTH: usize = 16;

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
pub(super) struct Builder {
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

    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(end) => self.close(end),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => {
                self.top().push_text(&text);
            }
            Event::Code(text) => self.top().inlines.push(Inline::Code(text.into_string())),
            Event::SoftBreak => self.top().push_text(" "),
            Event::HardBreak => self.top().inlines.push(Inline::Break),
            Event::Rule => self.top().push_block(Block::Rule),
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
                let content = if frame.inlines.is_empty() {
                    vec![Inline::Text(url.clone())]
                } else {
                    frame.inlines
                };
                parent.inlines.push(Inline::Link { url, content });
            }
            Kind::Link(None) | Kind::Transparent | Kind::Root => parent.absorb(frame),
        }
    }

    pub(super) fn finish(mut self) -> Document {
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
