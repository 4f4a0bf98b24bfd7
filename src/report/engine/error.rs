//! What is wrong with a template, without the values it met.

use std::path::PathBuf;

use minijinja::ErrorKind;

use crate::falco::Fault;

/// Why a template was refused or a report could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The directory or one of its files cannot be read.
    #[error("cannot read the templates in {}", path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than a template should be, or there are too many.
    #[error("{} is over the limit for templates: 256 KiB a file, 1000 files", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A template does not compile or failed while rendering.
    #[error("{name}:{line}: {what}")]
    Template {
        /// The template, as it is named in the directory.
        name: String,
        /// Its line, counted from 1; 0 when the engine does not know.
        line: usize,
        /// What is wrong; never a value of an event.
        what: String,
    },
    /// A template holds a snippet that Falco would not take.
    #[error("{name}: a snippet would not do what it says: {fault}")]
    Snippet {
        /// The template.
        name: String,
        /// What is wrong with the snippet.
        fault: Fault,
    },
    /// A template wrote something that is not UTF-8.
    #[error("the template wrote bytes that are not text")]
    NotText,
}

impl RenderError {
    pub(super) fn template(error: &minijinja::Error) -> Self {
        // The innermost template is where the mistake is.
        let mut innermost = error;
        let mut next = std::error::Error::source(error);
        while let Some(inner) = next {
            if let Some(inner) = inner.downcast_ref::<minijinja::Error>() {
                innermost = inner;
            }
            next = inner.source();
        }
        let kind = innermost.kind();
        // Details of these kinds come from the template's text; others may quote a value.
        let detail = match kind {
            ErrorKind::SyntaxError
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownBlock
            | ErrorKind::TemplateNotFound
            | ErrorKind::MissingArgument
            | ErrorKind::TooManyArguments
            | ErrorKind::BadEscape => innermost.detail(),
            _ => None,
        };
        let what = match (kind, detail) {
            (_, Some(detail)) => format!("{kind}: {detail}"),
            (ErrorKind::UndefinedError, None) => {
                "a value that does not exist is used; test it with `if` or check its name"
                    .to_owned()
            }
            (ErrorKind::OutOfFuel, None) => "the template does too much work".to_owned(),
            (ErrorKind::WriteFailure, None) => "the report is over its size limit".to_owned(),
            (kind, None) => match innermost.detail() {
                Some(super::escape::NONE_PRINTED) => super::escape::NONE_PRINTED.to_owned(),
                Some(super::escape::NOT_PRINTABLE) => super::escape::NOT_PRINTABLE.to_owned(),
                _ => kind.to_string(),
            },
        };
        Self::Template {
            name: innermost
                .name()
                .or_else(|| error.name())
                .unwrap_or("template")
                .to_owned(),
            line: innermost.line().or_else(|| error.line()).unwrap_or(0),
            what,
        }
    }
}
