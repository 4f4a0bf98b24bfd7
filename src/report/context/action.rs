//! What happened, in one sentence.

use super::place::{self, Place};
use super::{Origin, View, api, health};
use crate::report::humanize::{files, flags, network::Connection, people};
use crate::report::phrase::Phrase;

/// The sentence, with a full stop.
pub(super) fn sentence(view: &View<'_>, place: &Place) -> Phrase {
    let said = match view.origin() {
        Origin::Internal => return health::sentence(view),
        Origin::Kubernetes => api::kubernetes_sentence(view),
        Origin::Cloud => api::cloud_sentence(view),
        Origin::Syscall => process_sentence(view, place),
    };
    match (said.is_empty(), view.message()) {
        (false, _) => said.words("."),
        (true, Some(message)) => Phrase::of("Falco reports: ").value(message).words("."),
        (true, None) => Phrase::of("The rule ")
            .value(view.event.rule.raw())
            .words(" fired; the event holds no details."),
    }
}

/// Whether the event names a process.
pub(super) fn has_process(view: &View<'_>) -> bool {
    ["proc.name", "proc.exepath", "proc.cmdline"]
        .iter()
        .any(|field| view.fields.get(field).is_some())
}

/// The file that the event is about, if any.
pub(super) fn file(view: &View<'_>) -> Option<String> {
    let is_file = |name: &String| name.starts_with('/') || name.starts_with("memfd:");
    [
        "fd.name",
        "fs.path.name",
        "evt.arg.path",
        "evt.arg.name",
        "evt.arg.pathname",
    ]
    .iter()
    .find_map(|field| view.text(field).filter(is_file))
}

fn process_sentence(view: &View<'_>, place: &Place) -> Phrase {
    if !has_process(view) {
        return Phrase::new();
    }
    let deed = deed(view);
    let actor = match (
        view.text("proc.name").or_else(|| place::program(view)),
        view.text("proc.cmdline"),
    ) {
        (Some(name), _) => Phrase::of_value(name),
        // The command stands for the process, unless it is what is told about it.
        (None, Some(command)) if !deed.raw().contains(&command) => Phrase::of_value(command),
        (None, _) => Phrase::of("A process"),
    };
    let user = people::name(view.fields);
    let user = if user.is_empty() {
        user
    } else {
        Phrase::of(", as ").then(user).words(",")
    };
    actor
        .then(user)
        .words(" ")
        .then(deed)
        .join(" ", place.short.clone())
        .then(failure(view))
}

/// A failed call changes nothing, and the reader should know at once.
fn failure(view: &View<'_>) -> Phrase {
    let result = view
        .text("evt.res")
        .and_then(|result| flags::failure(&result));
    result
        .map(|why| Phrase::of("; the call failed: ").then(why))
        .unwrap_or_default()
}

fn deed(view: &View<'_>) -> Phrase {
    let file = file(view).map(named_file);
    let target = |text: &'static str| file.clone().map(|file| Phrase::of(text).then(file));
    let argument = |field: &str| view.value(field);
    let call = view.text("evt.type").unwrap_or_default();
    let said = match call.as_str() {
        "execve" | "execveat" => None,
        "open" | "openat" | "openat2" | "creat" => file.clone().map(|file| opened(view, file)),
        "unlink" | "unlinkat" => target("deleted "),
        "rename" | "renameat" | "renameat2" => target("renamed "),
        "chmod" | "fchmod" | "fchmodat" => target("changed the mode of "),
        "symlink" | "symlinkat" => Some(
            Phrase::of("created the symbolic link ")
                .then(argument("evt.arg.linkpath"))
                .words(" to ")
                .then(argument("evt.arg.target")),
        ),
        "link" | "linkat" => Some(
            Phrase::of("created the hard link ")
                .then(argument("evt.arg.newpath"))
                .words(" to ")
                .then(argument("evt.arg.oldpath")),
        ),
        "connect" | "sendto" | "sendmsg" => {
            connection(view).map(|to| Phrase::of("connected from ").then(to))
        }
        "accept" | "accept4" | "listen" => {
            connection(view).map(|from| Phrase::of("accepted a connection from ").then(from))
        }
        "dup" | "dup2" | "dup3" => connection(view)
            .map(|to| Phrase::of("tied its input or output to the connection from ").then(to)),
        "socket" => Some(Phrase::of("created a socket").join(": ", argument("evt.args"))),
        "ptrace" => Some(
            Phrase::of("called ")
                .value("ptrace")
                .words(", which controls another process"),
        ),
        "setns" => Some(
            Phrase::of("entered another namespace (")
                .value("setns")
                .words(")"),
        ),
        "unshare" => Some(
            Phrase::of("left its namespaces (")
                .value("unshare")
                .words(")"),
        ),
        "setuid" | "setresuid" => {
            Some(Phrase::of("changed its user").join(" to ", argument("evt.arg.uid")))
        }
        "init_module" | "finit_module" => {
            Some(Phrase::of("loaded a kernel module").join(": ", argument("proc.args")))
        }
        "mount" => Some(Phrase::of("mounted a file system")),
        "" => file
            .clone()
            .map(|file| opened(view, file))
            .or_else(|| connection(view).map(|to| Phrase::of("had a connection from ").then(to))),
        other => target("acted on ").or_else(|| Some(Phrase::of("called ").value(other))),
    };
    let command = view
        .text("proc.cmdline")
        .filter(|command| Some(command.trim()) != view.text("proc.name").as_deref());
    said.unwrap_or_else(|| match command {
        Some(command) => Phrase::of("ran ").value(command),
        None => Phrase::of("was started"),
    })
}

fn named_file(path: String) -> Phrase {
    let what = files::what(&path);
    let phrase = Phrase::of_value(path);
    match what {
        Some(what) => phrase.words(format!(" ({what})")),
        None => phrase,
    }
}

/// How a file was opened: by its flags, or by what the rule watches.
fn opened(view: &View<'_>, file: Phrase) -> Phrase {
    let flags = view.text("evt.arg.flags").unwrap_or_default();
    let has = |flag| flags::has(&flags, flag);
    let message = view.message().unwrap_or_default().to_lowercase();
    let rule = view.event.rule.raw().to_lowercase();
    let watched = |words: &str, start: &str| message.contains(words) || rule.starts_with(start);
    if has("O_F_CREATED") {
        return Phrase::of("created ").then(file);
    }
    let opened = Phrase::of("opened ").then(file);
    if has("O_WRONLY") || has("O_RDWR") || has("O_TRUNC") {
        opened.words(" for writing")
    } else if has("O_RDONLY") || watched("for reading", "read ") {
        opened.words(" for reading")
    } else if watched("for writing", "write ") {
        opened.words(" for writing")
    } else {
        opened
    }
}

fn connection(view: &View<'_>) -> Option<Phrase> {
    let connection = Connection::parse(&view.text("fd.name")?)?;
    Some(
        Phrase::of_value(connection.client.ip.to_string())
            .words(" to ")
            .value(connection.server.ip.to_string())
            .words(format!(" port {}", connection.server.port)),
    )
}
