//! Runs scenarios and writes down what came of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use libtest_mimic::{Failed, Trial};

use crate::judge;
use crate::rig::{Rig, is_long, missing, rounds, tools_required};

/// One fault and what is done about it.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// The ids of the fault matrix that it covers.
    pub(crate) id: &'static str,
    /// A sentence that holds.
    pub(crate) name: &'static str,
    /// Programs that it needs.
    pub(crate) tools: &'static [&'static str],
    /// The invariant that the judge must find broken, where the fault is one that we cannot survive.
    pub(crate) control: Option<&'static str>,
    pub(crate) run: fn(Rig) -> LocalBoxFuture<'static, Did>,
}

/// What a scenario did.
pub(crate) struct Did {
    pub(crate) rounds: u64,
    pub(crate) what: String,
}

impl Did {
    pub(crate) fn once(what: impl Into<String>) -> Self {
        Self {
            rounds: 1,
            what: what.into(),
        }
    }
}

struct Row {
    id: &'static str,
    what: String,
    rounds: u64,
    acknowledged: u64,
    lost: u64,
    duplicates: u64,
    verdict: String,
    took: Duration,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

impl Scenario {
    pub(crate) const fn new(
        id: &'static str,
        name: &'static str,
        run: fn(Rig) -> LocalBoxFuture<'static, Did>,
    ) -> Self {
        Self {
            id,
            name,
            tools: &[],
            control: None,
            run,
        }
    }

    pub(crate) const fn needing(mut self, tools: &'static [&'static str]) -> Self {
        self.tools = tools;
        self
    }

    pub(crate) fn trial(&self) -> Trial {
        let name = format!("{} {}", self.id, self.name);
        let scenario = *self;
        Trial::test(name, move || scenario.run_and_judge())
    }

    fn run_and_judge(&self) -> Result<(), Failed> {
        let began = Instant::now();
        if let Some(tool) = missing(self.tools) {
            let verdict = format!("skipped: no {tool}");
            println!("{}: {verdict}", self.id);
            self.row(None, 0, self.name.to_owned(), verdict.clone(), began);
            return if tools_required() {
                Err(verdict.into())
            } else {
                Ok(())
            };
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        // Crashes and disks are C; the other families are not about what is on the disk.
        // Memory is what M1 is about, and files in memory would count.
        let rig = Rig::new(self.id.starts_with('C') || self.id == "M1");
        let run = AssertUnwindSafe((self.run)(rig.clone())).catch_unwind();
        let limit = Duration::from_secs(if is_long() { 4 * 3600 } else { 150 });
        let ended = runtime.block_on(async { tokio::time::timeout(limit, run).await });
        // Peers and senders end here.
        runtime.shutdown_timeout(Duration::from_secs(1));
        let (did, wrong) = match ended {
            Ok(Ok(did)) => (did, None),
            Ok(Err(panic)) => (Did::once(self.name), Some(said(&*panic))),
            Err(_) => (Did::once(self.name), Some("took too long".to_owned())),
        };
        let problems = rig.problems();
        let found = self.control.map(|invariant| {
            problems
                .iter()
                .any(|problem| problem.invariant == invariant)
        });
        // A few of each kind.
        let mut texts = Vec::new();
        for problem in &problems {
            let alike = |other: &&(&str, String)| other.0 == problem.invariant;
            if texts.iter().filter(alike).count() < 3 {
                texts.push((problem.invariant, problem.to_string()));
            }
        }
        let texts: Vec<_> = texts.into_iter().map(|(_, text)| text).collect();
        let (verdict, failed) = match (wrong, found) {
            (Some(panic), _) => (format!("failed: {panic}"), true),
            (None, Some(true)) => ("control: detected".to_owned(), false),
            (None, Some(false)) => ("control: NOT detected".to_owned(), true),
            (None, None) if problems.is_empty() => ("pass".to_owned(), false),
            (None, None) => (format!("FAILED {}", texts.join("; ")), true),
        };
        self.row(Some(&rig), did.rounds, did.what, verdict.clone(), began);
        if failed {
            return Err(format!("{verdict}\n{}", texts.join("\n")).into());
        }
        Ok(())
    }

    fn row(&self, rig: Option<&Rig>, rounds: u64, what: String, verdict: String, began: Instant) {
        let history = rig.map(Rig::history).unwrap_or_default();
        let row = Row {
            id: self.id,
            what,
            rounds,
            acknowledged: history.acknowledged(),
            lost: judge::lost(&history),
            duplicates: judge::duplicates(&history),
            verdict,
            took: began.elapsed(),
        };
        ROWS.lock().unwrap().push(row);
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}

/// Writes the table of the run into the target folder, and in the long tier beside the tests. There,
/// the rows of scenarios that did not run this time stay.
pub(crate) fn write() {
    let rows = ROWS.lock().unwrap();
    if rows.is_empty() {
        return;
    }
    let ran: BTreeMap<String, String> = rows.iter().map(Row::line).collect();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    std::fs::write(target.join("fault-matrix.md"), table(&ran)).unwrap();
    if is_long() {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/MATRIX.md");
        let before = std::fs::read_to_string(&beside).unwrap_or_default();
        let before = before
            .lines()
            .skip_while(|line| !line.starts_with("| ---"))
            .skip(1);
        let mut all: BTreeMap<String, String> = before
            .filter_map(|line| Some((line.split('|').nth(1)?.trim().to_owned(), line.to_owned())))
            .collect();
        all.extend(ran);
        std::fs::write(beside, table(&all)).unwrap();
    }
}

fn table(rows: &BTreeMap<String, String>) -> String {
    let mut tier = if is_long() { "HERALD_FAULTS=long " } else { "" }.to_owned();
    if let Some(rounds) = rounds() {
        write!(tier, "HERALD_FAULT_ROUNDS={rounds} ").unwrap();
    }
    let mut text = format!(
        "<!-- Generated by `{tier}cargo test --release --test faults`. -->\n\n# Fault matrix\n\n\
         Lost: events acknowledged and not told. Duplicates: deliveries beyond one of a message.\n\n\
         | fault | what was done | rounds | acknowledged | lost | duplicates | verdict | seconds |\n\
         | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |\n"
    );
    for line in rows.values() {
        text.push_str(line);
        text.push('\n');
    }
    text
}

impl Row {
    fn line(&self) -> (String, String) {
        let Self {
            id,
            what,
            rounds,
            acknowledged,
            lost,
            duplicates,
            verdict,
            took,
        } = self;
        let verdict = verdict.replace(['\n', '|'], " ");
        let took = took.as_secs_f32();
        let line = format!(
            "| {id} | {what} | {rounds} | {acknowledged} | {lost} | {duplicates} | {verdict} | {took:.1} |"
        );
        ((*id).to_owned(), line)
    }
}
