//! Secrets that are known by their own form, wherever they stand.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Forms with the secret in the first group.
const SHAPES: &[&str] = &[
    // A private key: everything between the lines, or to the end of a cut value.
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----((?s).+?)(?:-----END|$)",
    // JSON Web Tokens.
    r"\b(eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*)",
    // GitHub, GitLab.
    r"\b((?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas)-[A-Za-z0-9_-]{16,}))",
    // Slack, Discord.
    r"\b(xox[abeoprs](?:\.[a-z]+)?-[A-Za-z0-9-]{8,}|xapp-[0-9]-[A-Za-z0-9-]{8,})",
    r"hooks\.slack\.com/(?:services|triggers|workflows)/[A-Za-z0-9]+/[A-Za-z0-9]+/([A-Za-z0-9]+)",
    r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/([A-Za-z0-9_-]+)",
    // Cloud and services.
    r"\b(AIza[0-9A-Za-z_-]{35})",
    r"\b(ya29\.[0-9A-Za-z_-]{20,})",
    r"\b(?:[rs]k_(?:live|test)_([0-9A-Za-z]{16,}))",
    r"\b(sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,})",
    r"\b(SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})",
    r"\b(npm_[A-Za-z0-9]{30,}|pypi-AgE[A-Za-z0-9_-]{20,}|dop_v1_[a-f0-9]{40,}|hv[sbr]\.[A-Za-z0-9_-]{20,}|dckr_pat_[A-Za-z0-9_-]{20,})",
    r"\b(?:bot)?\d{8,10}:(AA[A-Za-z0-9_-]{33})",
    r"(?i)AccountKey=([A-Za-z0-9+/=]{40,})",
    // Credentials in a URL: the password, or a lone long token.
    r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:"'<>]*:([^\s@"'<>]+)@"#,
    r"\b[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9_.~-]{20,})@",
    // A secret as a parameter of a URL.
    r#"(?i)[?&](?:access_token|refresh_token|id_token|token|api_?key|apikey|key|secret|client_secret|password|passwd|pwd|sig|signature|auth|code|x-amz-signature|x-amz-credential|x-amz-security-token)=([^&\s"'#<>]+)"#,
    // Headers.
    r#"(?i)\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token|digest|apikey|negotiate|genie ?key)\s+([^\s"']+)"#,
    r#"(?i)\b(?:x-api-key|x-auth-token|x-vault-token|private-token|x-access-token|x-amz-security-token|api-key|x-gitlab-token)["']?\s*[:=]\s*["']?([^\s"']+)"#,
    r#"(?i)\b(?:set-)?cookie:\s*[^=\s]+=([^;"'\s]+)"#,
];

static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let compile = |shape: &&str| Regex::new(shape).expect("a test compiles every shape");
    SHAPES.iter().map(compile).collect()
});

/// Assignments whose name says that the value is a secret: `PGPASSWORD=x`, `"api_key": "x"`.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?P<name> [A-Za-z_][A-Za-z0-9_.-]* ) ["']? \s? [=:] \s?
        (?: "(?P<double>(?:[^"\\]|\\.)+)" | '(?P<single>[^']+)' | (?P<bare>[^\s"';|&,)}\]]+) )"#,
    )
    .expect("a test compiles it")
});

/// Adds the ranges of secrets that are known by their form.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    for shape in COMPILED.iter() {
        for captures in shape.captures_iter(text) {
            found.extend(captures.get(1).map(|found| found.range()));
        }
    }
    for captures in ASSIGNMENT.captures_iter(text) {
        let name = captures.name("name").map_or("", |name| name.as_str());
        if !is_secret_name(name) {
            continue;
        }
        let value = ["double", "single", "bare"]
            .iter()
            .find_map(|group| captures.name(group));
        let Some(value) = value else { continue };
        // `key: value` in prose is no assignment, nor is `name:/path`.
        let separated_by_colon = text
            .get(..value.start())
            .is_some_and(|before| before.trim_end_matches(['"', '\'', ' ']).ends_with(':'));
        let quoted = captures.name("bare").is_none();
        let word = value.as_str();
        let is_prose = word.chars().all(char::is_alphabetic) || word.contains('/');
        if separated_by_colon && !quoted && is_prose {
            continue;
        }
        if !is_reference(value.as_str()) {
            found.push(value.range());
        }
    }
}

/// Ends of names of places, which are no secrets.
const PLACES: [&str; 16] = [
    "_file",
    "_path",
    "_env",
    "_name",
    "_dir",
    "_url",
    "_uri",
    "_id",
    "_ref",
    "_type",
    "_ttl",
    "secretname",
    "_expires",
    "_expiry",
    "_length",
    "_policy",
];

/// Words in names of secrets.
const WORDS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "private_key",
    "secret_key",
    "auth_key",
    "credential",
    "storepass",
    "keypass",
    "pgpass",
    "encryption_key",
];

/// Whether a flag's or variable's name says that its value is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace(['-', '.'], "_");
    // The name of a place is no secret: `PASSWORD_FILE`, `token_env`, `secretName`.
    if PLACES.iter().any(|place| lower.ends_with(place)) && !lower.ends_with("_secret_id") {
        return false;
    }
    if WORDS.iter().any(|word| lower.contains(word)) {
        return true;
    }
    let last = lower.rsplit('_').next().unwrap_or(&lower);
    matches!(last, "pass" | "pwd" | "auth" | "pw" | "sas" | "dsn") && lower.len() > 2
}

/// A variable or a substitution is not the secret itself.
pub(super) fn is_reference(value: &str) -> bool {
    value.starts_with(['$', '`', '<', '%'])
        || value.starts_with("{{")
        || value == "true"
        || value == "false"
}
