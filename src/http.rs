//! The two listeners: events come in on one, people and Prometheus look in on the other.

mod admin;
mod auth;
mod body;
mod config;
mod health;
mod ingest;
mod serve;
mod tls;

#[cfg(test)]
mod tests;

pub use admin::{Admin, router as admin_router};
pub use auth::{AuthError, Credentials};
pub use config::{AuthConfig, BasicConfig, BearerConfig, IngestConfig, TlsConfig};
pub use health::Readiness;
pub use ingest::{Ingest, router as ingest_router};
pub use serve::{ConnectionLimits, serve};
pub use tls::{TlsError, server_config};
