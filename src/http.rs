//! The two listeners: events come in at one, people and Prometheus look in at the other.
//!
//! An event is acknowledged only after the store has it on disk. Connections are served by our own
//! loop, because `axum::serve` has no time-outs and no limits.

mod act;
mod admin;
mod auth;
mod body;
mod config;
mod guard;
mod health;
mod inbox;
mod ingest;
mod serve;
mod silences;
mod throttle;
mod tls;

pub use admin::{Admin, router as admin_router};
pub use auth::{Auth, AuthConfig, AuthError, BasicConfig, BearerConfig};
pub use config::IngestConfig;
pub use guard::Guard;
pub use health::Readiness;
pub use inbox::Inbox;
pub use ingest::{Ingest, Limits, router as ingest_router};
pub use serve::{ConnectionLimits, Listener, raise_descriptor_limit, serve};
pub use tls::{TlsConfig, TlsError, load as load_tls};

#[cfg(test)]
mod tests;
