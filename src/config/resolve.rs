//! From the sections as typed to what the service runs with.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{ConfigError, DEFAULT_DESTINATION, Loaded, key};
use crate::classify::{self, Classifier};
use crate::clock::Clock;
use crate::deliver::{Configured, DestinationConfig, Setup, configure};
use crate::http::load_tls;
use crate::mask::Masker;
use crate::pipeline::Rules;
use crate::report::Engine;
use crate::route::{RouteConfig, Tree};

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
    let tree = tree(loaded)?;
    let engine = Engine::try_new(config.templates.as_deref())
        .and_then(|engine| engine.check().map(|()| engine))
        .map_err(|error| loaded.locate(format!("templates: {error}")))?;
    let tls = config.ingest.tls.as_ref().map(load_tls).transpose();
    let tls = tls.map_err(|error| loaded.locate(error.to_string()))?;
    let masker = Masker::try_new(&config.mask, key::read(&config.store.path))
        .map_err(|error| loaded.locate(error.to_string()))?;
    let doubts = doubts(&classifier, &tree, &destinations);
    Ok(Resolved {
        setup: Arc::new(Setup {
            destinations,
            engine,
            classifier: classifier.clone(),
            public_url: config.public_url.clone(),
            masker,
        }),
        rules: Arc::new(Rules {
            classifier,
            tree,
            silence_ceiling: config.silence_ceiling,
        }),
        tls,
        doubts,
    })
}

/// The tree. A site that has no destinations is told on the console.
fn tree(loaded: &Loaded) -> Result<Tree, ConfigError> {
    let mut route = loaded.config.route.clone();
    if route.to.is_none() && loaded.config.destinations.is_empty() {
        route.to = Some(vec![DEFAULT_DESTINATION.to_owned()]);
    }
    Tree::try_new(&route).map_err(|error| loaded.locate(error.to_string()))
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
    let named = route.to.iter().flatten();
    if let Some(unknown) = named.clone().find(|to| !known.contains(&to.as_str())) {
        let known = known.join(", ");
        return Err(loaded.locate(format!(
            "{place}.to: there is no destination `{unknown}`; configured: {known}"
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
            .any(|route| route.to.contains(&destination.name))
        {
            doubts.push(format!(
                "no route leads to destination {}",
                destination.name
            ));
        }
    }
    doubts
}
