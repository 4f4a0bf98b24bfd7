//! The table of facts: one row for each question that the event answers.

use super::action;
use super::place::Place;
use super::{Origin, View, api, health};
use crate::incident::FieldSpread;
use crate::report::Before;
use crate::report::humanize::{files, flags, network, network::Connection, people, times};
use crate::report::phrase::{Phrase, list};
use crate::store::{Despite, Hidden, SilenceName};

/// The rows that have something to say, in the order in which they are asked.
pub(super) fn rows(view: &View<'_>, place: &Place) -> Vec<(&'static str, Phrase)> {
    let mut rows = match view.origin() {
        Origin::Internal => health::rows(view),
        Origin::Kubernetes | Origin::Cloud => api::rows(view),
        Origin::Syscall => process_rows(view, place),
    };
    rows.push(("Varies", varies(view)));
    rows.push(("Before", before(view)));
    rows.push(("History", history(view)));
    rows.push(("Not said", not_said(view)));
    rows.push(("Silence", despite(view)));
    rows.push(("Related", related(view)));
    rows.retain(|(_, text)| !text.is_empty());
    rows
}

/// The values that differ among the alerts of the incident, the most frequent first.
fn varies(view: &View<'_>) -> Phrase {
    const SHOWN: usize = 5;
    let field = |spread: &FieldSpread| {
        let top = spread.top();
        let rest = top.iter().skip(SHOWN).map(|(_, count)| count).sum::<u64>() + spread.others;
        let shown = top.iter().take(SHOWN);
        let shown =
            shown.map(|(value, count)| Phrase::of_value(*value).words(format!(" {count} times")));
        let more = (rest > 0).then(|| Phrase::of(format!("others {rest} times")));
        Phrase::of_value(spread.field.as_str())
            .words(": ")
            .then(list(shown.chain(more), ", "))
    };
    list(view.subject.incident.spread.varying().map(field), "; ")
}

/// What else happened at the same workload, whoever was told of it.
fn before(view: &View<'_>) -> Phrase {
    const SHOWN: usize = 6;
    let before = &view.subject.nearby.before;
    let rule = |before: &Before| {
        let times = match before.count {
            1 => String::new(),
            count => format!(", {count} times"),
        };
        Phrase::of_value(before.rule.raw()).words(format!(" ({}{times})", before.severity))
    };
    let more = before.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| Phrase::of(format!("{more} other rules")));
    let told = list(before.iter().take(SHOWN).map(rule).chain(more), ", ");
    if told.is_empty() {
        return told;
    }
    Phrase::of("same workload, in the 15 minutes before: ").then(told)
}

/// How many alerts were kept from being said when they came, and by what.
fn not_said(view: &View<'_>) -> Phrase {
    let hidden = |hidden: &Hidden| {
        let count = format!("{} of {}", hidden.events, view.subject.incident.count);
        match &hidden.silence {
            Some(silence) => Phrase::of(format!("{count}, hidden by ")).then(silence_name(silence)),
            None if hidden.fate == "muted" => {
                Phrase::of(format!("{count}, which came while the route was muted"))
            }
            None => Phrase::of(format!("{count}, inhibited by another alert")),
        }
    };
    list(view.subject.nearby.hidden.iter().map(hidden), "; ")
}

/// Why it is said although a silence covers it.
fn despite(view: &View<'_>) -> Phrase {
    let despite = |despite: &Despite| {
        let what = match despite.what.as_str() {
            "rule" => "the rule ",
            "workload" => "the workload ",
            _ => "the severity ",
        };
        Phrase::of(what)
            .value(despite.value.raw())
            .words(" is new under ")
            .then(silence_name(&despite.silence))
    };
    list(view.subject.nearby.despite.iter().map(despite), "; ")
}

fn silence_name(silence: &SilenceName) -> Phrase {
    Phrase::of(format!("silence {} (", silence.id.0))
        .name(silence.by.raw())
        .words(": ")
        .value(silence.comment.raw())
        .words(format!(", until {})", times::moment(silence.ends)))
}

/// Whether the rule is new for the image.
fn history(view: &View<'_>) -> Phrase {
    let Some((count, since)) = view.subject.nearby.history else {
        return Phrase::new();
    };
    let since = since.strftime("%Y-%m-%d");
    Phrase::of(match count {
        0 => {
            format!("this rule never fired for this image before, as far as is known since {since}")
        }
        1 => format!("this rule fired for this image once before, since {since}"),
        count => format!("this rule fired for this image {count} times before, since {since}"),
    })
}

fn process_rows(view: &View<'_>, place: &Place) -> Vec<(&'static str, Phrase)> {
    vec![
        ("Event", event(view)),
        ("Process", process(view)),
        ("Ancestry", ancestry(view)),
        ("User", people::user(view.fields)),
        (
            "Capabilities",
            view.text("thread.cap_effective")
                .or_else(|| view.text("thread.cap_permitted"))
                .and_then(|text| flags::capabilities(&text))
                .unwrap_or_default(),
        ),
        ("File", file(view)),
        ("Network", network(view)),
        ("Container", container(view, place)),
        ("Kubernetes", kubernetes(view, place)),
    ]
}

fn event(view: &View<'_>) -> Phrase {
    let call = view.value("evt.type");
    let flags = view
        .text("evt.arg.flags")
        .map(|text| flags::flags(&text))
        .unwrap_or_default();
    let mode = ["evt.arg.mode", "evt.arg.permissions"]
        .iter()
        .find_map(|field| flags::mode(&view.text(field)?));
    let signal = view.value("evt.arg.sig");
    call.join(": ", flags)
        .join(", mode ", mode.unwrap_or_default())
        .join(", signal ", signal)
}

fn process(view: &View<'_>) -> Phrase {
    let name = view.text("proc.name");
    let path = view.text("proc.exepath").or_else(|| view.text("proc.exe"));
    let base = path.as_deref().and_then(|path| path.rsplit('/').next());
    // The kernel cuts names at 15 bytes; the path has the whole.
    let cut = name.as_deref().is_some_and(|name| {
        name.len() == 15 && base.is_some_and(|base| base.len() > 15 && base.starts_with(name))
    });
    let mut said = name.clone().map(Phrase::of_value).unwrap_or_default();
    if cut {
        said = said.words(" (cut at 15 bytes by the kernel)");
    }
    if let Some(path) = path.filter(|path| Some(path) != name.as_ref()) {
        said = said.join(", program ", Phrase::of_value(path));
    }
    let command = view
        .text("proc.cmdline")
        .filter(|command| Some(command.trim()) != name.as_deref());
    let pid = view
        .fields
        .get("proc.pid")
        .and_then(crate::event::Value::as_i64);
    said.join(
        ", command ",
        command.map(Phrase::of_value).unwrap_or_default(),
    )
    .join(", in ", view.value("proc.cwd"))
    .join(
        ", pid ",
        pid.map(|pid| Phrase::of(pid.to_string()))
            .unwrap_or_default(),
    )
}

fn ancestry(view: &View<'_>) -> Phrase {
    let ancestors = (2..=7)
        .rev()
        .map(|level| view.value(&format!("proc.aname[{level}]")));
    let chain: Vec<_> = ancestors
        .chain([view.value("proc.pname")])
        .filter(|name| !name.is_empty())
        .collect();
    let parent_command = match (view.text("proc.pcmdline"), view.text("proc.pname")) {
        (Some(command), parent) if parent.as_deref() != Some(command.trim()) => {
            Phrase::of_value(command)
        }
        _ => Phrase::new(),
    };
    let chain = if chain.is_empty() {
        Phrase::new()
    } else {
        let chain = chain
            .into_iter()
            .fold(Phrase::new(), |all, name| all.join(" → ", name));
        chain.join(" → ", view.value("proc.name"))
    };
    if chain.is_empty() && !parent_command.is_empty() {
        return Phrase::of("parent's command ").then(parent_command);
    }
    chain.join("; parent's command ", parent_command)
}

fn file(view: &View<'_>) -> Phrase {
    let path = action::file(view);
    let what = path
        .as_deref()
        .and_then(files::what)
        .map(Phrase::of)
        .unwrap_or_default();
    let raw = view
        .text("fd.nameraw")
        .filter(|raw| Some(raw) != path.as_ref());
    let linked = [
        ("link ", "evt.arg.linkpath"),
        ("link ", "evt.arg.newpath"),
        ("target ", "evt.arg.target"),
        ("target ", "evt.arg.oldpath"),
    ];
    let links = linked.iter().map(|(word, field)| {
        let value = view.text(field)?;
        let what = files::what(&value)
            .map(|what| format!(" ({what})"))
            .unwrap_or_default();
        Some(Phrase::of(*word).value(value).words(what))
    });
    let path = path.map(Phrase::of_value).unwrap_or_default();
    let said = path.join(", ", what).join(
        ", asked for as ",
        raw.map(Phrase::of_value).unwrap_or_default(),
    );
    said.join(", ", list(links.flatten(), ", "))
        .join("; ", program_times(view))
}

/// When the program's file was written, against the time it ran.
fn program_times(view: &View<'_>) -> Phrase {
    let time = |field: &str| view.fields.get(field).and_then(crate::event::Value::as_i64);
    let event = view.event.time;
    let changed = time("proc.exe_ino.ctime").and_then(|time| times::from_epoch(time, event));
    let said = changed.map(|changed| {
        let age = times::between(changed, event);
        let order = if age < 0 { "after" } else { "before" };
        Phrase::of(format!(
            "the program's file changed {} ({} {order} the event)",
            times::moment(changed),
            times::duration(age)
        ))
    });
    let odd = time("proc.exe_ino.mtime").filter(|mtime| times::from_epoch(*mtime, event).is_none());
    let odd = odd.map(|_| {
        Phrase::of("its modification time is outside any plausible range and was ignored")
    });
    said.unwrap_or_default().join("; ", odd.unwrap_or_default())
}

fn network(view: &View<'_>) -> Phrase {
    let name = view.text("fd.name");
    let protocol = view.text("fd.l4proto");
    if let Some(connection) = name.as_deref().and_then(Connection::parse) {
        return connection.phrase(protocol.as_deref());
    }
    let port = ["fd.sport", "fd.rport", "fd.lport"]
        .iter()
        .find_map(|field| {
            let port = u16::try_from(view.fields.get(field)?.as_i64()?).ok()?;
            let label = match *field {
                "fd.sport" => "server port",
                "fd.rport" => "remote port",
                _ => "local port",
            };
            let known = network::port(port)
                .map(|known| format!(" ({known})"))
                .unwrap_or_default();
            Some(Phrase::of(format!("{label} {port}{known}")))
        });
    let address = ["fd.sip", "fd.rip"]
        .iter()
        .map(|field| view.value(field))
        .find(|value| !value.is_empty());
    let address = address
        .map(|ip| Phrase::of("address ").then(ip))
        .unwrap_or_default();
    address.join(", ", port.unwrap_or_default())
}

/// What the head does not say: privileges, mounts, age.
fn container(view: &View<'_>, place: &Place) -> Phrase {
    if place.on_host {
        return Phrase::new();
    }
    let privileged = match view.text("container.privileged").as_deref() {
        Some("true") => Phrase::of("privileged: nearly the rights of root on the host"),
        Some("false") => Phrase::of("not privileged"),
        _ => Phrase::new(),
    };
    let started = view
        .fields
        .get("container.start_ts")
        .and_then(crate::event::Value::as_i64);
    let started = started
        .and_then(|time| times::from_epoch(time, view.event.time))
        .map(|start| {
            let age = times::between(start, view.event.time);
            let order = if age < 0 { "after" } else { "before" };
            Phrase::of(format!(
                "started {}, {} {order} the event",
                times::moment(start),
                times::duration(age)
            ))
        });
    privileged
        .join(", ", started.unwrap_or_default())
        .join(", mounts ", view.value("container.mounts"))
}

fn kubernetes(view: &View<'_>, place: &Place) -> Phrase {
    let named =
        view.fields.get("k8s.pod.name").is_some() || view.fields.get("k8s.ns.name").is_some();
    if named || place.on_host || view.fields.get("container.id").is_none() {
        return Phrase::new();
    }
    Phrase::of(
        "no pod or namespace in the event: not a Kubernetes container, or the sensor had no metadata",
    )
}

/// What else the incident holds.
fn related(view: &View<'_>) -> Phrase {
    let subject = view.subject;
    if subject.incident.count <= 1 || subject.first.id == subject.latest.id {
        return Phrase::new();
    }
    let command = |alert: &crate::classify::Alert| {
        alert
            .event
            .output_fields
            .text("proc.cmdline")
            .map(std::borrow::Cow::into_owned)
    };
    let first =
        command(subject.first).filter(|first| Some(first) != command(subject.latest).as_ref());
    let first = first
        .map(|first| Phrase::of("; the first had the command ").value(first))
        .unwrap_or_default();
    Phrase::of(format!(
        "this is the latest of {} alerts",
        subject.incident.count
    ))
    .then(first)
}
