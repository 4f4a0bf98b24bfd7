//! The one integration binary: the service as a process, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says when it is skipped"
)]

mod alertmanager;
mod backup;
mod canary;
mod crash;
mod hostile;
mod layers;
mod links;
mod mail;
mod operate;
mod peers;
mod reload;
mod restart;
mod service;
mod siege;
mod silences;
mod slack;
mod storm;
mod support;
