//! The one integration binary: the service as a process, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crash;
mod layers;
mod service;
mod support;
