//! MITRE ATT&CK names in the tags of a rule.
//!
//! Tags are free text of whoever sends the event, so only known tactics and well-formed technique
//! numbers are taken, and not many.

use super::Entry;
use crate::event::Untrusted;

/// The enterprise tactics, by number and name.
const TACTICS: [(&str, &str); 14] = [
    ("TA0043", "reconnaissance"),
    ("TA0042", "resource_development"),
    ("TA0001", "initial_access"),
    ("TA0002", "execution"),
    ("TA0003", "persistence"),
    ("TA0004", "privilege_escalation"),
    ("TA0005", "defense_evasion"),
    ("TA0006", "credential_access"),
    ("TA0007", "discovery"),
    ("TA0008", "lateral_movement"),
    ("TA0009", "collection"),
    ("TA0011", "command_and_control"),
    ("TA0010", "exfiltration"),
    ("TA0040", "impact"),
];

/// How many techniques an alert keeps; the official rules name two at most.
const MAX_TECHNIQUES: usize = 16;

/// Tactics and techniques of an alert: the catalogue's first, then those of the event's tags.
pub(super) fn attack(entry: Option<&Entry>, tags: &[Untrusted]) -> (Vec<String>, Vec<String>) {
    let (mut tactics, mut techniques) = match entry {
        Some(entry) => (entry.tactics.clone(), entry.techniques.clone()),
        None => (Vec::new(), Vec::new()),
    };
    for tag in tags {
        if let Some(tactic) = tactic(tag.raw()) {
            push_new(&mut tactics, tactic);
        } else if let Some(technique) = technique(tag.raw())
            && techniques.len() < MAX_TECHNIQUES
        {
            push_new(&mut techniques, technique);
        }
    }
    (tactics, techniques)
}

fn push_new(list: &mut Vec<String>, item: &str) {
    if !list.iter().any(|known| known == item) {
        list.push(item.to_owned());
    }
}

/// The tactic that a tag names: `mitre_execution`, `TA0002` or `TA0002-execution`.
pub(super) fn tactic(tag: &str) -> Option<&'static str> {
    if let Some(name) = tag.strip_prefix("mitre_") {
        // One official rule writes a technique in the form of a tactic.
        return if name == "data_destruction" {
            Some("impact")
        } else {
            tactic_name(name)
        };
    }
    let number = before_dash(tag);
    TACTICS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// The tactic with this name.
pub(super) fn tactic_name(name: &str) -> Option<&'static str> {
    TACTICS
        .iter()
        .map(|(_, known)| *known)
        .find(|known| *known == name)
}

/// The technique that a tag names: `T1059`, `T1059.004` or `T1485-data-destruction`.
fn technique(tag: &str) -> Option<&str> {
    let number = before_dash(tag);
    let digits = number.strip_prefix('T')?;
    let (main, sub) = digits
        .split_once('.')
        .map_or((digits, None), |(m, s)| (m, Some(s)));
    let is_digits = |s: &str, len| s.len() == len && s.bytes().all(|b| b.is_ascii_digit());
    (is_digits(main, 4) && sub.is_none_or(|sub| is_digits(sub, 3))).then_some(number)
}

fn before_dash(tag: &str) -> &str {
    tag.split_once('-').map_or(tag, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_tactics_and_techniques_in_several_forms() {
        let tags = [
            "container",
            "mitre_execution",
            "TA0005-defense-evasion",
            "TA0011",
            "T1059.004",
            "T1485-data-destruction",
            "T1059.004",
            "mitre_fun",
            "mitre_data_destruction",
        ];
        let (tactics, techniques) = attack(None, &tags.map(Untrusted::from));
        assert_eq!(
            tactics,
            [
                "execution",
                "defense_evasion",
                "command_and_control",
                "impact"
            ]
        );
        assert_eq!(techniques, ["T1059.004", "T1485"]);
    }

    #[test]
    fn malformed_numbers_are_no_techniques() {
        for tag in [
            "T", "T105", "T10599", "T1059.4", "T1059.", "t1059", "TA9999", "T105é", "-",
        ] {
            assert_eq!(technique(tag), None, "{tag}");
            assert_eq!(tactic(tag), None, "{tag}");
        }
    }

    #[test]
    fn many_tags_stay_few_techniques() {
        let tags: Vec<_> = (0..9999)
            .map(|n| Untrusted::new(format!("T{n:04}")))
            .collect();
        assert_eq!(attack(None, &tags).1.len(), MAX_TECHNIQUES);
    }
}
