//! Flags, modes, results and capabilities of system calls.

use crate::report::phrase::{Phrase, list};

/// What the flags of `execve` and `open` say, for those that matter in triage.
/// Names: libs, `driver/ppm_flag_helpers.h` and `userspace/libscap/flags_table.c`.
const FLAGS: [(&str, &str); 13] = [
    (
        "EXE_UPPER_LAYER",
        "the program lies in the container's writable layer, so it is not from the image",
    ),
    ("EXE_LOWER_LAYER", "the program is part of the image"),
    (
        "EXE_FROM_MEMFD",
        "the program exists only in memory, not on disk",
    ),
    ("EXE_WRITABLE", "the user who ran it may write to it"),
    ("O_F_CREATED", "the call created the file"),
    ("O_TRUNC", "emptied on opening"),
    ("O_APPEND", "for appending"),
    ("O_RDWR", "for reading and writing"),
    ("O_WRONLY", "for writing"),
    ("O_RDONLY", "for reading"),
    ("O_TMPFILE", "a file without a name"),
    (
        "FD_UPPER_LAYER",
        "the file lies in the container's writable layer",
    ),
    ("FD_LOWER_LAYER", "the file is part of the image"),
];

/// The flags that say something, each with its meaning.
pub(in crate::report) fn flags(text: &str) -> Phrase {
    let set: Vec<&str> = text.split('|').map(str::trim).collect();
    let known = FLAGS.iter().filter(|(name, _)| set.contains(name));
    list(
        known.map(|(name, meaning)| Phrase::of(*meaning).words(" (").value(*name).words(")")),
        ", ",
    )
}

/// Whether a flag is set in Falco's `A|B` notation.
pub(in crate::report) fn has(text: &str, flag: &str) -> bool {
    text.split('|').any(|name| name.trim() == flag)
}

/// Capabilities that lead from a container to its host, or undo its isolation.
const DANGEROUS: [(&str, &str); 9] = [
    ("CAP_SYS_ADMIN", "mounts and most administration"),
    ("CAP_SYS_MODULE", "loads kernel modules"),
    ("CAP_SYS_PTRACE", "controls other processes"),
    ("CAP_SYS_RAWIO", "raw device access"),
    ("CAP_DAC_READ_SEARCH", "reads any file"),
    ("CAP_NET_ADMIN", "changes the network"),
    ("CAP_NET_RAW", "raw packets"),
    ("CAP_SYS_BOOT", "reboots"),
    ("CAP_BPF", "loads BPF programs"),
];

/// The dangerous ones among the capabilities, and how many there are in all.
pub(in crate::report) fn capabilities(text: &str) -> Option<Phrase> {
    let set: Vec<&str> = text
        .split_whitespace()
        .filter(|name| name.starts_with("CAP_"))
        .collect();
    if set.is_empty() {
        return None;
    }
    let known = DANGEROUS.iter().filter(|(name, _)| set.contains(name));
    let notable = list(
        known.map(|(name, meaning)| Phrase::of_value(*name).words(format!(" ({meaning})"))),
        ", ",
    );
    let total = Phrase::of(format!("{} in effect", set.len()));
    Some(total.join(", among them ", notable))
}

/// A mode in octal with what is unusual about it: set-user-id, set-group-id, writable by all.
pub(in crate::report) fn mode(text: &str) -> Option<Phrase> {
    // Falco prints `S_ISUID|S_IRUSR...` or octal digits.
    let names = text.contains("S_I");
    let bits = if names {
        0
    } else {
        u32::from_str_radix(text.trim_start_matches("0o"), 8).ok()?
    };
    let unusual = [
        ("S_ISUID", 0o4000, "runs as its owner (set-user-id)"),
        ("S_ISGID", 0o2000, "runs as its group (set-group-id)"),
        ("S_IWOTH", 0o002, "writable by everyone"),
    ];
    let said = unusual.iter().filter(|(name, bit, _)| {
        if names {
            has(text, name)
        } else {
            bits & bit != 0
        }
    });
    let meaning = list(said.map(|(_, _, meaning)| Phrase::of(*meaning)), ", ");
    Some(Phrase::of_value(text).join(", ", meaning))
}

/// Why a call failed, for the errors that occur in alerts; `None` when it did not fail.
pub(in crate::report) fn failure(result: &str) -> Option<Phrase> {
    let meaning = match result {
        // A connection under way is no failure.
        "SUCCESS" | "EINPROGRESS" => return None,
        "EACCES" => "permission denied",
        "EPERM" => "operation not permitted",
        "ENOENT" => "no such file",
        "EEXIST" => "it exists already",
        "ENOEXEC" => "not an executable format",
        "ECONNREFUSED" => "connection refused",
        _ if result.starts_with('E')
            && result
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) =>
        {
            ""
        }
        _ => return None,
    };
    let code = Phrase::of_value(result);
    Some(if meaning.is_empty() {
        code
    } else {
        Phrase::of(meaning).words(" (").then(code).words(")")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_explained_in_the_order_of_their_weight() {
        assert_eq!(
            flags("EXE_WRITABLE|EXE_UPPER_LAYER").prose(),
            "the program lies in the container's writable layer, so it is not from the image (`EXE_UPPER_LAYER`), the user who ran it may write to it (`EXE_WRITABLE`)"
        );
        assert!(flags("O_LARGEFILE").is_empty());
        assert!(!has("O_RDWRX", "O_RDWR"));
    }

    #[test]
    fn dangerous_capabilities_are_named() {
        let text = capabilities("CAP_CHOWN CAP_SYS_ADMIN").unwrap().prose();
        assert_eq!(
            text,
            "2 in effect, among them `CAP_SYS_ADMIN` (mounts and most administration)"
        );
        assert_eq!(capabilities("0"), None);
    }

    #[test]
    fn modes_show_what_is_unusual() {
        assert_eq!(
            mode("4755").unwrap().prose(),
            "`4755`, runs as its owner (set-user-id)"
        );
        assert_eq!(
            mode("S_ISUID|S_IXUSR").unwrap().prose(),
            "`S_ISUID|S_IXUSR`, runs as its owner (set-user-id)"
        );
        assert_eq!(mode("0644").unwrap().prose(), "`0644`");
        assert_eq!(mode("rwx"), None);
    }

    #[test]
    fn only_errors_are_failures() {
        assert_eq!(failure("SUCCESS"), None);
        assert_eq!(failure("3"), None);
        assert_eq!(
            failure("EACCES").unwrap().prose(),
            "permission denied (`EACCES`)"
        );
    }
}
