//! Who is told about an alert: the condition language and the routing tree.

pub mod condition;
mod silence;
mod tree;

pub use silence::{Silence, SilenceId};
pub use tree::{
    GroupBy, Matched, Route, RouteConfig, RouteDoubt, RouteError, RouteId, Timers, Tree, Tried,
};
