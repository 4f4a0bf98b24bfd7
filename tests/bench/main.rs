//! What the service costs. `cargo bench` runs everything and prints the figures beside their goals;
//! a word runs the cases whose names contain it. `HERALD_BENCH_AGAINST=<commit>` measures that commit
//! in turn with this one.
//!
//! Seconds drift by a factor of two on shared machines, so what is claimed is a ratio of two things
//! that took turns in one run: the median of several rounds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are approximate, and a bench that cannot measure stops"
)]

mod baseline;
mod cases;
mod events;
mod load;
mod process;
mod sample;
mod servers;
mod sink;
mod subjects;
mod table;
mod work;

use subjects::Subjects;
use table::Row;

/// How often the variants of a case take turns.
const ROUNDS: usize = 4;

/// As which program this one is started to be the bare handler.
const BASELINE: &str = "--baseline";

// As in the program: what is timed in this process allocates much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn millis(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    if let [role, address] = words.as_slice()
        && role == BASELINE
    {
        return baseline::serve(address);
    }
    let wanted: Vec<_> = words.iter().filter(|word| *word != "--bench").collect();
    let subjects = Subjects::from_environment();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut rows: Vec<Row> = Vec::new();
    macro_rules! case {
        ($name:literal, $case:expr) => {
            if wanted.is_empty() || wanted.iter().any(|word| $name.contains(word.as_str())) {
                println!("{} ...", $name);
                let found = runtime.block_on($case);
                print!("{}", table::markdown(&found));
                rows.extend(found);
            }
        };
    }
    case!("burst", cases::intake::burst(&subjects));
    case!("sustained", cases::intake::sustained(&subjects));
    case!("single", cases::pace::single(&subjects));
    case!("first byte", cases::pace::first_byte(&subjects));
    case!("steady", cases::pace::steady(&subjects));
    case!("critical", cases::storm::critical(&subjects));
    case!("start", cases::storm::start(&subjects));
    case!("idle", cases::rest::idle(&subjects));
    case!("core", async { cases::rest::core() });
    case!("growth", cases::storm::growth(&subjects));
    println!("\n{}", table::markdown(&rows));
}
