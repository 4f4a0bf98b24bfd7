//! The template engine: built-in templates, overridden by the files of a directory.
//!
//! Templates are code of the site; event text never becomes a template or a template's name. A
//! value prints escaped unless the template names its position with a filter, and no filter turns
//! escaping off. Work, depth and output are bounded.

mod error;
mod escape;
mod source;

use std::io;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::context::{self, View};
use super::{Report, Subject};
use crate::markup::visible::{one_line, truncate};

pub use error::RenderError;

/// Instructions and bytes that one report may cost; the built-in ones need about a hundredth.
const FUEL: u64 = 500_000;
/// Templates that may be open inside each other.
const MAX_DEPTH: usize = 40;
/// Bytes of one report.
const MAX_OUTPUT: usize = 512 * 1024;
/// Characters of a title and a lead.
const MAX_LINE: usize = 300;

/// The compiled templates.
#[derive(Debug)]
pub struct Engine {
    site: Environment<'static>,
    /// Only the built-in templates, when the site has its own: a broken report loses no alert.
    builtin: Option<Environment<'static>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            site: environment(source::builtin()).expect("the built-in templates compile"),
            builtin: None,
        }
    }
}

impl Engine {
    /// The built-in templates, overridden by the files of `dir` where they exist.
    ///
    /// Files have the names of the built-in templates: `report/incident.md`, `report/CATEGORY.md`,
    /// `report/parts/NAME.md`; beside them `runbooks/SLUG.md` for the rule with that slug.
    pub fn try_new(dir: Option<&Path>) -> Result<Self, RenderError> {
        let Some(dir) = dir else {
            return Ok(Self::default());
        };
        let mut templates = source::builtin();
        templates.extend(source::read(dir)?);
        Ok(Self {
            site: environment(templates)?,
            builtin: Some(environment(source::builtin())?),
        })
    }

    /// Renders the report. When a template of the site fails, the built-in one is used and the
    /// report says so, because an alert that cannot be worded must still be delivered.
    pub fn render(&self, subject: &Subject<'_>) -> Result<Report, RenderError> {
        let error = match self.try_render(subject) {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let Some(builtin) = &self.builtin else {
            return Err(error);
        };
        let mut report = render(builtin, subject)?;
        let why = crate::markup::escape::inline(&error.to_string());
        let note =
            format!("\nThe site's own template failed, so the built-in one was used: {why}\n");
        report.markdown.push_str(&note);
        Ok(report)
    }

    /// Renders the report with the site's templates or says what is wrong with them.
    pub fn try_render(&self, subject: &Subject<'_>) -> Result<Report, RenderError> {
        render(&self.site, subject)
    }
}

fn environment(templates: Vec<(String, String)>) -> Result<Environment<'static>, RenderError> {
    let mut environment = Environment::empty();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.map_err(|error| RenderError::template(&error))?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_fuel(Some(FUEL));
    // Marks captured blocks and macros as already escaped; the formatter escapes all else.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    environment.set_formatter(escape::format);
    escape::add_filters(&mut environment);
    for (name, text) in templates {
        environment
            .add_template_owned(name, text)
            .map_err(|error| RenderError::template(&error))?;
    }
    Ok(environment)
}

fn render(
    environment: &Environment<'static>,
    subject: &Subject<'_>,
) -> Result<Report, RenderError> {
    let view = View::new(subject);
    let template =
        template_of(environment, &view).map_err(|error| RenderError::template(&error))?;
    let mut output = Capped(Vec::new());
    template
        .render_captured_to(context::build(&view), &mut output)
        .map_err(|error| RenderError::template(&error))?;
    let markdown = String::from_utf8(output.0).map_err(|_| RenderError::NotText)?;
    Ok(Report {
        title: line(&context::title(&view).plain()),
        lead: line(&context::lead(&view)),
        severity: subject.incident.severity,
        markdown: tidy(&markdown),
    })
}

/// The runbook of the rule, or the template of its category, or the general one. The name is looked
/// up among the loaded templates; a rule's name never reaches a loader.
fn template_of<'e>(
    environment: &'e Environment<'static>,
    view: &View<'_>,
) -> Result<minijinja::Template<'e, 'e>, minijinja::Error> {
    let runbook = format!("runbooks/{}.md", slug(view.event.rule.raw()));
    let category = format!("report/{}.md", view.alert.category.id());
    environment
        .get_template(&runbook)
        .or_else(|_| environment.get_template(&category))
        .or_else(|_| environment.get_template("report/incident.md"))
}

/// The slug of a rule: lower-case letters and digits with single dashes between.
pub fn slug(rule: &str) -> String {
    let words = rule
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words
        .map(str::to_ascii_lowercase)
        .collect::<Vec<_>>()
        .join("-")
}

fn line(text: &str) -> String {
    one_line(&truncate(text, MAX_LINE)).into_owned()
}

/// Collapses blank lines outside code blocks: conditions in templates leave them.
fn tidy(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut fence: Option<usize> = None;
    let mut blank = true;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open && line.trim_matches('`').trim().is_empty() => fence = None,
            _ => {}
        }
        let empty = fence.is_none() && line.trim().is_empty();
        if !(empty && blank) {
            out.push_str(if empty { "" } else { line });
            out.push('\n');
        }
        blank = empty;
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

/// A writer that refuses to grow past [`MAX_OUTPUT`].
#[derive(Debug)]
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("the report is over its size limit"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod checks;
#[cfg(test)]
mod tests;
