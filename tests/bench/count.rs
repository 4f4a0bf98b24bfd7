//! How many instructions the pure core takes over fixed events, held against budgets. Seconds drift
//! by a factor of two on shared machines; instructions do not.
//!
//! The counts are those of the build that is tested, which is not optimised: what they guard is that
//! no step silently does more. `HERALD_BUDGETS=write` sets the budgets to what is counted now.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says when it is skipped"
)]

mod sample;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, ExitCode};

use work::Work;

const BUDGETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/budgets.json");

/// As which program this one is started to be counted.
const COUNTED: &str = "--counted";

/// How much more than its budget a step may take, in percent.
const SLACK: u64 = 5;

fn main() -> ExitCode {
    if std::env::args().any(|word| word == COUNTED) {
        let work = Work::over(sample::bodies());
        for (_, step) in Work::steps() {
            // The first time, tables are built.
            step(&work);
        }
        steps::count(&work);
        return ExitCode::SUCCESS;
    }
    let Some(counts) = count() else {
        let required = std::env::var("HERALD_PEERS").is_ok_and(|peers| peers == "required");
        println!("skipped: valgrind is not installed");
        return if required {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    };
    if std::env::var("HERALD_BUDGETS").is_ok_and(|word| word == "write") {
        std::fs::write(
            BUDGETS,
            serde_json::to_string_pretty(&counts).unwrap() + "\n",
        )
        .unwrap();
    }
    let budgets = std::fs::read_to_string(BUDGETS).unwrap();
    let budgets: BTreeMap<String, u64> = serde_json::from_str(&budgets).unwrap();
    assert!(counts.keys().eq(budgets.keys()), "steps and budgets differ");
    let mut code = ExitCode::SUCCESS;
    for (step, count) in &counts {
        let budget = budgets[step];
        let percent = count * 100 / budget;
        println!("{step}: {count} instructions, {percent} % of the budget");
        if count * 100 > budget * (100 + SLACK) {
            eprintln!("{step} costs more than its budget; HERALD_BUDGETS=write accepts that");
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// The steps as functions that the counts can name.
mod steps {
    use super::Work;

    macro_rules! steps {
        ($($step:ident)*) => {
            $(
                #[inline(never)]
                fn $step(work: &Work) {
                    work.$step();
                }
            )*
            pub(super) fn count(work: &Work) {
                $($step(work);)*
            }
            pub(super) const NAMES: &[&str] = &[$(stringify!($step)),*];
        };
    }
    steps!(split decode route fold core report);
}

/// Instructions by step, with everything that it calls; `None` without valgrind.
fn count() -> Option<BTreeMap<String, u64>> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("counts");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().unwrap())
        .arg(COUNTED)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    Some(read(&out))
}

/// Reads calls out of a profile: `cfn=(id) name`, `calls=...`, then a line that ends with the cost.
fn read(profile: &Path) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(profile).unwrap();
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut counts = BTreeMap::new();
    let mut callee = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let function = line
            .strip_prefix("cfn=")
            .or_else(|| line.strip_prefix("fn="));
        if let Some((id, name)) = function.map(|text| text.split_once(' ').unwrap_or((text, ""))) {
            let name = if name.is_empty() {
                names.get(id).copied()
            } else {
                Some(name)
            };
            let name = name.unwrap_or_default();
            names.insert(id, name);
            if line.starts_with("cfn=") {
                callee = name;
            }
        } else if line.starts_with("calls=") {
            let cost = lines.next().and_then(|line| line.rsplit(' ').next());
            let step = steps::NAMES
                .iter()
                .find(|step| callee.contains(&format!("steps::{step}")));
            if let (Some(step), Some(cost)) = (step, cost) {
                counts.insert((*step).to_owned(), cost.parse().unwrap());
            }
        }
    }
    counts
}
