//! A report as Mattermost posts.

use super::dialect::{Dialect, markdown};
use super::document::{Block, Document};
use super::pages::{self, Paper};
use crate::report::Report;

/// Characters of a post; a server takes 16,383 unless it was set up long ago.
const MAX_POST: usize = 16_000;

/// The posts, the head first.
pub fn mattermost(report: &Report) -> Vec<String> {
    let pages = pages::messages(report, PAPER);
    pages.iter().map(|page| written(&page.blocks)).collect()
}

/// One post with what is new, the head, and the details if they are wanted.
pub fn single(report: &Report, news: Option<&str>, with_details: bool) -> String {
    let blocks = pages::blocks(report, news, with_details);
    written(&pages::one(&blocks, PAPER).blocks)
}

const PAPER: Paper<'static> = Paper {
    room: MAX_POST,
    size: &|block| written(std::slice::from_ref(block)).chars().count(),
};

fn written(blocks: &[Block]) -> String {
    let blocks = blocks.to_vec();
    let text = markdown(&Document { blocks }, Dialect::Mattermost);
    text.trim_end().to_owned()
}
