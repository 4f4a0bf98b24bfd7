//! From the sections as typed to what the service runs with.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{ConfigError, DEFAULT_DESTINATION, Loaded, key};
use crate::classify::{self, Classifier};
use crate::clock::Clock;
use crate::deliver::{Configured, DestinationConfig, Setup, configure};
use crate::http::load_tls;
use crate::link::Links;
use crate::mask::Masker;
use crate::pipeline::Rules;
use crate::report::Engine;
use crate::route::{Inhibitions, RouteConfig, TimeIntervals, Tree, time_intervals};
use crate::units::Span;

/// A configuration that works: secrets read, conditions and templates compiled, destinations made.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What decides where an alert goes.
    pub rules: Arc<Rules>,
    /// What deliveries are made with.
    pub setup: Arc<Setup>,
    /// What the event listener speaks, unless plain text.
    pub tls: Option<Arc<ServerConfig>>,
    /// What works but is hardly meant.
    pub doubts: Vec<String>,
}

/// Resolves a configuration, or says where it is wrong.
pub fn resolve(loaded: &Loaded, clock: &Clock) -> Result<Resolved, ConfigError> {
    let config = &loaded.config;
    let classifier =
        Classifier::try_new(&config.classify).map_err(|error| loaded.locate(error.to_string()))?;
    let destinations = destinations(loaded, clock)?;
    check_names(loaded, &config.route, "route", &destinations)?;
    let times = time_intervals(&config.time_intervals);
    let times = times.map_err(|error| loaded.locate(error.to_string()))?;
    let tree = tree(loaded, &times)?;
    let inhibitions = Inhibitions::try_new(&config.inhibit);
    let inhibitions = inhibitions.map_err(|error| loaded.locate(error.to_string()))?;
    let engine = Engine::try_new(config.templates.as_deref())
        .and_then(|engine| engine.check().map(|()| engine))
        .map_err(|error| loaded.locate(format!("templates: {error}")))?;
    let tls = config.ingest.tls.as_ref().map(load_tls).transpose();
    let tls = tls.map_err(|error| loaded.locate(error.to_string()))?;
    let masker = Masker::try_new(&config.mask, key::mask(&config.store.path))
        .map_err(|error| loaded.locate(error.to_string()))?;
    config
        .store
        .check()
        .map_err(|error| loaded.locate(format!("store.max_size: {error}")))?;
    let doubts = doubts(&classifier, &tree, &destinations);
    Ok(Resolved {
        setup: Arc::new(Setup {
            destinations,
            engine,
            classifier: classifier.clone(),
            links: Links::new(config.public_url.as_deref(), key::link(&config.store.path)),
            masker,
        }),
        rules: Arc::new(Rules {
            classifier,
            tree,
            silence_ceiling: config.silence_ceiling,
            inhibitions,
            silent_after: config.sensors.silent_after.map(|Span(after)| after),
        }),
        tls,
        doubts,
    })
}

/// The tree. A site that has no destinations is told on the console.
fn tree(loaded: &Loaded, times: &TimeIntervals) -> Result<Tree, ConfigError> {
    let mut route = loaded.config.route.clone();
    if route.to.is_none() && loaded.config.destinations.is_empty() {
        route.to = Some(vec![DEFAULT_DESTINATION.to_owned()]);
    }
    Tree::try_new(&route, times).map_err(|error| loaded.locate(error.to_string()))
}

fn destinations(loaded: &Loaded, clock: &Clock) -> Result<Vec<Configured>, ConfigError> {
    let configured = &loaded.config.destinations;
    let fallback = BTreeMap::from([(DEFAULT_DESTINATION.to_owned(), DestinationConfig::console())]);
    let destinations = if configured.is_empty() {
        &fallback
    } else {
        configured
    };
    destinations
        .iter()
        .map(|(name, config)| {
            configure(name, config, clock)
                .map_err(|error| loaded.locate(format!("destinations.{name}: {error}")))
        })
        .collect()
}

fn check_names(
    loaded: &Loaded,
    route: &RouteConfig,
    place: &str,
    destinations: &[Configured],
) -> Result<(), ConfigError> {
    let known: Vec<&str> = destinations
        .iter()
        .map(|known| known.name.as_str())
        .collect();
    let named = route.to.iter().flatten().map(|name| ("to", name));
    let escalated = route.escalate.iter().flatten().flat_map(|step| &step.to);
    let mut named = named.chain(escalated.map(|name| ("escalate", name)));
    if let Some((key, unknown)) = named.find(|(_, to)| !known.contains(&to.as_str())) {
        let known = known.join(", ");
        return Err(loaded.locate(format!(
            "{place}.{key}: there is no destination `{unknown}`; configured: {known}"
        )));
    }
    for (index, child) in route.routes.iter().enumerate() {
        check_names(
            loaded,
            child,
            &format!("{place}.routes[{index}]"),
            destinations,
        )?;
    }
    Ok(())
}

fn doubts(classifier: &Classifier, tree: &Tree, destinations: &[Configured]) -> Vec<String> {
    let mut doubts: Vec<String> = classifier.doubts();
    doubts.extend(tree.doubts().iter().map(ToString::to_string));
    for route in tree.routes() {
        let conditions = route.when.iter().flat_map(classify::doubts);
        doubts.extend(conditions.map(|doubt| format!("route {}: {doubt}", route.id.0)));
    }
    for destination in destinations {
        if !tree
            .routes()
            .any(|route| route.destinations(u32::MAX).contains(&destination.name))
        {
            doubts.push(format!(
                "no route leads to destination {}",
                destination.name
            ));
        }
        if let Some(doubt) = destination.destination.doubt() {
            doubts.push(format!("destination {}: {doubt}", destination.name));
        }
    }
    doubts
}
