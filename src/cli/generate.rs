//! `generate`: files that are made from the program itself.

use anyhow::Result;
use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::{Cli, print};
use crate::config;

/// Write generated files.
#[derive(Debug, Args)]
pub(super) struct Generate {
    #[arg(value_enum)]
    what: What,
    /// The shell to complete in
    #[arg(long, value_enum, default_value = "bash")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The JSON Schema of the configuration
    Schema,
    /// An example configuration
    Example,
    /// The manual page
    Man,
    /// Completions for a shell
    Completions,
}

const EXAMPLE: &str = include_str!("../../deploy/herald.yaml");

impl Generate {
    pub(super) fn run(self) -> Result<()> {
        match self.what {
            What::Schema => print(&format!(
                "{}\n",
                serde_json::to_string_pretty(&config::schema())?
            )),
            What::Example => print(EXAMPLE),
            What::Man => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command()).render(&mut page)?;
                print(&String::from_utf8_lossy(&page))
            }
            What::Completions => {
                let mut script = Vec::new();
                clap_complete::generate(
                    self.shell,
                    &mut Cli::command(),
                    "falco-herald",
                    &mut script,
                );
                print(&String::from_utf8_lossy(&script))
            }
        }
    }
}
