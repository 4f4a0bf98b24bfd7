//! Who is told about an alert: the condition language and the routing tree.

pub mod condition;
mod tree;

pub use tree::{
    GroupBy, Matched, Route, RouteConfig, RouteDoubt, RouteError, RouteId, Timers, Tree, Tried,
};
