//! One comparison of a field: checked and compiled once, evaluated without allocation.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::glob::Pattern;
use super::number::{self, Decimal};
use super::operator::{Operator, Relation};
use super::scan::Quoted;
use super::{Operand, Record};
use crate::event::Priority;

/// A field and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    field: Box<str>,
    check: Check,
}

/// What is asked of a field.
#[derive(Clone, Debug, PartialEq)]
enum Check {
    Exists,
    Level(Relation, Priority),
    LevelIn(Vec<Priority>),
    Compare(Relation, Box<str>),
    In(Set),
    Intersects(Set),
    Contains(Box<str>),
    IContains(Pattern),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Glob(Pattern),
    Regex(Pattern),
    PathMatch(Vec<Box<str>>),
}

/// Values of `in` and `intersects`.
#[derive(Clone, Debug, PartialEq)]
struct Set {
    values: Vec<Box<str>>,
    /// The values, and the canonical form of those that are numbers.
    keys: HashSet<Box<str>>,
}

/// A value that does not go with its field or operator: its index and what to do.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) index: usize,
    pub(super) message: String,
}

impl Leaf {
    /// Compiles a comparison. The values are as many as the operator takes: none for `exists`,
    /// at least one for lists, otherwise one.
    pub(super) fn try_new(field: &str, op: Operator, values: &[String]) -> Result<Self, Misfit> {
        let check = if matches!(field, "priority" | "severity") {
            level(field, op, values)?
        } else {
            plain(field, op, values)?
        };
        Ok(Self {
            field: field.into(),
            check,
        })
    }

    pub(super) fn field(&self) -> &str {
        &self.field
    }

    pub(super) fn eval(&self, record: &dyn Record) -> bool {
        record
            .field(&self.field)
            .is_some_and(|operand| self.check.holds(&operand))
    }

    /// The values compared for equality; none for other operators.
    pub(super) fn exact_values(&self) -> impl Iterator<Item = &str> {
        let values: &[Box<str>] = match &self.check {
            Check::Compare(Relation::Equal | Relation::NotEqual, value) => {
                std::slice::from_ref(value)
            }
            Check::In(set) | Check::Intersects(set) => &set.values,
            _ => &[],
        };
        values.iter().map(|value| &**value)
    }
}

fn level(field: &str, op: Operator, values: &[String]) -> Result<Check, Misfit> {
    let parse = |(index, word): (usize, &String)| {
        let misfit = |unknown| Misfit {
            index,
            message: format!("`{}` is {unknown}", word.escape_debug()),
        };
        word.parse::<Priority>().map_err(misfit)
    };
    let levels: Result<Vec<_>, _> = values.iter().enumerate().map(parse).collect();
    match op {
        Operator::Exists => Ok(Check::Exists),
        Operator::Compare(relation) => {
            let level = levels?.first().copied();
            Ok(Check::Level(
                relation,
                level.expect("a comparison has one value"),
            ))
        }
        Operator::In => Ok(Check::LevelIn(levels?)),
        op => Err(Misfit {
            index: 0,
            message: format!(
                "`{field}` does not take `{}`; use = != < <= > >= or in",
                op.word()
            ),
        }),
    }
}

fn plain(field: &str, op: Operator, values: &[String]) -> Result<Check, Misfit> {
    let first = values.first().map(String::as_str).unwrap_or_default();
    let misfit = |message| Misfit { index: 0, message };
    let exact = matches!(
        op,
        Operator::Compare(Relation::Equal | Relation::NotEqual)
            | Operator::In
            | Operator::Intersects
    );
    if let Some(index) = values
        .iter()
        .position(|value| value.is_empty() || value == "<NA>")
        && exact
    {
        let not = if op == Operator::Compare(Relation::NotEqual) {
            ""
        } else {
            "not "
        };
        let message = format!("a missing value equals nothing; write `{not}{field} exists`");
        return Err(Misfit { index, message });
    }
    Ok(match op {
        Operator::Exists => Check::Exists,
        Operator::Compare(relation @ (Relation::Equal | Relation::NotEqual)) => {
            Check::Compare(relation, first.into())
        }
        Operator::Compare(relation) => {
            if Decimal::parse(first).is_none() {
                let (op, first) = (op.word(), first.escape_debug());
                return Err(misfit(format!(
                    "`{op}` compares numbers, and `{first}` is none"
                )));
            }
            Check::Compare(relation, first.into())
        }
        Operator::In => Check::In(Set::new(values)),
        Operator::Intersects => Check::Intersects(Set::new(values)),
        Operator::Contains => Check::Contains(first.into()),
        Operator::IContains => Check::IContains(Pattern::any_case(first).map_err(misfit)?),
        Operator::StartsWith => Check::StartsWith(first.into()),
        Operator::EndsWith => Check::EndsWith(first.into()),
        Operator::Glob => Check::Glob(Pattern::glob(first).map_err(misfit)?),
        Operator::Regex => Check::Regex(Pattern::regex(first).map_err(misfit)?),
        Operator::PathMatch => {
            Check::PathMatch(values.iter().map(|value| value.as_str().into()).collect())
        }
    })
}

impl Check {
    fn holds(&self, operand: &Operand<'_>) -> bool {
        match operand {
            Operand::Text(value) => self.holds_for_text(value),
            Operand::List(items) => self.holds_for_list(items),
            Operand::Priority(level) => match self {
                Self::Level(relation, bound) => relation.holds(level.cmp(bound)),
                Self::LevelIn(levels) => levels.contains(level),
                check => check.holds_for_text(level.name()),
            },
        }
    }

    fn holds_for_text(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::Level(relation, bound) => value
                .parse::<Priority>()
                .is_ok_and(|level| relation.holds(level.cmp(bound))),
            Self::LevelIn(levels) => value
                .parse::<Priority>()
                .is_ok_and(|level| levels.contains(&level)),
            Self::Compare(Relation::Equal, literal) => number::equal(value, literal),
            Self::Compare(Relation::NotEqual, literal) => !number::equal(value, literal),
            Self::Compare(relation, bound) => {
                number::order(value, bound).is_some_and(|order| relation.holds(order))
            }
            Self::In(set) | Self::Intersects(set) => set.contains(value),
            Self::Contains(part) => value.contains(&**part),
            Self::StartsWith(prefix) => value.starts_with(&**prefix),
            Self::EndsWith(suffix) => value.ends_with(&**suffix),
            Self::IContains(pattern) | Self::Glob(pattern) | Self::Regex(pattern) => {
                pattern.matches(value)
            }
            Self::PathMatch(paths) => paths.iter().any(|path| is_path_prefix(path, value)),
        }
    }

    fn holds_for_list(&self, items: &[Cow<'_, str>]) -> bool {
        let any = |holds: &dyn Fn(&str) -> bool| items.iter().any(|item| holds(item));
        match self {
            Self::Exists => !items.is_empty(),
            Self::In(set) => !items.is_empty() && items.iter().all(|item| set.contains(item)),
            Self::Compare(Relation::NotEqual, literal) => {
                !items.is_empty() && !any(&|item| number::equal(item, literal))
            }
            Self::Contains(value) => any(&|item| item == &**value),
            Self::IContains(pattern) => any(&|item| pattern.covers(item)),
            check => any(&|item| check.holds_for_text(item)),
        }
    }
}

impl Set {
    fn new(values: &[String]) -> Self {
        let values: Vec<Box<str>> = values.iter().map(|value| value.as_str().into()).collect();
        let mut keys: HashSet<_> = values.iter().cloned().collect();
        let numbers = values.iter().filter_map(|value| Decimal::parse(value));
        keys.extend(numbers.map(|number| number.to_string().into_boxed_str()));
        Self { values, keys }
    }

    fn contains(&self, value: &str) -> bool {
        self.keys.contains(value)
            || Decimal::parse(value).is_some_and(|number| {
                // A canonical number has been looked up already.
                number.canonical_len() != value.len()
                    && self.keys.contains(number.to_string().as_str())
            })
    }
}

/// Whether `path` is `value`, or one of the directories above it.
fn is_path_prefix(path: &str, value: &str) -> bool {
    value
        .strip_prefix(path.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.check {
            Check::Exists => write!(f, "{field} exists"),
            Check::Level(relation, level) => {
                let op = Operator::Compare(*relation).word();
                write!(f, "{field} {op} {}", level.name().to_ascii_lowercase())
            }
            Check::LevelIn(levels) => {
                let names = levels.iter().map(|level| level.name().to_ascii_lowercase());
                write!(f, "{field} in ({})", names.collect::<Vec<_>>().join(", "))
            }
            Check::Compare(relation, value) => {
                write!(
                    f,
                    "{field} {} {}",
                    Operator::Compare(*relation).word(),
                    Quoted(value)
                )
            }
            Check::In(set) => write!(f, "{field} in ({})", List(&set.values)),
            Check::Intersects(set) => write!(f, "{field} intersects ({})", List(&set.values)),
            Check::PathMatch(paths) => write!(f, "{field} pmatch ({})", List(paths)),
            Check::Contains(value) => write!(f, "{field} contains {}", Quoted(value)),
            Check::IContains(value) => write!(f, "{field} icontains {}", Quoted(&value.text)),
            Check::StartsWith(value) => write!(f, "{field} startswith {}", Quoted(value)),
            Check::EndsWith(value) => write!(f, "{field} endswith {}", Quoted(value)),
            Check::Glob(value) => write!(f, "{field} glob {}", Quoted(&value.text)),
            Check::Regex(value) => write!(f, "{field} regex {}", Quoted(&value.text)),
        }
    }
}

struct List<'a>(&'a [Box<str>]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Quoted(value))?;
        }
        Ok(())
    }
}
