//! The shape of a condition: `and`, `or` and `not` over comparisons.

use std::fmt;

use super::Record;
use super::leaf::Leaf;

/// A compiled condition. No `And` holds an `And`, no `Or` an `Or`, and both hold at least two.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Leaf(Leaf),
}

impl Expr {
    /// All of `parts`, of which there is at least one.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        Self::unwrap_single(flat, Self::And)
    }

    /// Some of `parts`, of which there is at least one.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        Self::unwrap_single(flat, Self::Or)
    }

    fn unwrap_single(mut parts: Vec<Self>, several: fn(Vec<Self>) -> Self) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                several(parts)
            }
        }
    }

    pub(super) fn eval(&self, record: &dyn Record) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.eval(record)),
            Self::Or(parts) => parts.iter().any(|part| part.eval(record)),
            Self::Not(part) => !part.eval(record),
            Self::Leaf(leaf) => leaf.eval(record),
        }
    }

    /// The comparisons in the order they are written.
    pub(super) fn leaves(&self) -> Vec<&Leaf> {
        let mut leaves = Vec::new();
        self.collect(&mut leaves);
        leaves
    }

    /// How deep parentheses and `not` are nested in the printed form. It may be deeper than the
    /// source, which needs no parentheses around `and` within `or`.
    pub(super) fn printed_depth(&self) -> usize {
        let within = |part: &Self| match part {
            Self::And(_) | Self::Or(_) => 1 + part.printed_depth(),
            part => part.printed_depth(),
        };
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(within).max().unwrap_or(0),
            Self::Not(part) => 1 + within(part),
            Self::Leaf(_) => 0,
        }
    }

    fn collect<'a>(&'a self, leaves: &mut Vec<&'a Leaf>) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.collect(leaves);
                }
            }
            Self::Not(part) => part.collect(leaves),
            Self::Leaf(leaf) => leaves.push(leaf),
        }
    }

    fn join(f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str) -> fmt::Result {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                write!(f, " {word} ")?;
            }
            // Falco lets `and` bind closer; parentheses around it spare the reader the thought.
            match part {
                Self::And(_) | Self::Or(_) => write!(f, "({part})")?,
                part => write!(f, "{part}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => Self::join(f, parts, "and"),
            Self::Or(parts) => Self::join(f, parts, "or"),
            Self::Not(part) => match **part {
                Self::And(_) | Self::Or(_) => write!(f, "not ({part})"),
                _ => write!(f, "not {part}"),
            },
            Self::Leaf(leaf) => leaf.fmt(f),
        }
    }
}
