//! From text to format: the only code that knows how to make event text inert.
//!
//! Two halves. [`visible`] and [`escape`] put a value into Markdown; a report is that Markdown.
//! [`document`] parses the report into a small literal tree, and a module for each format writes the
//! tree in the target's own way ([`mod@format`] knows them all). A value is never inserted into the output
//! of a converter, so each format is escaped once, by the code that knows it.

pub mod adf;
pub mod csv;
mod defang;
pub mod dialect;
pub mod discord;
pub mod document;
pub mod escape;
pub mod format;
pub mod google_chat;
pub mod html;
pub mod inert;
pub mod jira;
#[cfg(test)]
pub(crate) mod judges;
pub mod matrix;
pub mod mattermost;
pub mod pages;
pub mod slack;
mod spans;
pub mod teams;
pub mod telegram;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod textile;
pub mod visible;
