//! Falco's command line.

use super::{Fault, config};

/// What follows a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// A value after `=` only.
    Optional,
}

use Takes::{Nothing, Optional, Value};

/// Every flag of Falco 0.44 that is not deprecated.
const FLAGS: [(&str, Takes); 31] = [
    ("-h", Nothing),
    ("--help", Nothing),
    ("-c", Value),
    ("--config-schema", Nothing),
    ("--rule-schema", Nothing),
    ("--disable-source", Value),
    ("--dry-run", Nothing),
    ("--enable-source", Value),
    ("-i", Nothing),
    ("-L", Nothing),
    ("-l", Value),
    ("--list", Optional),
    ("--list-events", Nothing),
    ("--list-plugins", Nothing),
    ("-M", Value),
    ("--format", Value),
    ("-N", Nothing),
    ("-o", Value),
    ("--option", Value),
    ("--plugin-info", Value),
    ("-P", Value),
    ("--pidfile", Value),
    ("-r", Value),
    ("--support", Nothing),
    ("-U", Nothing),
    ("--unbuffered", Nothing),
    ("-V", Value),
    ("--validate", Value),
    ("-v", Nothing),
    ("--version", Nothing),
    ("--page-size", Nothing),
];

/// What to write instead of a flag that does not exist, or not any more.
const INSTEAD: [(&str, &str); 16] = [
    ("--alert-only", "`-o priority=critical`"),
    ("--log-format", "`-o json_output=true`"),
    ("--log_format", "`-o json_output=true`"),
    ("--event_logger", "`-o json_output=true`"),
    ("--log-level", "`-o log_level=debug`"),
    (
        "--log-file",
        "`-o file_output.enabled=true -o file_output.filename=FILE`",
    ),
    ("--config", "`-c FILE`"),
    ("--rules", "`-r FILE`"),
    ("-f", "`-r FILE`"),
    ("-p", "`append_output` in falco.yaml"),
    ("--print", "`append_output` in falco.yaml"),
    ("--markdown", "`--format markdown`"),
    ("-A", "`base_syscalls.all` in falco.yaml"),
    ("-e", "`-o engine.kind=replay`"),
    ("-D", "`rules` in falco.yaml"),
    ("-s", "`metrics` in falco.yaml"),
];

/// What is wrong with a command line that begins with `falco`. Empty when all is well.
pub fn check_command(line: &str) -> Vec<Fault> {
    let words = words(line);
    let mut faults = Vec::new();
    let mut words = words.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        if word == "#" || word.starts_with('#') {
            break;
        }
        if !word.starts_with('-') {
            faults.push(Fault::new(word, "Falco takes no such argument"));
            continue;
        }
        let (flag, joined) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word.as_str(), None),
        };
        let Some((_, takes)) = FLAGS.iter().find(|(name, _)| *name == flag) else {
            let instead = INSTEAD.iter().find(|(name, _)| *name == flag);
            let what = match instead {
                Some((_, instead)) => format!("Falco has no such flag; use {instead}"),
                None => "Falco has no such flag".to_owned(),
            };
            faults.push(Fault::new(flag, what));
            // Its value, most likely.
            words.next_if(|next| !next.starts_with('-'));
            continue;
        };
        let value = match takes {
            Nothing | Optional => joined,
            Value => joined.or_else(|| {
                words
                    .next_if(|next| !next.starts_with('-'))
                    .map(String::as_str)
            }),
        };
        if let Err(what) = check_value(flag, *takes, value) {
            faults.push(Fault::new(flag, what));
        }
    }
    faults
}

fn check_value(flag: &str, takes: Takes, value: Option<&str>) -> Result<(), String> {
    let value = match (takes, value) {
        (Value, None) => return Err("it needs a value".to_owned()),
        (Nothing, Some(_)) => return Err("it takes no value".to_owned()),
        (_, None) => return Ok(()),
        (_, Some(value)) => value,
    };
    match flag {
        "-o" | "--option" => {
            let (key, given) = value.split_once('=').ok_or("it takes key=value")?;
            let fits = match config::type_of(key)? {
                "boolean" => matches!(given, "true" | "false"),
                "integer" => given.parse::<i64>().is_ok(),
                "number" => given.parse::<f64>().is_ok(),
                _ => true,
            };
            if fits {
                Ok(())
            } else {
                Err(format!("`{given}` does not fit `{key}`"))
            }
        }
        "-c" if value.contains("rules") => {
            Err("it takes the main configuration, falco.yaml; rules are given with `-r`".to_owned())
        }
        "-r" | "-V" | "-c"
            if value.ends_with("falco.conf") || value.ends_with("falco.rules.yaml") =>
        {
            let there =
                "/etc/falco has falco.yaml, falco_rules.yaml, falco_rules.local.yaml and rules.d";
            Err(format!("there is no such file by default; {there}"))
        }
        "-V" | "--validate" if value.contains(',') => Err("give it once for each file".to_owned()),
        "-r" | "-V" | "--validate"
            if !(value.starts_with(['$', '"']) || is_yaml(value) || value.ends_with("rules.d")) =>
        {
            Err("it takes a .yaml or .yml file".to_owned())
        }
        "--format" if !matches!(value, "text" | "markdown" | "json") => {
            Err("it takes text, markdown or json".to_owned())
        }
        _ => Ok(()),
    }
}

fn is_yaml(path: &str) -> bool {
    let extension = std::path::Path::new(path).extension();
    extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The words of a line, with quotes undone.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
