//! falco-herald turns Falco alerts into incidents and reports that people act on.
//!
//! An event is stored and fsynced before it is acknowledged ([`http`], [`store`]). A second step
//! ([`pipeline`]) reads the inbox, classifies each event ([`classify`]), routes it ([`route`]),
//! folds it into an incident ([`incident`]) and leaves at most one open delivery per incident and
//! destination. Workers ([`deliver`]) render the report when a delivery is due ([`report`],
//! [`markup`]) and record every attempt.
//!
//! Imports point down this table, never up; `tests/it/layers.rs` checks it.
//!
//! | layer | modules |
//! |---|---|
//! | 6 | [`cli`], [`app`], [`config`], [`lifecycle`], [`telemetry`] |
//! | 5 | [`http`] |
//! | 4 | [`pipeline`], [`deliver`] |
//! | 3 | [`store`], [`report`], [`markup`] |
//! | 2 | [`classify`], [`route`], [`incident`], [`falco`], [`mask`] |
//! | 1 | [`event`] |
//! | 0 | [`clock`], [`backoff`], [`secret`], [`units`], [`metrics`] |

pub mod app;
pub mod backoff;
pub mod classify;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod event;
pub mod falco;
pub mod http;
pub mod incident;
pub mod lifecycle;
pub mod link;
pub mod markup;
pub mod mask;
pub mod metrics;
pub mod pipeline;
pub mod report;
pub mod route;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod units;
