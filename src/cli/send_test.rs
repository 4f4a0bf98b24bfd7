//! `send-test`: one message to one destination, to see that it arrives.

use anyhow::{Context, Result, bail};
use clap::Args;
use uuid::Uuid;

use super::{ConfigFile, print, subject};
use crate::clock::Clock;
use crate::config::resolve;
use crate::deliver::{Notice, NoticeKind};
use crate::event::TEST_RULE;

/// Send a test message.
#[derive(Debug, Args)]
pub(super) struct SendTest {
    #[command(flatten)]
    file: ConfigFile,
    /// The destination's name
    destination: String,
}

impl SendTest {
    pub(super) async fn run(self) -> Result<()> {
        let clock = Clock::system();
        let loaded = self.file.load()?;
        let resolved = resolve(&loaded, &clock)?;
        let configured = resolved.setup.destinations.iter();
        let Some(configured) = configured
            .clone()
            .find(|known| known.name == self.destination)
        else {
            let known: Vec<_> = configured.map(|known| known.name.as_str()).collect();
            bail!(
                "there is no destination {}; configured: {}",
                self.destination,
                known.join(", ")
            );
        };
        let now = clock.now();
        let event = serde_json::json!({
            "rule": TEST_RULE, "priority": "Debug", "time": now.to_string(),
            "output": "This is a test from falco-herald",
            "output_fields": { "proc.name": "falco-herald" },
        });
        let event = event.to_string().into_bytes();
        let alerts = subject::alerts(&event, &resolved, now)?;
        let alert = alerts.first().context("the test event is gone")?;
        let route = resolved
            .rules
            .tree
            .routes()
            .next()
            .context("the tree has no root")?;
        let mut incident = subject::incident(alert, route).context("the test event is gone")?;
        incident.uid = Uuid::now_v7();
        let notice = Notice {
            key: format!("{}-test", incident.uid),
            kind: NoticeKind::Open,
            report: subject::report(
                &resolved.setup.engine,
                alert,
                &incident,
                &resolved.setup.links,
                now,
            )?,
            incident,
            event,
            // The incident of a test is not stored, so there is nothing to see.
            link: None,
            remote: None,
            previous: None,
        };
        match configured.destination.send(&notice).await {
            Ok(receipt) => print(&format!("ok: {}\n", receipt.detail)),
            Err(error) => bail!("{}: {error}", self.destination),
        }
    }
}
