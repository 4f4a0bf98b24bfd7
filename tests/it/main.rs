//! The one integration binary: the service as a process, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crash;
mod hostile;
mod layers;
mod mail;
mod operate;
mod service;
mod slack;
mod support;
