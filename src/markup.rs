//! From text to format: the only code that knows how to make event text inert.
//!
//! Two halves. [`visible`] and [`escape`] put a value into Markdown; a report is that Markdown.
//! [`document`] parses the report into a small literal tree, and [`html`], [`slack`] and [`text`]
//! write the tree in the target's own format. A value is never inserted into the output of a
//! converter, so each format is escaped once, by the code that knows it.

pub mod document;
pub mod escape;
pub mod html;
pub mod slack;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod visible;
