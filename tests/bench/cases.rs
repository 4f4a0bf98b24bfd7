//! What is measured.

pub(crate) mod intake;
pub(crate) mod pace;
pub(crate) mod rest;
pub(crate) mod storm;
