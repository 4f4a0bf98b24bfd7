//! The template engine: built-in templates, overridden by the files of a directory.
//!
//! Templates are code of the site; event text never becomes a template or a template's name. A
//! value prints escaped unless the template names its position with a filter, and no filter turns
//! escaping off. Work, depth and output are bounded.

mod error;
mod escape;
mod runbook;
mod snippets;
mod source;

use std::io;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::context::{self, View};
use super::digest::Handover;
use super::{Report, Subject};
use crate::classify::{Catalogue, Category};
use crate::markup::visible::{one_line, truncate};

pub use error::RenderError;
pub use runbook::{FrontMatter, slug};

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
    /// The site's own templates as written, by name.
    templates: Vec<(String, String)>,
    /// Only the built-in templates, when the site has its own: a broken report loses no alert.
    builtin: Option<Environment<'static>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            site: environment().expect("the syntax is ours"),
            templates: Vec::new(),
            builtin: None,
        }
    }
}

impl Engine {
    /// The built-in templates, overridden by the files of `dir` where they exist.
    ///
    /// Files have the names of the built-in templates: `report/incident.md`, `report/CATEGORY.md`,
    /// `report/parts/NAME.md`, `runbooks/SLUG.md` for the rule with that slug.
    pub fn try_new(dir: Option<&Path>) -> Result<Self, RenderError> {
        let Some(dir) = dir else {
            return Ok(Self::default());
        };
        let templates = source::read(dir)?;
        let mut site = environment()?;
        for (name, text) in &templates {
            runbook::front_matter(name, text)?;
            site.add_template_owned(name.clone(), runbook::body(text).into_owned())
                .map_err(|error| RenderError::template(&error))?;
        }
        Ok(Self {
            site,
            templates,
            builtin: Some(environment()?),
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

    /// Renders a digest from `digest.md`; from the built-in one when the site's own fails.
    pub fn digest(&self, handover: &Handover<'_>) -> Result<Report, RenderError> {
        let error = match digest(&self.site, handover) {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let builtin = self.builtin.as_ref();
        builtin.map_or(Err(error), |builtin| digest(builtin, handover))
    }

    /// Whether a runbook for the rule exists.
    pub fn has_runbook(&self, rule: &str) -> bool {
        runbook_of(&self.site, rule).is_some()
    }

    /// The runbook of a rule as a page of Markdown; `None` when there is none.
    pub fn runbook(&self, rule: &str) -> Result<Option<String>, RenderError> {
        runbook_of(&self.site, rule)
            .map(|template| page(&template, rule))
            .transpose()
    }

    /// Renders every runbook of the site as a page and looks at every snippet of its templates:
    /// what only fails in the middle of the night is found before.
    pub fn check(&self) -> Result<(), RenderError> {
        for (name, text) in &self.templates {
            let faults = if name.starts_with("runbooks/") && !name.starts_with("runbooks/families/")
            {
                let rule = runbook::front_matter(name, text)?.map(|matter| matter.rule);
                let template = self.site.get_template(name);
                let template = template.map_err(|error| RenderError::template(&error))?;
                let rule = rule.unwrap_or_else(|| name.clone());
                snippets::all_faults(&page(&template, &rule)?, &[(&rule, "syscall")])
            } else {
                snippets::all_faults(text, &[])
            };
            if let Some(fault) = faults.into_iter().next() {
                return Err(RenderError::Snippet {
                    name: name.clone(),
                    fault,
                });
            }
        }
        Ok(())
    }

    /// Renders the report with the site's templates or says what is wrong with them.
    pub fn try_render(&self, subject: &Subject<'_>) -> Result<Report, RenderError> {
        render(&self.site, subject)
    }
}

/// An environment in which the built-in templates are compiled when they are first used.
fn environment() -> Result<Environment<'static>, RenderError> {
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
    // Looks up names in the binary; nothing is read from outside.
    environment
        .set_loader(|name| Ok(source::builtin(name).map(|text| runbook::body(&text).into_owned())));
    Ok(environment)
}

fn render(
    environment: &Environment<'static>,
    subject: &Subject<'_>,
) -> Result<Report, RenderError> {
    let view = View::new(subject);
    let template =
        template_of(environment, &view).map_err(|error| RenderError::template(&error))?;
    let has_runbook = runbook_of(environment, view.event.rule.raw()).is_some();
    let context = minijinja::context! {
        layout => layout(&view),
        has_runbook,
        runbook_file => context::ours(format!("runbooks/{}.md", slug(view.event.rule.raw()))),
        ..context::build(&view)
    };
    let markdown = written(&template, context)?;
    Ok(Report {
        title: line(&context::name_of(subject.incident).plain()),
        lead: line(&context::lead(&view)),
        severity: subject.incident.severity,
        markdown: snippets::checked(&markdown, view.event.rule.raw(), view.event.source.raw()),
    })
}

fn digest(
    environment: &Environment<'static>,
    handover: &Handover<'_>,
) -> Result<Report, RenderError> {
    let template = environment.get_template("digest.md");
    let template = template.map_err(|error| RenderError::template(&error))?;
    let context = minijinja::context! { br => context::ours("  "), ..handover.context() };
    Ok(Report {
        title: line(&handover.title()),
        lead: line(&handover.lead()),
        severity: handover.severity(),
        markdown: written(&template, context)?,
    })
}

/// The runbook of the rule, or the template of its category, or the general one. The name is looked
/// up among the loaded templates; a rule's name never reaches a file system.
fn template_of<'e>(
    environment: &'e Environment<'static>,
    view: &View<'_>,
) -> Result<minijinja::Template<'e, 'e>, minijinja::Error> {
    let runbook = runbook_of(environment, view.event.rule.raw());
    let category = layout(view);
    runbook.map_or_else(|| environment.get_template(&category), Ok)
}

/// The runbook of a rule.
fn runbook_of<'e>(
    environment: &'e Environment<'static>,
    rule: &str,
) -> Option<minijinja::Template<'e, 'e>> {
    runbook::names(rule).find_map(|name| environment.get_template(&name).ok())
}

/// A runbook that stands for itself: its blocks in the order of a report, without an event.
fn page(template: &minijinja::Template<'_, '_>, rule: &str) -> Result<String, RenderError> {
    let entry = Catalogue::builtin().get(rule);
    let facts = entry.map_or_else(
        || "A rule that is not among the official ones.".to_owned(),
        |entry| {
            let maturity = entry.maturity.as_deref().unwrap_or("no maturity");
            let state = if entry.enabled_by_default {
                "on"
            } else {
                "off"
            };
            format!(
                "{} · {} · {} · {maturity} · {state} by default",
                entry.priority,
                entry.category.title(),
                entry.source
            )
        },
    );
    let hooks = entry.into_iter().flat_map(|entry| &entry.hooks);
    let hooks: Vec<_> = hooks
        .filter_map(|hook| hook.macro_.as_deref().or(hook.list.as_deref()))
        .map(context::ours)
        .collect();
    let context = minijinja::context! {
        layout => "runbook.md",
        rule => rule,
        facts => context::ours(facts),
        hooks,
    };
    written(template, context)
}

/// What a template makes of a context.
fn written(
    template: &minijinja::Template<'_, '_>,
    context: minijinja::Value,
) -> Result<String, RenderError> {
    let mut output = Capped(Vec::new());
    template
        .render_captured_to(context, &mut output)
        .map_err(|error| RenderError::template(&error))?;
    let markdown = String::from_utf8(output.0).map_err(|_| RenderError::NotText)?;
    Ok(tidy(&markdown))
}

/// The template that surrounds a runbook.
fn layout(view: &View<'_>) -> String {
    match view.alert.category {
        Category::Other => "report/incident.md".to_owned(),
        category => format!("report/{}.md", category.id()),
    }
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
