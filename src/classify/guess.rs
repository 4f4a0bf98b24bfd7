//! The category of a rule that the catalogue does not know.
//!
//! From the surest sign to the weakest: the source, the prefix of its fields, MITRE tags, words of
//! the rule's name.

use super::{Category, mitre};
use crate::event::Event;

/// How much of a rule's name is looked at, in characters.
const NAME_LIMIT: usize = 200;

/// The likely category of an event.
pub(super) fn category(event: &Event, tactics: &[String], techniques: &[String]) -> Category {
    by_source(event.source.raw())
        .or_else(|| by_fields(event))
        .or_else(|| by_attack(tactics.iter().map(String::as_str), techniques))
        .or_else(|| {
            let bare = event
                .tags
                .iter()
                .filter_map(|tag| mitre::tactic_name(tag.raw()));
            by_attack(bare, &[])
        })
        .or_else(|| by_words(event.rule.raw()))
        .unwrap_or(Category::Other)
}

fn by_source(source: &str) -> Option<Category> {
    match source {
        "k8s_audit" => Some(Category::K8sControlPlane),
        "aws_cloudtrail" | "okta" | "github" | "gcp_auditlog" | "auditlogs" => {
            Some(Category::CloudSaasControlPlane)
        }
        _ => None,
    }
}

fn by_fields(event: &Event) -> Option<Category> {
    event.output_fields.iter().find_map(|(name, _)| {
        match name.raw().split_once('.').map(|(prefix, _)| prefix)? {
            "ka" => Some(Category::K8sControlPlane),
            "ct" | "okta" | "github" | "gcp" => Some(Category::CloudSaasControlPlane),
            _ => None,
        }
    })
}

/// The most telling of several tactics. Falco sorts tags, so their order says nothing; most rules
/// are tagged with `execution` whatever they look for, so it comes last.
fn by_attack<'a>(
    tactics: impl Iterator<Item = &'a str>,
    techniques: &[String],
) -> Option<Category> {
    if techniques.iter().any(|technique| technique == "T1496") {
        return Some(Category::CryptoMining);
    }
    tactics
        .filter_map(rank)
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, category)| category)
}

fn rank(tactic: &str) -> Option<(u8, Category)> {
    Some(match tactic {
        "credential_access" => (0, Category::CredentialAccess),
        "privilege_escalation" => (1, Category::PrivilegeEscalation),
        "persistence" => (2, Category::Persistence),
        "defense_evasion" => (3, Category::DefenseEvasion),
        "exfiltration" | "collection" | "impact" => (4, Category::DataExfilImpact),
        "command_and_control" | "lateral_movement" => (5, Category::NetworkC2),
        "discovery" | "reconnaissance" => (6, Category::Reconnaissance),
        "execution" | "initial_access" => (7, Category::ShellExecution),
        _ => return None,
    })
}

/// The first category that one of the words points to.
fn by_words(rule: &str) -> Option<Category> {
    let name: String = rule
        .chars()
        .take(NAME_LIMIT)
        .collect::<String>()
        .to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let points = |stem: &&str| words.iter().any(|word| word.starts_with(*stem));
    WORDS
        .iter()
        .find(|(_, stems)| stems.iter().any(points))
        .map(|(c, _)| *c)
}

/// Beginnings of words, the more telling categories first: a "reverse shell connection" is a shell,
/// and a "miner connection" a miner.
const WORDS: [(Category, &[&str]); 10] = [
    (
        Category::CryptoMining,
        &[
            "miner",
            "mining",
            "cryptomin",
            "stratum",
            "xmrig",
            "coinhive",
        ],
    ),
    (
        Category::CredentialAccess,
        &[
            "credential",
            "password",
            "secret",
            "shadow",
            "token",
            "metadata",
            "sensitive",
            "keys",
        ],
    ),
    (
        Category::ShellExecution,
        &["shell", "bash", "webshell", "rce"],
    ),
    (
        Category::PrivilegeEscalation,
        &[
            "privilege",
            "escape",
            "escal",
            "setuid",
            "sudo",
            "namespace",
            "root",
            "capabilit",
        ],
    ),
    (
        Category::Persistence,
        &[
            "cron",
            "persist",
            "module",
            "startup",
            "authorized",
            "backdoor",
        ],
    ),
    (
        Category::DefenseEvasion,
        &[
            "history", "memfd", "fileless", "ptrace", "hidden", "log", "logs", "evasion", "tamper",
        ],
    ),
    (
        Category::ContainerDrift,
        &[
            "drift",
            "package",
            "binary",
            "binaries",
            "write",
            "executable",
        ],
    ),
    (
        Category::DataExfilImpact,
        &["exfil", "bulk", "wipe", "ransom", "destr", "encrypt"],
    ),
    (
        Category::Reconnaissance,
        &["recon", "discover", "scan", "enumerat", "nmap", "probing"],
    ),
    (
        Category::NetworkC2,
        &[
            "network", "connect", "outbound", "inbound", "ssh", "socket", "netcat", "tunnel",
            "proxy", "dns", "traffic", "c2",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_name_point_to_a_category() {
        for (rule, expected) in [
            (
                "Detect Shell Spawn in Container (T1059)",
                Some(Category::ShellExecution),
            ),
            (
                "Reverse Shell Network Connection",
                Some(Category::ShellExecution),
            ),
            (
                "elasticsearch_unexpected_network_inbound",
                Some(Category::NetworkC2),
            ),
            (
                "Kubernetes Service Account Token Read",
                Some(Category::CredentialAccess),
            ),
            (
                "Package Manager Executed in Container",
                Some(Category::ContainerDrift),
            ),
            ("XMRig found", Some(Category::CryptoMining)),
            ("open_from_cat", None),
            ("Logistics", Some(Category::DefenseEvasion)),
            ("", None),
            ("日本語", None),
        ] {
            assert_eq!(by_words(rule), expected, "{rule}");
        }
    }

    #[test]
    fn the_more_telling_tactic_wins_whatever_its_place() {
        let tactics = ["command_and_control", "execution"];
        assert_eq!(
            by_attack(tactics.into_iter(), &[]),
            Some(Category::NetworkC2)
        );
        let techniques = ["T1496".to_owned()];
        assert_eq!(
            by_attack(tactics.into_iter(), &techniques),
            Some(Category::CryptoMining)
        );
    }
}
