//! From the path of a setting to its line and column.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// Whether a YAML text holds nothing but comments.
pub(super) fn is_blank(text: &str) -> bool {
    text.lines()
        .all(|line| matches!(line.trim(), "" | "---") || line.trim_start().starts_with('#'))
}

/// Where the setting stands that a message begins with; its nearest parent when it stands nowhere.
pub(super) fn position(text: &str, message: &str) -> Option<(u64, u64)> {
    let root: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    let mut at = None;
    let mut node = &root;
    for step in steps(message) {
        let next = match &node.value {
            Node::Map(entries) => entries.get(step),
            Node::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
            Node::Scalar => None,
        };
        let Some(next) = next else { break };
        node = next;
        at = Some((node.referenced.line(), node.referenced.column()));
    }
    at
}

/// The steps of the path at the beginning of a message: `a.b[0].c: text` gives a, b, 0, c.
fn steps(message: &str) -> impl Iterator<Item = &str> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    let end = message.find(|c| !is_path(c)).unwrap_or(message.len());
    message
        .get(..end)
        .unwrap_or_default()
        .split(['.', '[', ']'])
        .filter(|step| !step.is_empty())
}

/// Any YAML value, with the position of everything in it.
enum Node {
    Map(BTreeMap<String, Spanned<Node>>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.insert(key, value);
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "listen: 127.0.0.1:1\nroute:\n  to: [a]\n  routes:\n    - when: x\n    - to: [b]\n      when: >\n        rule = y\n";

    #[test]
    fn a_setting_is_found_by_its_path() {
        assert_eq!(position(TEXT, "route.routes[0].when: bad"), Some((5, 13)));
        assert_eq!(
            position(TEXT, "route.routes[1].to names `b`"),
            Some((6, 11))
        );
    }

    #[test]
    fn a_setting_that_is_not_there_is_placed_at_its_parent() {
        assert_eq!(position(TEXT, "route.routes[1].name: bad"), Some((6, 7)));
        assert_eq!(position(TEXT, "nothing: bad"), None);
    }

    #[test]
    fn comments_alone_are_blank() {
        assert!(is_blank("# only\n\n---\n"));
        assert!(!is_blank("listen: 1"));
    }
}
