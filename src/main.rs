//! The `falco-herald` program.

use std::process::ExitCode;

use clap::Parser;
use falco_herald::cli::Cli;

// Many small strings live shortly: this allocator gives their memory back, also on musl.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
