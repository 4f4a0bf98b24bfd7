//! Logs: text on a terminal, one JSON object a line otherwise. On standard error, so that standard
//! output belongs to the console destination and to commands.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Lines that may wait for a slow reader.
const QUEUED: usize = 8_192;

/// Starts logging. `HERALD_LOG` sets the level, by module if wanted: `info`, `falco_herald=debug`.
///
/// The JSON encoder and the text encoder's debug formatting both escape control characters, so that
/// event text can neither forge a line nor reach the terminal.
/// Lines wait in a queue and are dropped when it is full: a log that nobody reads must not stop the
/// service. What has queued is written when the returned guard goes.
pub fn init(filter: Option<&str>) -> Result<WorkerGuard, TryInitError> {
    let (lines, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED)
        .finish(std::io::stderr());
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or("info"));
    let registry = tracing_subscriber::registry().with(filter);
    if std::io::stderr().is_terminal() {
        let text = fmt::layer().with_writer(lines).with_target(false);
        registry.with(text).try_init()?;
    } else {
        let json = fmt::layer().json().flatten_event(true).with_writer(lines);
        registry.with(json).try_init()?;
    }
    Ok(guard)
}
