//! `backup`: a copy of the store.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{ConfigFile, print};
use crate::store::backup;

/// Copy the store, also while the service runs. To restore, stop the service, put the folder where
/// `store.path` points, and start.
#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    file: ConfigFile,
    /// A new or empty folder for the copy
    folder: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Result<()> {
        let store = self.file.load()?.config.store.path;
        let saved = backup(&store, &self.folder)?;
        print(&format!(
            "copied {} events, {} of them not taken over yet, and {} incidents to {}\n",
            saved.cursor.0.unsigned_abs() + saved.queued,
            saved.queued,
            saved.incidents,
            self.folder.display()
        ))
    }
}
