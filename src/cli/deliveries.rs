//! `deliveries` and `quarantine`: through the admin listener of the running service, which owns the
//! store.

use std::fmt::Write;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::{ConfigFile, print};
use crate::markup::visible::one_line;
use crate::store::DeliveryState;

/// List, retry or discard deliveries.
#[derive(Debug, Args)]
pub(super) struct Deliveries {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List deliveries, the newest first
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Only those in this state: pending, sending, sent, dead or discarded
        #[arg(long)]
        state: Option<DeliveryState>,
    },
    /// Put a dead delivery back into the queue
    Retry {
        #[command(flatten)]
        file: ConfigFile,
        /// Its number
        id: i64,
    },
    /// Give a pending or dead delivery up
    Discard {
        #[command(flatten)]
        file: ConfigFile,
        /// Its number
        id: i64,
    },
}

/// List bodies that were refused.
#[derive(Debug, Args)]
pub(super) struct Quarantine {
    #[command(flatten)]
    file: ConfigFile,
}

impl Deliveries {
    pub(super) async fn run(self) -> Result<()> {
        match self.action {
            Action::List { file, state } => {
                let query = state
                    .map(|state| format!("?state={state}"))
                    .unwrap_or_default();
                let rows = get(&file, &format!("deliveries{query}")).await?;
                print(&table(
                    &rows,
                    &[
                        "id",
                        "state",
                        "destination",
                        "events",
                        "severity",
                        "attempts",
                        "due",
                        "detail",
                    ],
                )?)
            }
            Action::Retry { file, id } => post(&file, &format!("deliveries/{id}/retry")).await,
            Action::Discard { file, id } => post(&file, &format!("deliveries/{id}/discard")).await,
        }
    }
}

impl Quarantine {
    pub(super) async fn run(self) -> Result<()> {
        let rows = get(&self.file, "quarantine").await?;
        print(&table(
            &rows,
            &["id", "received", "size", "reason", "body"],
        )?)
    }
}

fn table(rows: &Value, columns: &[&str]) -> Result<String> {
    let mut text = columns.join("\t");
    text.push('\n');
    for row in rows.as_array().into_iter().flatten() {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| match &row[*column] {
                Value::String(cell) => one_line(cell).chars().take(120).collect(),
                Value::Null => "-".to_owned(),
                cell => cell.to_string(),
            })
            .collect();
        writeln!(text, "{}", cells.join("\t"))?;
    }
    Ok(text)
}

async fn request(
    file: &ConfigFile,
    method: reqwest::Method,
    path: &str,
) -> Result<reqwest::Response> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = file.load()?.config;
    let mut admin = config.admin;
    if admin.ip().is_unspecified() {
        admin.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.request(method, format!("http://{admin}/api/v1/{path}"));
    let authorization = config.admin_auth.authorization();
    if let Some(authorization) = authorization.context("admin_auth")? {
        request = request.header(AUTHORIZATION, authorization.expose());
    }
    request.send().await.with_context(|| {
        format!("no service answers at {admin}; is it running with this configuration?")
    })
}

async fn get(file: &ConfigFile, path: &str) -> Result<Value> {
    let answer = request(file, reqwest::Method::GET, path).await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    if !status.is_success() {
        bail!(
            "{}",
            body["error"].as_str().unwrap_or("the service refused")
        );
    }
    Ok(body)
}

async fn post(file: &ConfigFile, path: &str) -> Result<()> {
    let answer = request(file, reqwest::Method::POST, path).await?;
    if answer.status().is_success() {
        return print("done\n");
    }
    let body: Value = answer.json().await?;
    bail!(
        "{}",
        body["error"].as_str().unwrap_or("the service refused")
    )
}
