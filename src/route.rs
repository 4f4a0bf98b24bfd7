//! Who is told about an alert, and when nobody is: the condition language, the routing tree, silences,
//! inhibition and time intervals.

pub mod condition;
mod inhibit;
mod interval;
mod silence;
mod tree;

pub use inhibit::{InhibitConfig, InhibitError, InhibitKey, Inhibitions};
pub use interval::{
    TimeInterval, TimeIntervalError, TimeIntervals, TimeIntervalsConfig, time_intervals,
};
pub use silence::{Known, Novelty, Silence, SilenceId};
pub use tree::{
    Escalation, GroupBy, Lane, Matched, Route, RouteConfig, RouteDoubt, RouteError, RouteId,
    Timers, Tree, Tried,
};

/// What keeps an alert from being said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HiddenBy {
    /// A person silenced it.
    Silence(SilenceId),
    /// A source makes it superfluous.
    Inhibition,
    /// Its route is muted at this time, or not active.
    TimeInterval,
}

impl HiddenBy {
    /// The fate of what it hides.
    pub fn fate(self) -> &'static str {
        match self {
            Self::Silence(_) => "silenced",
            Self::Inhibition => "inhibited",
            Self::TimeInterval => "muted",
        }
    }
}
