//! The command line: arguments, one file per subcommand.

mod api;
mod audit;
mod backup;
mod check;
mod deliveries;
mod demo;
mod explain;
mod generate;
mod incidents;
mod losses;
mod render;
mod rules;
mod send_test;
mod serve;
mod silence;
mod subject;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::config::{Loaded, from_environment};
use crate::telemetry;

/// Turns Falco alerts into incidents and reports that people act on, and loses none of them.
#[derive(Debug, Parser)]
#[command(name = "falco-herald", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(ConfigFile),
    /// Run the service with sample events, to look at in a minute
    Demo(demo::Demo),
    /// Check a configuration and its templates
    Check(check::Check),
    /// Print the report for events, one incident an event
    Render(render::Render),
    /// Say what an event means, which routes it takes and why
    Explain(explain::Explain),
    /// Prove that every event is accounted for
    Audit(audit::Audit),
    /// Send a test message to a destination
    SendTest(send_test::SendTest),
    /// List, acknowledge or close incidents
    Incidents(incidents::Incidents),
    /// Add, list or expire silences
    Silence(silence::Silence),
    /// List, retry or discard deliveries
    Deliveries(deliveries::Deliveries),
    /// List bodies that were refused
    Quarantine(deliveries::Quarantine),
    /// List events that were refused because the disk had no room or was too slow
    Losses(losses::Losses),
    /// Copy the store, also while the service runs
    Backup(backup::Backup),
    /// List the rules that are known
    Rules(rules::Rules),
    /// Write generated files
    #[command(hide = true)]
    Generate(generate::Generate),
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; without it, defaults and Falcosidekick's environment variables
    #[arg(long, value_name = "FILE", env = "HERALD_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> Result<Loaded> {
        Ok(match &self.config {
            Some(file) => Loaded::from_file(file)?,
            None => from_environment(environment)?,
        })
    }

    fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

fn environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line reads the environment"
    )]
    std::env::var(name).ok()
}

impl Cli {
    /// Runs the command; errors go to standard error.
    pub fn run(self) -> ExitCode {
        let logged = telemetry::init(environment("HERALD_LOG").as_deref());
        let result = logged.map_err(Into::into).and_then(|queued| {
            let result = self.command.run();
            // What is still queued comes before the error.
            drop(queued);
            result
        });
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // A closed standard error leaves nobody to tell.
                drop(writeln!(std::io::stderr(), "error: {error:#}"));
                ExitCode::FAILURE
            }
        }
    }
}

impl Command {
    fn run(self) -> Result<()> {
        match self {
            Self::Serve(file) => block_on(serve::run(file)),
            Self::Demo(demo) => block_on(demo.run()),
            Self::Check(check) => block_on(check.run()),
            Self::Render(render) => render.run(),
            Self::Explain(explain) => block_on(explain.run()),
            Self::Audit(audit) => block_on(audit.run()),
            Self::SendTest(test) => block_on(test.run()),
            Self::Incidents(incidents) => block_on(incidents.run()),
            Self::Silence(silence) => block_on(silence.run()),
            Self::Deliveries(deliveries) => block_on(deliveries.run()),
            Self::Quarantine(quarantine) => block_on(quarantine.run()),
            Self::Losses(losses) => losses.run(),
            Self::Backup(backup) => backup.run(),
            Self::Rules(rules) => rules.run(),
            Self::Generate(generate) => generate.run(),
        }
    }
}

fn block_on(future: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

/// Prints for people and pipes.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}
