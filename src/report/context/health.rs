//! Falco's own events: what was lost, and where the bottleneck is.

use super::View;
use crate::report::phrase::{Phrase, list};

fn number(view: &View<'_>, field: &str) -> Option<i64> {
    view.fields.get(field).and_then(crate::event::Value::as_i64)
}

fn percent(part: i64, whole: i64) -> Option<String> {
    if part <= 0 || whole <= 0 {
        return None;
    }
    // In tenths of a percent, without floating point.
    let tenths = i128::from(part) * 1000 / i128::from(whole);
    Some(if tenths == 0 {
        "under 0.1 %".to_owned()
    } else {
        format!("{}.{} %", tenths / 10, tenths % 10)
    })
}

/// What Falco says about itself.
pub(super) fn sentence(view: &View<'_>) -> Phrase {
    let rule = view.event.rule.raw();
    if let Some(drops) = number(view, "n_drops") {
        let of = number(view, "n_evts").map(|total| {
            let share = percent(drops, total)
                .map(|share| format!(" ({share})"))
                .unwrap_or_default();
            format!(" of {total}{share}")
        });
        return Phrase::of(format!(
            "Falco lost {drops}{} system calls in one second: what happened in them raised no alert.",
            of.unwrap_or_default()
        ));
    }
    if rule.contains("timeouts") {
        return Phrase::of(
            "Falco waited a long time without receiving one event from the kernel: it may see nothing at all.",
        );
    }
    if rule.contains("metrics") {
        let lost = number(view, "scap.n_drops").unwrap_or(0);
        let queue = number(view, "falco.outputs_queue_num_drops").unwrap_or(0);
        let verdict = match (lost, queue) {
            (0, 0) => "nothing was lost so far".to_owned(),
            (lost, 0) => format!("{lost} system calls were lost since the start"),
            (0, queue) => format!("{queue} alerts were lost in the outputs queue since the start"),
            (lost, queue) => {
                format!("{lost} system calls and {queue} alerts were lost since the start")
            }
        };
        return Phrase::of(format!("Falco's regular report about itself: {verdict}."));
    }
    match view.message() {
        Some(message) => Phrase::of("Falco says about itself: ")
            .value(message)
            .words("."),
        None => Phrase::of("Falco reports a state of its own without details."),
    }
}

/// Whether the event says that the sensor missed something or may be blind.
pub(super) fn is_loss(view: &View<'_>) -> bool {
    let counters = ["n_drops", "scap.n_drops", "falco.outputs_queue_num_drops"];
    let counted = counters
        .iter()
        .any(|field| number(view, field).is_some_and(|count| count > 0));
    counted
        || ["timeouts", "drop", "failure"]
            .iter()
            .any(|word| view.event.rule.raw().contains(word))
}

const CAUSES: [(&str, &str); 11] = [
    ("n_drops_buffer_total", "the kernel's buffer was full"),
    (
        "n_drops_buffer_clone_fork_exit",
        "process starts (clone, fork)",
    ),
    ("n_drops_buffer_execve_exit", "program starts (execve)"),
    ("n_drops_buffer_connect_exit", "connections"),
    ("n_drops_buffer_open_exit", "file opens"),
    ("n_drops_buffer_dir_file_exit", "directory and file changes"),
    (
        "n_drops_buffer_other_interest_exit",
        "other calls that rules need",
    ),
    ("n_drops_buffer_close_exit", "closes"),
    ("n_drops_buffer_proc_exit", "process ends"),
    ("n_drops_page_faults", "page faults"),
    ("n_drops_bug", "errors inside the driver"),
];

/// The rows of the table of facts.
pub(super) fn rows(view: &View<'_>) -> Vec<(&'static str, Phrase)> {
    let counted = CAUSES.iter().filter_map(|(field, meaning)| {
        let count = number(view, field).filter(|count| *count > 0)?;
        Some(Phrase::of(format!("{meaning}: {count}")))
    });
    let said = |label: &'static str, field: &str, unit: &'static str| {
        let value = view
            .text(field)
            .map(|text| Phrase::of_value(text).words(unit))
            .unwrap_or_default();
        (label, value)
    };
    let uptime = number(view, "falco.duration_sec").filter(|seconds| *seconds > 0);
    vec![
        ("Lost in", list(counted, ", ")),
        said("Last event", "last_event_time", ""),
        said("Falco", "falco.version", ""),
        said("Engine", "scap.engine_name", ""),
        said("Kernel", "falco.kernel_release", ""),
        (
            "Running for",
            uptime
                .map(|seconds| {
                    Phrase::of(crate::report::humanize::times::duration(
                        i128::from(seconds) * 1_000_000_000,
                    ))
                })
                .unwrap_or_default(),
        ),
        said("Load", "falco.evts_rate_sec", " events a second"),
        said("Memory", "falco.memory_rss_mb", " MB"),
        said("Alerts so far", "falco.rules.matches_total", ""),
        said("Limit", "max_file_size_mb", " MB"),
    ]
}
