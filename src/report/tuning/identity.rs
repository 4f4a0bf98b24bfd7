//! What stays the same when the same thing happens again.

use crate::falco;
use crate::markup::visible::is_plain;
use crate::report::context::{View, is_label};
use crate::report::humanize::files;

/// Fields with their values, the widest first.
pub(super) type Identity = Vec<(&'static str, String)>;

/// A field whose value Falco takes and a person can read.
fn stable(view: &View<'_>, field: &'static str) -> Option<(&'static str, String)> {
    let value = view.text(field)?;
    let fits = falco::quoted(&value).is_some() && is_plain(&value) && !value.trim().is_empty();
    (fits && !files::is_temporary(&value)).then_some((field, value))
}

/// Image, namespace, program, parent and file of a process.
pub(super) fn of_process(view: &View<'_>) -> Result<Identity, &'static str> {
    let program = stable(view, "proc.exepath").or_else(|| {
        // A program in a temporary place has no identity under any name.
        let hidden = view.text("proc.exepath").is_some();
        if hidden {
            None
        } else {
            stable(view, "proc.name")
        }
    });
    let file = stable(view, "fd.name").filter(|(_, name)| name.starts_with('/'));
    let namespace = stable(view, "k8s.ns.name").filter(|(_, name)| is_label(name));
    // What a general tool does is in its command line, not in its path.
    let is_tool = program
        .as_ref()
        .is_some_and(|(_, program)| is_general_tool(program));
    let command = stable(view, "proc.cmdline").filter(|_| is_tool);
    let fields = [
        stable(view, "container.image.repository"),
        namespace,
        program,
        command,
        stable(view, "proc.pname"),
        file,
    ];
    let identity: Identity = fields.into_iter().flatten().collect();
    let any = |fields: &[&str]| identity.iter().any(|(field, _)| fields.contains(field));
    // On a host nothing narrows a tool that everybody uses.
    if is_tool && !any(&["container.image.repository"]) {
        return Err(
            "No safe change can be proposed: the program is a general tool, so an exception for it would also hide an intruder who uses it. Give the job that does this a program of its own.",
        );
    }
    // Without the program or the file it would silence everything that one image or parent does.
    let narrow = any(&["proc.exepath", "proc.name", "fd.name"]);
    let anchored = any(&["container.image.repository", "proc.exepath"]);
    if identity.len() >= 2 && anchored && narrow {
        Ok(identity)
    } else {
        Err(
            "No safe change can be proposed: too little in the event stays the same from run to run. It needs the image or the program's path, and a program or file outside temporary places.",
        )
    }
}

/// Shells, interpreters and everyday tools: their path says nothing about who runs them.
fn is_general_tool(program: &str) -> bool {
    const TOOLS: [&str; 44] = [
        "ash", "awk", "base64", "bash", "busybox", "cat", "chmod", "chown", "cp", "curl", "dash",
        "dd", "env", "find", "grep", "head", "less", "ln", "more", "mv", "nano", "nc", "ncat",
        "node", "od", "perl", "php", "rsync", "ruby", "scp", "sed", "sh", "socat", "ssh", "su",
        "sudo", "tail", "tar", "tee", "vi", "vim", "wget", "xxd", "zsh",
    ];
    let base = program.rsplit('/').next().unwrap_or(program);
    TOOLS.contains(&base) || base.starts_with("python")
}

/// User and object of a request to the Kubernetes API.
pub(super) fn of_request(view: &View<'_>) -> Result<Identity, &'static str> {
    let Some(user) = stable(view, "ka.user.name") else {
        return Err("No change is proposed: the event names no user to key it on.");
    };
    if user.1 == "system:anonymous" {
        return Err(
            "No change is proposed: an exception for the anonymous user would cover everybody without credentials.",
        );
    }
    let object = [
        stable(view, "ka.target.resource"),
        stable(view, "ka.target.namespace"),
        // Names with a random part, such as those of pods, differ from run to run.
        stable(view, "ka.target.name").filter(|(_, name)| !has_random_part(name)),
    ];
    let object: Identity = object.into_iter().flatten().collect();
    if object.is_empty() {
        return Err(
            "No change is proposed: keyed on the user alone it would silence whatever that user does.",
        );
    }
    Ok(std::iter::once(user).chain(object).collect())
}

/// Account and object of a call to a cloud or a service.
pub(super) fn of_account(view: &View<'_>) -> Result<Identity, &'static str> {
    let first = |fields: &[&'static str]| fields.iter().find_map(|field| stable(view, field));
    let actor = first(&[
        "ct.user.arn",
        "ct.user",
        "gcp.user",
        "okta.actor.name",
        "github.user",
    ]);
    let Some(actor) = actor else {
        return Err("No change is proposed: the event names no account to key it on.");
    };
    let object = first(&[
        "s3.bucket",
        "ct.request.functionname",
        "ct.request.groupname",
        "ct.request.username",
        "ct.request.cluster",
        "ct.request.name",
        "gcp.storage.bucket",
        "gcp.cloudsql.databaseId",
        "gcp.cloudfunctions.function",
        "github.repo.name",
        "okta.target.user.name",
        "okta.target.app.alternateid",
        "gcp.projectId",
    ]);
    let Some(object) = object else {
        return Err(
            "No change is proposed: keyed on the account alone it would silence whatever that account does, also in the hands of somebody else.",
        );
    };
    Ok(vec![actor, object])
}

/// Whether a name ends as generated ones do: `web-6c8f9d7b5-x2x7k`.
fn has_random_part(name: &str) -> bool {
    name.rsplit('-').next().is_some_and(|last| {
        last.len() >= 5
            && last.chars().any(|c| c.is_ascii_digit())
            && last
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

/// Whether the field holds a list, which only `in` compares.
pub(super) fn is_list(field: &str) -> bool {
    field.starts_with("ka.req.")
}

/// The field in words, to come before its value.
pub(super) fn label(field: &str) -> &'static str {
    match field {
        "container.image.repository" => "the image is ",
        "k8s.ns.name" | "ka.target.namespace" => "the namespace is ",
        "proc.exepath" => "the program is ",
        "proc.name" => "the process is called ",
        "proc.cmdline" => "the command is ",
        "proc.pname" => "its parent is ",
        "ka.user.name" | "ct.user" | "gcp.user" | "github.user" | "okta.actor.name" => {
            "the user is "
        }
        "ct.user.arn" => "the identity is ",
        "ka.target.resource" => "the resource is ",
        "s3.bucket" | "gcp.storage.bucket" => "the bucket is ",
        "gcp.projectId" => "the project is ",
        "github.repo.name" => "the repository is ",
        "fd.name" => "the file is ",
        _ => "the object is ",
    }
}
