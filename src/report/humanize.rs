//! Falco's codes in words: times, flags, files, people, network.
//!
//! Every function answers only what it knows; an unknown code stays as it is in the evidence.

pub(super) mod files;
pub(super) mod flags;
pub(super) mod network;
pub(super) mod people;
pub(super) mod times;
