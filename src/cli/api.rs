//! The JSON API of the running service, which owns the store.

use std::fmt::Write;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::{ConfigFile, print};
use crate::markup::visible::one_line;

async fn request(
    file: &ConfigFile,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
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
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.with_context(|| {
        format!("no service answers at {admin}; is it running with this configuration?")
    })
}

pub(super) async fn get(file: &ConfigFile, path: &str) -> Result<Value> {
    read(request(file, reqwest::Method::GET, path, None).await?).await
}

async fn read(answer: reqwest::Response) -> Result<Value> {
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

/// Posts a question; the answer.
pub(super) async fn ask(file: &ConfigFile, path: &str, body: Value) -> Result<Value> {
    read(request(file, reqwest::Method::POST, path, Some(body)).await?).await
}

pub(super) async fn post(file: &ConfigFile, path: &str, body: Option<Value>) -> Result<()> {
    let answer = request(file, reqwest::Method::POST, path, body).await?;
    if answer.status().is_success() {
        return print("done\n");
    }
    let body: Value = answer.json().await?;
    bail!(
        "{}",
        body["error"].as_str().unwrap_or("the service refused")
    )
}

/// Rows as lines, one column a tab.
pub(super) fn table(rows: &Value, columns: &[&str]) -> Result<String> {
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
