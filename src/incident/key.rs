//! The identity of an incident.

use sha2::{Digest, Sha256};

use crate::route::RouteId;

/// SHA-256 over an injective encoding of a route and the values that its alerts share.
///
/// Attackers write the values, so a forgeable or ambiguous key would let them hide one incident
/// inside another: every part is tagged with its type and prefixed with its length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey([u8; 32]);

/// Changes when the encoding does, so that old and new keys never meet.
const ENCODING: &[u8] = b"falco-herald group key 1";

impl GroupKey {
    /// The key of a route and its `group_by` names with their values, in the route's order;
    /// `None` stands for a missing value and differs from every text.
    pub fn new<'a>(
        route: &RouteId,
        values: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let mut hash = Sha256::new();
        put(&mut hash, b'k', ENCODING);
        put(&mut hash, b'r', route.0.as_bytes());
        for (name, value) in values {
            put(&mut hash, b'n', name.as_bytes());
            match value {
                Some(value) => put(&mut hash, b'v', value.as_bytes()),
                None => put(&mut hash, b'0', b""),
            }
        }
        Self(hash.finalize().into())
    }

    /// The key as stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key read back from the store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0.iter().take(8) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

fn put(hash: &mut Sha256, tag: u8, bytes: &[u8]) {
    hash.update([tag]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    type Values = Vec<(String, Option<String>)>;

    fn key(route: &str, values: &Values) -> GroupKey {
        let values = values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()));
        GroupKey::new(&RouteId(route.to_owned()), values)
    }

    fn text() -> impl Strategy<Value = String> {
        // Few letters, so that shifted boundaries are likely.
        "[ab|:0nv]{0,4}"
    }

    fn values() -> impl Strategy<Value = Values> {
        proptest::collection::vec((text(), proptest::option::of(text())), 0..4)
    }

    /// The same text, cut at some of its bars into a route and values.
    fn cut(text: &str, at: u32) -> (String, Values) {
        let mut parts = vec![String::new()];
        for (bar, part) in text.split('|').enumerate() {
            let last = parts.last_mut().expect("there is always one");
            if bar == 0 {
                last.push_str(part);
            } else if at >> bar & 1 == 1 {
                parts.push(part.to_owned());
            } else {
                last.push('|');
                last.push_str(part);
            }
        }
        let route = parts.remove(0);
        let values = parts
            .chunks(2)
            .map(|pair| (pair[0].clone(), pair.get(1).cloned()));
        (route, values.collect())
    }

    /// Two that look alike when they are put together.
    fn two() -> impl Strategy<Value = ((String, Values), (String, Values))> {
        ("[ab|]{0,8}", any::<u32>(), any::<u32>())
            .prop_map(|(text, a, b)| (cut(&text, a), cut(&text, b)))
    }

    proptest! {
        #[test]
        fn keys_of_values_that_look_alike_differ((a, b) in two()) {
            prop_assert_eq!(key(&a.0, &a.1) == key(&b.0, &b.1), a == b);
        }

        #[test]
        fn equal_keys_mean_equal_values(
            a in (text(), values()),
            b in (text(), values()),
        ) {
            prop_assert_eq!(key(&a.0, &a.1) == key(&b.0, &b.1), a == b);
        }
    }

    /// A key that is wrong must not pass, or the property proves nothing.
    #[test]
    fn the_property_finds_a_key_that_joins_its_values() {
        let joined = |(route, values): &(String, Values)| {
            let values = values
                .iter()
                .flat_map(|(name, value)| [Some(name), value.as_ref()]);
            let parts = std::iter::once(Some(route)).chain(values).flatten();
            parts.map(String::as_str).collect::<Vec<_>>().join("|")
        };
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let found = runner.run(&two(), |(a, b)| {
            prop_assert_eq!(joined(&a) == joined(&b), a == b);
            Ok(())
        });
        assert!(found.is_err());
    }

    #[test]
    fn a_missing_value_differs_from_an_empty_one() {
        let missing = vec![("x".to_owned(), None)];
        let empty = vec![("x".to_owned(), Some(String::new()))];
        assert_ne!(key("0", &missing), key("0", &empty));
    }
}
