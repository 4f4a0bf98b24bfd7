//! A report as HTML: escaped where it is written, and sanitised last by ammonia.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

use super::defang::defang;
use super::document::{Block, Cell, Document, Inline};
use super::visible::truncate;

/// Gmail cuts a mail at 102 KB; what is cut is lost to the reader, so we shorten first.
const MAX_PAGE: usize = 90_000;

/// The document as HTML elements without styles, to stand inside a page of ours.
pub fn html_body(document: &Document) -> String {
    let mut writer = Writer::new(Reader::Page, usize::MAX);
    writer.blocks(&document.blocks);
    SANITIZER.clean(&writer.out).to_string()
}

/// The document for Request Tracker 5, which makes a link of every address in a text and drops what it
/// does not know: `code`, `bdi`, and a whole `style` for one property. Only links of ours are links.
pub fn html_for_rt(document: &Document) -> String {
    let mut writer = Writer::new(Reader::Rt, usize::MAX);
    writer.blocks(&document.blocks);
    SANITIZER.clean(&writer.out).to_string()
}

/// The document as a whole page for a mail: inline styles, no remote resource, under 90 KB.
pub fn html_page(title: &str, document: &Document) -> String {
    // The sanitiser may lengthen the text a little, so the result is measured.
    [80_000, 40_000, 10_000]
        .into_iter()
        .map(|budget| page(title, document, budget))
        .find(|page| page.len() < MAX_PAGE)
        .unwrap_or_else(|| page(title, &Document::default(), 0))
}

fn page(title: &str, document: &Document, budget: usize) -> String {
    let mut writer = Writer::new(Reader::Mail, budget);
    writer.blocks(&document.blocks);
    if writer.left_out {
        writer.out.push_str("<p style=\"color:#b45309\"><strong>Shortened for mail.</strong> Parts of the report were left out; the full report is in falco-herald.</p>");
    }
    let body = SANITIZER.clean(&writer.out).to_string();
    let title = escape(&truncate(title, 300));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n\
         <title>{title}</title>\n</head>\n\
         <body style=\"margin:0;padding:16px;background-color:#ffffff;color:#1f2937;\
         font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5\">\n\
         <div style=\"max-width:720px;margin:0 auto;overflow-wrap:anywhere\">\n{body}</div>\n</body>\n</html>\n"
    )
}

/// The elements and attributes that [`Writer`] emits, and nothing else.
static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(
            [
                "h1",
                "h2",
                "h3",
                "h4",
                "h5",
                "h6",
                "p",
                "ul",
                "ol",
                "li",
                "table",
                "thead",
                "tbody",
                "tr",
                "th",
                "td",
                "pre",
                "code",
                "blockquote",
                "hr",
                "strong",
                "em",
                "s",
                "a",
                "br",
                "bdi",
                "span",
            ]
            .into(),
        )
        .generic_attributes(["style"].into())
        .add_tag_attributes("a", ["href"])
        .add_tag_attributes("ol", ["start"])
        .add_tag_attribute_values(
            "code",
            "class",
            ["language-yaml", "language-bash", "language-text"],
        )
        .url_schemes(["http", "https"].into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        // Script and style vanish with what they hold; `empty` would keep their text.
        .clean_content_tags(["script", "style"].into());
    builder
});

/// The inline style of an element: colours always in pairs of text and background, so that mail
/// clients that invert for dark mode keep them readable.
fn style(element: &str) -> &'static str {
    match element {
        "h1" => "font-size:21px;line-height:1.3;margin:0 0 12px",
        "h2" => {
            "font-size:18px;margin:26px 0 8px;padding-bottom:4px;border-bottom:1px solid #9ca3af"
        }
        "h3" => "font-size:16px;margin:18px 0 6px",
        "table" => "border-collapse:collapse;width:100%;margin:8px 0",
        "th" => {
            "text-align:left;padding:4px 8px;border:1px solid #9ca3af;background-color:#f3f4f6;color:#1f2937"
        }
        "td" => {
            "padding:4px 8px;border:1px solid #9ca3af;vertical-align:top;overflow-wrap:anywhere"
        }
        "pre" => {
            "padding:10px;border-left:3px solid #6b7280;background-color:#f3f4f6;color:#1f2937;\
             white-space:pre-wrap;font-size:13px"
        }
        "code" => {
            "font-family:Consolas,Menlo,monospace;background-color:#f3f4f6;color:#1f2937;white-space:pre-wrap"
        }
        "blockquote" => "margin:8px 0;padding-left:10px;border-left:3px solid #9ca3af",
        _ => "",
    }
}

/// The same for what Request Tracker leaves. Its letters would join in commands: `2x7` reads `2×7`.
fn style_in_rt(element: &str) -> &'static str {
    match element {
        "th" | "td" => "padding: 1px 12px 1px 0",
        "pre" => {
            "font-family: monospace; font-size: 13px; padding: 8px; background-color: #f3f4f6; \
             color: #1f2937"
        }
        "span" => "font-family: monospace",
        _ => "",
    }
}

/// Who shows the HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A page with styles of its own.
    Page,
    Mail,
    Rt,
}

#[derive(Debug)]
struct Writer {
    out: String,
    reader: Reader,
    /// Bytes after which no new part is begun.
    budget: usize,
    left_out: bool,
}

impl Writer {
    fn new(reader: Reader, budget: usize) -> Self {
        Self {
            out: String::new(),
            reader,
            budget,
            left_out: false,
        }
    }

    fn text(&mut self, text: &str) {
        let text = if self.reader == Reader::Rt {
            escape(&defang(text))
        } else {
            escape(text)
        };
        self.out.push_str(&text);
    }

    /// Whether there is room for a part of about `size` bytes; otherwise notes the omission.
    fn room(&mut self, size: usize) -> bool {
        let fits = self.out.len().saturating_add(size) <= self.budget;
        self.left_out |= !fits;
        fits
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        self.out
            .write_fmt(text)
            .expect("writing to a String cannot fail");
    }

    fn open(&mut self, element: &str) {
        let style = match self.reader {
            Reader::Page => "",
            Reader::Mail => style(element),
            Reader::Rt => style_in_rt(element),
        };
        if style.is_empty() {
            self.put(format_args!("<{element}>"));
        } else {
            self.put(format_args!("<{element} style=\"{style}\">"));
        }
    }

    fn close(&mut self, element: &str) {
        self.put(format_args!("</{element}>"));
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, content } => {
                self.element(&format!("h{}", (*level).clamp(1, 6)), content);
            }
            Block::Paragraph(content) => self.element("p", content),
            Block::List { start, items } => self.list(*start, items),
            Block::Table { head, rows } => self.table(head, rows),
            Block::Code { language, text } => self.code(language.as_deref(), text),
            Block::Quote(inner) => {
                self.open("blockquote");
                self.blocks(inner);
                self.close("blockquote");
            }
            Block::Rule => self.out.push_str("<hr>\n"),
        }
    }

    fn element(&mut self, element: &str, content: &[Inline]) {
        let mut inner = Self::new(self.reader, usize::MAX);
        inner.inlines(content);
        if self.room(inner.out.len() + 200) {
            self.open(element);
            self.out.push_str(&inner.out);
            self.close(element);
            self.out.push('\n');
        }
    }

    fn list(&mut self, start: Option<u64>, items: &[Vec<Block>]) {
        let element = if start.is_some() { "ol" } else { "ul" };
        match start {
            Some(number) if number != 1 => self.put(format_args!("<ol start=\"{number}\">")),
            _ => self.open(element),
        }
        for item in items {
            if !self.room(200) {
                break;
            }
            self.out.push_str("<li>");
            match item.as_slice() {
                // A tight item: no paragraph inside.
                [Block::Paragraph(content)] => self.inlines(content),
                blocks => self.blocks(blocks),
            }
            self.out.push_str("</li>\n");
        }
        self.close(element);
        self.out.push('\n');
    }

    fn table(&mut self, head: &[Cell], rows: &[Vec<Cell>]) {
        self.open("table");
        if head.iter().any(|cell| !cell.is_empty()) {
            self.out.push_str("<thead>");
            self.row("th", head);
            self.out.push_str("</thead>");
        }
        self.out.push_str("<tbody>\n");
        for cells in rows {
            let mut inner = Self::new(self.reader, usize::MAX);
            inner.row("td", cells);
            if !self.room(inner.out.len() + 100) {
                break;
            }
            self.out.push_str(&inner.out);
        }
        self.out.push_str("</tbody></table>\n");
    }

    fn row(&mut self, element: &str, cells: &[Cell]) {
        self.out.push_str("<tr>");
        for cell in cells {
            self.open(element);
            self.inlines(cell);
            self.close(element);
        }
        self.out.push_str("</tr>\n");
    }

    fn code(&mut self, language: Option<&str>, text: &str) {
        if !self.room(400) {
            return;
        }
        // An escaped character may take six bytes.
        let room = (self.budget - self.out.len()) / 6;
        self.left_out |= text.chars().count() > room;
        self.open("pre");
        match language {
            _ if self.reader == Reader::Rt => {}
            Some(language @ ("yaml" | "bash" | "text")) => {
                self.put(format_args!("<code class=\"language-{language}\">"));
            }
            _ => self.out.push_str("<code>"),
        }
        self.text(&truncate(text, room));
        if self.reader != Reader::Rt {
            self.close("code");
        }
        self.out.push_str("</pre>\n");
    }

    fn inlines(&mut self, content: &[Inline]) {
        for part in content {
            match part {
                Inline::Text(text) => self.text(text),
                Inline::Code(text) if self.reader == Reader::Rt => {
                    self.open("span");
                    self.text(text);
                    self.close("span");
                }
                Inline::Code(text) => {
                    // Right-to-left text inside a value must not reorder what stands beside it.
                    self.open("code");
                    self.out.push_str("<bdi>");
                    self.text(text);
                    self.out.push_str("</bdi>");
                    self.close("code");
                }
                Inline::Strong(inner) => self.wrap("strong", inner),
                Inline::Emphasis(inner) => self.wrap("em", inner),
                Inline::Strike(inner) => self.wrap("s", inner),
                Inline::Link { url, content } => {
                    self.put(format_args!("<a href=\"{}\">", escape(url)));
                    self.inlines(content);
                    self.close("a");
                }
                Inline::Break => self.out.push_str("<br>\n"),
            }
        }
    }

    fn wrap(&mut self, element: &str, inner: &[Inline]) {
        self.open(element);
        self.inlines(inner);
        self.close(element);
    }
}

/// Text for an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests;
