//! What varies among the alerts of an incident: how often each value of a field occurred.
//!
//! Bounded by fields and values, not by alerts: the first values of a field are counted exactly, and
//! what came after them is counted together.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::event::Fields;

/// Values that are counted one by one for each field.
const MAX_VALUES: usize = 20;

/// Characters of a value that are kept.
const MAX_VALUE: usize = 300;

/// The fields that are counted although nothing breaks through for them.
const COUNTED: [&str; 4] = [
    "proc.cmdline",
    "k8s.pod.name",
    "user.name",
    "ka.target.name",
];

/// The counts of an incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spread {
    fields: Vec<FieldSpread>,
}

/// The counts of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSpread {
    /// The field.
    pub field: String,
    /// The first distinct values, with exact counts.
    pub values: Vec<(String, u64)>,
    /// Alerts with any other value.
    pub others: u64,
}

impl FieldSpread {
    /// The values with the highest counts first.
    pub fn top(&self) -> Vec<(&str, u64)> {
        let mut top: Vec<_> = self
            .values
            .iter()
            .map(|(value, count)| (value.as_str(), *count))
            .collect();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        top
    }
}

impl Spread {
    /// Counts the fields of an alert. True when a watched field has a value that is new.
    pub(super) fn count(&mut self, fields: &Fields, watch: &[String]) -> bool {
        let mut new = false;
        for field in watch {
            new |= self.note(field, fields);
        }
        for field in COUNTED
            .iter()
            .filter(|field| watch.iter().all(|watched| watched != *field))
        {
            self.note(field, fields);
        }
        new
    }

    fn note(&mut self, field: &str, fields: &Fields) -> bool {
        let Some(value) = value_of(field, fields) else {
            return false;
        };
        let value = cut(&value);
        let known = self.fields.iter().position(|known| known.field == field);
        let position = known.unwrap_or_else(|| {
            self.fields.push(FieldSpread {
                field: field.to_owned(),
                values: Vec::new(),
                others: 0,
            });
            self.fields.len() - 1
        });
        let Some(spread) = self.fields.get_mut(position) else {
            return false;
        };
        if let Some((_, count)) = spread.values.iter_mut().find(|(known, _)| known == value) {
            *count += 1;
            false
        } else if spread.values.len() < MAX_VALUES {
            spread.values.push((value.to_owned(), 1));
            true
        } else {
            spread.others += 1;
            false
        }
    }

    /// The fields with more than one value.
    pub fn varying(&self) -> impl Iterator<Item = &FieldSpread> {
        self.fields.iter().filter(|spread| spread.values.len() > 1)
    }

    /// The same with every value changed.
    #[must_use]
    pub fn map(mut self, change: impl Fn(&str) -> String) -> Self {
        for spread in &mut self.fields {
            for (value, _) in &mut spread.values {
                *value = change(value);
            }
        }
        self
    }
}

/// The first characters.
fn cut(value: &str) -> &str {
    if value.len() <= MAX_VALUE {
        return value;
    }
    let end = value.char_indices().nth(MAX_VALUE).map(|(end, _)| end);
    end.and_then(|end| value.get(..end)).unwrap_or(value)
}

/// The value that tells alerts apart: a file without what is drawn by lot, the address without ports.
fn value_of<'f>(field: &str, fields: &'f Fields) -> Option<Cow<'f, str>> {
    match field {
        // A connection is told apart by where it leads; its own port differs every time.
        "fd.sip" => fields.text(field).or_else(|| {
            let name = fields.text("fd.name")?;
            let (_, server) = name.split_once("->")?;
            let (address, _) = server.rsplit_once(':')?;
            Some(Cow::Owned(address.to_owned()))
        }),
        "fd.name" => fields.text(field).filter(|name| name.starts_with('/')),
        _ => fields.text(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn default_watch() -> Vec<String> {
        ["proc.exepath", "fd.name", "fd.sip"]
            .map(str::to_owned)
            .to_vec()
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| (*name, crate::event::Value::from(*value)))
            .collect()
    }

    #[test]
    fn a_new_value_of_a_watched_field_is_noticed_once() {
        let mut spread = Spread::default();
        let watch = default_watch();
        let mut seen = |pairs: &[(&str, &str)]| spread.count(&fields(pairs), &watch);
        assert!(seen(&[("fd.name", "/etc/shadow")]));
        assert!(!seen(&[("fd.name", "/etc/shadow")]));
        assert!(seen(&[("fd.name", "/etc/sudoers")]));
        assert!(seen(&[("fd.name", "10.0.0.1:4711->1.2.3.4:443")]));
        assert!(!seen(&[("fd.name", "10.0.0.1:4712->1.2.3.4:443")]));
        assert!(seen(&[("fd.name", "10.0.0.1:4712->1.2.3.5:443")]));
        assert!(!seen(&[("proc.cmdline", "new"), ("proc.pid", "7")]));
        assert_eq!(spread.varying().count(), 2);
    }

    proptest! {
        #[test]
        fn counts_and_others_add_up(values in prop::collection::vec(0..60_u32, 0..300)) {
            let mut spread = Spread::default();
            let mut new = 0;
            for value in &values {
                let value = value.to_string();
                new += usize::from(spread.count(&fields(&[("proc.exepath", &value)]), &default_watch()));
            }
            prop_assert!(new <= MAX_VALUES);
            let counted: u64 = spread.fields.iter().map(|field| field.others + field.values.iter().map(|(_, count)| count).sum::<u64>()).sum();
            prop_assert_eq!(counted, values.len() as u64);
        }
    }
}
