//! What the rule's tags say: MITRE ATT&CK and compliance controls.

use crate::classify::Alert;
use crate::event::Event;
use crate::report::phrase::{Phrase, list};

/// Tactics with their numbers, then techniques.
pub(super) fn mitre(alert: &Alert) -> Phrase {
    // Tags are free text; only what has the form of an ATT&CK name or number is one.
    let is_id = |text: &str| {
        let digits = text.strip_prefix("TA").or_else(|| text.strip_prefix('T'));
        digits.is_some_and(|digits| {
            digits.len() <= 8 && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
    };
    let is_name = |text: &str| {
        text.len() <= 40
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || "_-".contains(c))
    };
    let id_of = |tactic: &str| {
        TACTICS
            .iter()
            .find(|(name, _)| *name == tactic)
            .map(|(_, id)| *id)
    };
    let names: Vec<_> = alert
        .tactics
        .iter()
        .map(|tactic| tactic.trim_start_matches("mitre_"))
        .filter(|name| is_name(name))
        .collect();
    let tactics = names.iter().map(|tactic| {
        let words = Phrase::new().name(tactic.replace(['_', '-'], " "));
        match id_of(tactic) {
            Some(id) => words.words(format!(" ({id})")),
            None => words,
        }
    });
    let said = |technique: &str| names.iter().any(|name| id_of(name) == Some(technique));
    let techniques = alert
        .techniques
        .iter()
        .filter(|technique| is_id(technique) && !said(technique));
    list(
        tactics.chain(techniques.map(|technique| Phrase::new().name(technique.as_str()))),
        ", ",
    )
}

/// MITRE ATT&CK's enterprise tactics.
const TACTICS: [(&str, &str); 14] = [
    ("reconnaissance", "TA0043"),
    ("resource_development", "TA0042"),
    ("initial_access", "TA0001"),
    ("execution", "TA0002"),
    ("persistence", "TA0003"),
    ("privilege_escalation", "TA0004"),
    ("defense_evasion", "TA0005"),
    ("credential_access", "TA0006"),
    ("discovery", "TA0007"),
    ("lateral_movement", "TA0008"),
    ("collection", "TA0009"),
    ("command_and_control", "TA0011"),
    ("exfiltration", "TA0010"),
    ("impact", "TA0040"),
];

/// The compliance controls that the rule's tags name.
pub(super) fn compliance(event: &Event) -> Phrase {
    let standards = [
        "PCI_DSS_",
        "NIST_800-53_",
        "NIST_",
        "CIS_",
        "SOC2_",
        "GDPR_",
        "HIPAA_",
    ];
    let is_standard =
        |tag: &str| tag.len() <= 40 && standards.iter().any(|name| tag.starts_with(name));
    let known = event.tags.iter().filter(|tag| is_standard(tag.raw()));
    list(
        known.map(|tag| Phrase::new().name(tag.raw().replace('_', " "))),
        ", ",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::sample;

    #[test]
    fn only_what_looks_like_attack_is_named() {
        let mut alert = sample("drift");
        assert_eq!(mitre(&alert).prose(), "persistence (TA0003)");
        alert.techniques = vec![
            "T1059.004".to_owned(),
            "T1\n## x".to_owned(),
            "Tee".to_owned(),
        ];
        assert_eq!(mitre(&alert).prose(), "persistence (TA0003), T1059.004");
        assert_eq!(compliance(&alert.event).prose(), "PCI DSS 11.5.1");
    }
}
