//! The operators of the language, with their spelling.

use std::cmp::Ordering;

/// How two ordered values relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// What stands between a field and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Compare(Relation),
    In,
    Intersects,
    Contains,
    IContains,
    StartsWith,
    EndsWith,
    Glob,
    Regex,
    Exists,
    PathMatch,
}

impl Operator {
    /// The operators in Falco's order. Longer symbols come before those they begin with.
    pub(super) const ALL: [Self; 16] = [
        Self::Compare(Relation::NotEqual),
        Self::Compare(Relation::LessOrEqual),
        Self::Compare(Relation::GreaterOrEqual),
        Self::Compare(Relation::Equal),
        Self::Compare(Relation::Less),
        Self::Compare(Relation::Greater),
        Self::In,
        Self::Intersects,
        Self::Contains,
        Self::IContains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Glob,
        Self::Regex,
        Self::Exists,
        Self::PathMatch,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Compare(Relation::Equal) => "=",
            Self::Compare(Relation::NotEqual) => "!=",
            Self::Compare(Relation::Less) => "<",
            Self::Compare(Relation::LessOrEqual) => "<=",
            Self::Compare(Relation::Greater) => ">",
            Self::Compare(Relation::GreaterOrEqual) => ">=",
            Self::In => "in",
            Self::Intersects => "intersects",
            Self::Contains => "contains",
            Self::IContains => "icontains",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
            Self::Glob => "glob",
            Self::Regex => "regex",
            Self::Exists => "exists",
            Self::PathMatch => "pmatch",
        }
    }

    pub(super) fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::Intersects | Self::PathMatch)
    }

    pub(super) fn is_symbol(self) -> bool {
        matches!(self, Self::Compare(_))
    }
}
