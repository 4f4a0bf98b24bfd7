//! The one integration binary: the service as a process, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a test fails by panicking, and says so when it skips"
)]

mod crash;
mod layers;
mod service;
mod support;
