//! What follows from the facts, what does not, and what a reader must know about the event itself.

use super::place::Place;
use super::{Origin, View};
use crate::markup::visible::is_plain;
use crate::report::humanize::{files, flags, people, times};
use crate::report::phrase::Phrase;

/// Inferences, gaps and warnings.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) inferred: Vec<Phrase>,
    pub(super) unknown: Vec<Phrase>,
    pub(super) notes: Vec<Phrase>,
    pub(super) test_tool: bool,
}

impl Judgement {
    pub(super) fn of(view: &View<'_>, place: &Place) -> Self {
        let mut judgement = Self {
            test_tool: is_test_tool(view),
            ..Self::default()
        };
        judgement.notes = notes(view, judgement.test_tool);
        if view.origin() == Origin::Syscall {
            judgement.inferred = inferred(view);
            judgement.unknown = unknown(view, place);
        } else if view.origin() == Origin::Kubernetes {
            if view.fields.get("ka.response.code").is_none()
                && view.fields.get("ka.auth.decision").is_none()
            {
                judgement.unknown.push(Phrase::of(
                    "whether it took effect: the event does not hold the server's answer",
                ));
            }
            judgement.unknown.push(Phrase::of(
                "who holds the credentials of this user; what the same user did before and after",
            ));
        } else if view.origin() == Origin::Cloud {
            judgement.unknown.push(Phrase::of(
                "whether the person behind the account knows of it; what else the session did",
            ));
        }
        judgement
    }
}

/// Programs by which a runtime starts the processes of a container.
const RUNTIME_PARENTS: [&str; 6] = [
    "containerd-shim",
    "runc",
    "conmon",
    "crun",
    "docker-containerd-shim",
    "runc:[1:CHILD]",
];
/// Programs that authenticate users and read the password files for it.
const LOGIN_PROGRAMS: [&str; 11] = [
    "sshd",
    "login",
    "su",
    "sudo",
    "cron",
    "gdm-session-wor",
    "unix_chkpwd",
    "systemd-logind",
    "polkitd",
    "chage",
    "passwd",
];

fn inferred(view: &View<'_>) -> Vec<Phrase> {
    let mut said = Vec::new();
    let name = view.text("proc.name");
    let parent = view.text("proc.pname");
    let path = view.text("proc.exepath");
    let flags = view.text("evt.arg.flags").unwrap_or_default();
    if path.as_deref() == Some("memfd:runc") {
        said.push(Phrase::of("runc runs itself from memory whenever it starts a container, so this is usually harmless"));
    } else if flags::has(&flags, "EXE_FROM_MEMFD")
        || path
            .as_deref()
            .is_some_and(|path| path.starts_with("memfd:"))
    {
        said.push(Phrase::of("a program that never touches the disk is hidden from scanners; few legitimate tools do it"));
    }
    if let Some(parent) = parent.filter(|parent| RUNTIME_PARENTS.contains(&parent.as_str())) {
        said.push(Phrase::of("the parent ").value(parent).words(
            " is the container runtime, which means docker exec, kubectl exec or the container's own start command, not a process already inside",
        ));
    }
    if people::pseudo_terminal(view.fields).is_some() {
        said.push(Phrase::of(
            "a terminal was attached, so a person was most likely typing",
        ));
    }
    if let Some(uid) = people::login(view.fields).filter(|uid| *uid != 0)
        && view
            .fields
            .get("user.uid")
            .and_then(crate::event::Value::as_i64)
            == Some(0)
    {
        said.push(Phrase::of(format!(
            "someone logged in as uid {uid} and then became root"
        )));
    }
    let sensitive = view
        .text("fd.name")
        .as_deref()
        .and_then(files::what)
        .is_some();
    if let Some(name) = name.filter(|name| sensitive && LOGIN_PROGRAMS.contains(&name.as_str())) {
        said.push(Phrase::of_value(name).words(
            " authenticates users or runs jobs for them, and reads such files in its normal work",
        ));
    }
    let event = view.event.time;
    let started = view
        .fields
        .get("container.start_ts")
        .and_then(crate::event::Value::as_i64);
    if let Some(start) = started.and_then(|time| times::from_epoch(time, event)) {
        let age = times::between(start, event);
        if (0..60_000_000_000).contains(&age) {
            said.push(Phrase::of("so soon after the container's start, its entry point or a set-up step is the likely origin"));
        }
    }
    if let Some(program) = view
        .text("proc.pexe")
        .filter(|program| files::is_temporary(program))
    {
        said.push(
            Phrase::of("the parent was started as ")
                .value(program)
                .words(", which is no place for an installed program"),
        );
    }
    said
}

fn unknown(view: &View<'_>, place: &Place) -> Vec<Phrase> {
    let mut said = Vec::new();
    if place.pod.is_some() || view.fields.get("k8s.pod.name").is_some() {
        said.push(Phrase::of("which Kubernetes user caused it: system calls do not tell, the API server's audit log does"));
    } else if !place.on_host
        && view.fields.get("container.id").is_some()
        && people::login(view.fields).is_none()
    {
        said.push(Phrase::of("who asked the runtime for it"));
    }
    if view.fields.get("container.id").is_some()
        && !place.on_host
        && view.fields.get("container.image.repository").is_none()
    {
        said.push(Phrase::of("the image: the event does not name it"));
    }
    if view.fields.get("user.name").is_none() && view.fields.get("user.uid").is_none() {
        said.push(Phrase::of("the user: the event does not name one"));
    }
    if view.fields.get("proc.pname").is_none()
        && view.fields.get("proc.aname[2]").is_none()
        && super::action::has_process(view)
    {
        said.push(Phrase::of("which process started it"));
    }
    said.push(Phrase::of(
        "what happened before and after: one alert shows one moment",
    ));
    said
}

/// Marks of falcosecurity/event-generator: its process names, paths, image and helper arguments.
fn is_test_tool(view: &View<'_>) -> bool {
    let marks = [
        "event-generator",
        "falco-event-gen",
        "^helper.",
        "^syscall.",
        "helper.DoNothing",
    ];
    let fields = [
        "proc.name",
        "proc.pname",
        "proc.exepath",
        "proc.pexe",
        "proc.cmdline",
        "proc.pcmdline",
        "fd.name",
        "proc.aname[2]",
        "proc.aname[3]",
        "proc.aname[4]",
        "container.image.repository",
        "evt.arg.linkpath",
        "evt.arg.newpath",
    ];
    fields
        .iter()
        .filter_map(|field| view.fields.text(field))
        .any(|text| marks.iter().any(|mark| text.contains(mark)))
}

fn notes(view: &View<'_>, test_tool: bool) -> Vec<Phrase> {
    let mut notes = Vec::new();
    if view.alert.nature == crate::classify::Nature::Test {
        notes.push(Phrase::of(
            "This is a self-test of the alert path. Nothing happened; no action is needed.",
        ));
    } else if test_tool {
        notes.push(Phrase::of(
            "The event carries the marks of the test tool falcosecurity/event-generator. Confirm that a test was planned; names can be imitated, so the severity stays.",
        ));
    }
    if let Some(lost) = view.subject.nearby.lost {
        notes.push(Phrase::of(format!(
            "The sensor lost system calls near this event ({}): other alerts may be missing, and silence proves nothing.",
            times::moment(lost)
        )));
    }
    let gap = times::between(view.event.time, view.alert.received);
    if !(-60_000_000_000..3_600_000_000_000).contains(&gap) {
        let order = if gap < 0 { "after" } else { "before" };
        notes.push(Phrase::of(format!(
            "The event's own time is {} {order} it was received: a delayed delivery, or a clock that is wrong.",
            times::duration(gap)
        )));
    }
    let hidden = view
        .fields
        .iter()
        .any(|(name, value)| !is_plain(name.raw()) || !is_plain(&value.to_text()));
    if hidden {
        notes.push(Phrase::of("Some values hold line breaks, or characters that cannot be seen or that reorder text. They are shown as their code point in braces."));
    }
    if view
        .fields
        .iter()
        .any(|(_, value)| value.to_text().ends_with("[...]"))
    {
        notes.push(
            Phrase::of("Falcosidekick shortened some values of this event to fit; they end in ")
                .value("[...]")
                .words("."),
        );
    }
    notes
}
