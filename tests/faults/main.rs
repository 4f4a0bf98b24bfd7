//! The fault rig: the service under crashes, broken disks, broken peers and floods, judged by a
//! history of everything that was sent to it and that it said.
//!
//! `HERALD_FAULTS=long` makes the long tier.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says when it is skipped"
)]

mod blocklog;
mod certificates;
mod cgroup;
mod clock;
mod controls;
mod crash;
mod disk;
mod door;
mod history;
mod judge;
mod judging;
mod launch;
mod limits;
mod load;
mod matrix;
mod peer;
mod peers;
mod power;
mod process;
mod rig;
mod service;
mod signals;
mod syscalls;
mod trust;
mod volume;
mod wire;

use libtest_mimic::Arguments;
use matrix::Scenario;

/// Scenarios side by side; most of them wait most of the time.
const ABREAST: usize = 4;

fn main() {
    rig::clean();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(ABREAST);
    let scenarios = [
        signals::SCENARIOS,
        crash::SCENARIOS,
        syscalls::SCENARIOS,
        disk::SCENARIOS,
        power::SCENARIOS,
        peers::SCENARIOS,
        trust::SCENARIOS,
        limits::SCENARIOS,
        process::SCENARIOS,
        clock::SCENARIOS,
        door::SCENARIOS,
        controls::SCENARIOS,
    ];
    let mut trials = judging::trials();
    trials.extend(scenarios.into_iter().flatten().map(Scenario::trial));
    let conclusion = libtest_mimic::run(&arguments, trials);
    matrix::write();
    conclusion.exit();
}
