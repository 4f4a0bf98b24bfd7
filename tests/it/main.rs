//! The one integration binary: the service as a process, over real sockets.

mod crash;
mod layers;
mod service;
mod support;
