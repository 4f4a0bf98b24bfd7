//! Secrets that are known by their place in a command line.

use std::ops::Range;

use super::shapes::{is_reference, is_secret_name};

/// A word of a command line: where it stands without its quotes, and what it says.
struct Word<'t> {
    range: Range<usize>,
    text: &'t str,
}

/// Programs whose short flag takes a password, as the next word or joined.
const SHORT: &[(&[&str], &str, bool)] = &[
    // (programs, flag, joined only)
    (
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mariadb",
            "mariadb-dump",
        ],
        "-p",
        true,
    ),
    (&["sshpass"], "-p", false),
    (
        &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
        ],
        "-p",
        false,
    ),
    (&["redis-cli", "valkey-cli"], "-a", false),
    (
        &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldappasswd",
            "ldapwhoami",
        ],
        "-w",
        false,
    ),
    (
        &["sqlcmd", "bcp", "isql", "zip", "unzip", "tsql"],
        "-P",
        false,
    ),
    (&["7z", "7za", "7zr", "rar", "unrar"], "-p", true),
    (&["openssl"], "-k", false),
    (&["openssl"], "-K", false),
    (&["ansible-vault", "snmpwalk", "snmpget"], "-A", false),
    (&["snmpwalk", "snmpget", "snmpset"], "-c", false),
    (&["wpa_passphrase"], "-p", false),
];

/// Programs with a `login` subcommand that takes `-p`.
const LOGINS: &[&str] = &[
    "docker", "podman", "nerdctl", "helm", "skopeo", "buildah", "az", "oras", "crane", "cf", "oc",
];

/// Flags with one dash and a long name that take a password.
const LONG_SINGLE: &[&str] = &[
    "-storepass",
    "-keypass",
    "-srcstorepass",
    "-deststorepass",
    "-password",
    "-passwd",
    "-pass",
    "-passin",
    "-passout",
    "-token",
    "-secret",
    "-hashes",
];

/// Adds the ranges of secrets by place. The text may be any value; one without such places has none.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    find_within(text, 0, found, 0);
}

/// A quoted word may be a command line of its own: `sh -c "..."`.
fn find_within(text: &str, depth: u32, found: &mut Vec<Range<usize>>, offset: usize) {
    let words = words(text);
    let before = found.len();
    for word in words
        .iter()
        .filter(|word| depth < 3 && word.text.contains(' '))
    {
        find_within(word.text, depth + 1, found, word.range.start);
    }
    for (start, end) in commands(&words) {
        let Some(command) = words.get(start..end) else {
            continue;
        };
        in_command(command, found);
    }
    for range in found.iter_mut().skip(before) {
        *range = range.start + offset..range.end + offset;
    }
}

fn in_command(words: &[Word<'_>], found: &mut Vec<Range<usize>>) {
    let program = words.iter().find(|word| !is_prefix(word.text));
    let mut program = program.map_or("", |word| base(word.text));
    let login = LOGINS.contains(&program) && words.iter().any(|word| word.text == "login");
    let secret = program == "kubectl"
        && words
            .iter()
            .any(|word| word.text == "secret" || word.text == "secrets");
    for (at, word) in words.iter().enumerate() {
        // `command=mysql -pSECRET` in the middle of a message.
        if let Some((_, named)) = word.text.rsplit_once('=')
            && is_known(base(named))
        {
            program = base(named);
        }
        let next = words.get(at + 1).filter(|next| !next.text.starts_with('-'));
        // `--password x`, `--password=x`, `--extra-vars 'password=x'` (as an assignment).
        if let Some(flag) = word.text.strip_prefix("--") {
            match flag.split_once('=') {
                Some((name, value)) if is_secret_flag(name) => {
                    push(found, word, word.text.len() - value.len(), value);
                }
                Some(("from-literal", pair)) if secret => {
                    let value = pair.split_once('=').map_or("", |(_, value)| value);
                    push(found, word, word.text.len() - value.len(), value);
                }
                None if is_secret_flag(flag) => whole(found, next),
                None if flag == "from-literal" && secret => {
                    let value = next
                        .and_then(|next| next.text.split_once('='))
                        .map_or("", |(_, value)| value);
                    if let Some(next) = next {
                        push(found, next, next.text.len() - value.len(), value);
                    }
                }
                None if matches!(flag, "user" | "proxy-user")
                    && matches!(program, "curl" | "wget") =>
                {
                    after(found, next, ':');
                }
                _ => {}
            }
        } else if LONG_SINGLE.contains(&word.text) {
            match next {
                Some(next) if next.text.starts_with("pass:") => {
                    push(found, next, 5, next.text.get(5..).unwrap_or_default());
                }
                Some(next) if next.text.contains(':') && program == "openssl" => {}
                next => whole(found, next),
            }
        }
        for (programs, flag, joined_only) in SHORT {
            if !programs.contains(&program) {
                continue;
            }
            match word.text.strip_prefix(flag) {
                Some("") if !joined_only => whole(found, next),
                Some(value) if !value.is_empty() && !word.text.starts_with("--") => {
                    push(found, word, flag.len(), value);
                }
                _ => {}
            }
        }
        if login && word.text == "-p" {
            whole(found, next);
        }
        match (program, word.text) {
            ("curl" | "wget" | "http" | "xh", "-u" | "-U" | "-a") => after(found, next, ':'),
            ("smbclient" | "rpcclient" | "smbmap" | "net" | "smbget", "-U") => {
                after(found, next, '%');
            }
            ("aws", name)
                if words.iter().any(|word| word.text == "configure") && is_secret_name(name) =>
            {
                whole(found, next);
            }
            ("vault", "login") => whole(found, next),
            _ => {}
        }
    }
    // `htpasswd -b file user PASSWORD`.
    let batch = words.iter().any(|word| {
        word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('b')
    });
    if program == "htpasswd" && batch && words.len() >= 4 {
        whole(found, words.last());
    }
}

fn is_secret_flag(name: &str) -> bool {
    let known = matches!(
        name,
        "pass" | "pw" | "pwd" | "requirepass" | "masterauth" | "otp"
    );
    known || is_secret_name(name)
}

fn whole(found: &mut Vec<Range<usize>>, word: Option<&Word<'_>>) {
    if let Some(word) = word {
        push(found, word, 0, word.text);
    }
}

/// What follows the separator: `user:PASSWORD`.
fn after(found: &mut Vec<Range<usize>>, word: Option<&Word<'_>>, separator: char) {
    let Some(word) = word else { return };
    if let Some((_, value)) = word.text.split_once(separator) {
        push(found, word, word.text.len() - value.len(), value);
    }
}

/// Adds what stands from `offset` in a word.
fn push(found: &mut Vec<Range<usize>>, word: &Word<'_>, offset: usize, value: &str) {
    let value = value.trim_matches(['"', '\'']);
    if value.is_empty() || is_reference(value) {
        return;
    }
    let start = word.range.start + offset;
    let inside = word
        .text
        .get(offset..)
        .and_then(|rest| rest.find(value))
        .unwrap_or(0);
    found.push(start + inside..start + inside + value.len());
}

fn is_known(program: &str) -> bool {
    SHORT
        .iter()
        .any(|(programs, ..)| programs.contains(&program))
        || matches!(
            program,
            "curl" | "wget" | "smbclient" | "htpasswd" | "openssl"
        )
}

fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Words that stand before the program: `sudo`, `env`, assignments.
fn is_prefix(word: &str) -> bool {
    let assignment = word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    assignment
        || matches!(
            base(word),
            "sudo" | "env" | "nohup" | "time" | "exec" | "doas" | "timeout" | "nice"
        )
}

/// Where one command ends and the next begins: `a; b && c | d`, `sh -c "..."`.
fn commands(words: &[Word<'_>]) -> Vec<(usize, usize)> {
    let mut commands = Vec::new();
    let mut start = 0;
    for (at, word) in words.iter().enumerate() {
        if matches!(word.text, ";" | "|" | "||" | "&&" | "&") {
            commands.push((start, at));
            start = at + 1;
        } else if matches!(word.text, "-c" | "-lc" | "-ec") && at > 0 && at + 1 < words.len() {
            commands.push((start, at + 1));
            start = at + 1;
        }
    }
    commands.push((start, words.len()));
    commands
}

/// The words of a text, quotes taken off where they enclose a whole word or the value after `=`.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'')
                && start.is_none_or(|start| {
                    text.get(start..at)
                        .is_some_and(|before| before.ends_with(['=', ':']))
                }) =>
            {
                quote = Some(c);
                start.get_or_insert(at);
            }
            None if c.is_whitespace() => {
                if let Some(start) = start.take() {
                    add(&mut words, text, start, at);
                }
            }
            None => {
                start.get_or_insert(at);
            }
        }
    }
    if let Some(start) = start {
        add(&mut words, text, start, text.len());
    }
    words
}

fn add<'t>(words: &mut Vec<Word<'t>>, text: &'t str, start: usize, end: usize) {
    let Some(mut word) = text.get(start..end) else {
        return;
    };
    let mut range = start..end;
    let quote = word.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote
        && word.len() >= 2
        && let Some(inner) = word
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    {
        word = inner;
        range = start + 1..end - 1;
    }
    // `cmd;` ends a command as ` ; ` does.
    if let Some(before) = word.strip_suffix(';').filter(|before| !before.is_empty()) {
        words.push(Word {
            range: range.start..range.end - 1,
            text: before,
        });
        words.push(Word {
            range: range.end - 1..range.end,
            text: ";",
        });
        return;
    }
    words.push(Word { range, text: word });
}
