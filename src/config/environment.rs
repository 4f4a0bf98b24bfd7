//! Without a file, the environment variables of Falcosidekick work as its users know them.

use serde_json::{Map, Value, json};

use super::{Config, ConfigError, DEFAULT_DESTINATION, Loaded};
use crate::event::Priority;

/// A Falcosidekick output that is configured by environment variables.
struct Output {
    destination: &'static str,
    minimum: &'static str,
    section: Value,
}

/// The configuration that the environment describes; the default when it describes none.
///
/// Falcosidekick turns a mistyped minimum priority into "everything"; here it is an error.
pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let fail = |message: String| Loaded::without_file(Config::default()).locate(message);
    let outputs = [slack(&set), smtp(&set).map_err(fail)?, webhook(&set)];
    let outputs: Vec<Output> = outputs.into_iter().flatten().collect();
    let mut config = Map::new();
    if let Some(listen) = listen(&set) {
        config.insert("listen".to_owned(), json!(listen));
    }
    if !outputs.is_empty() {
        let mut destinations = Map::new();
        let mut routes = Vec::new();
        for output in outputs {
            routes.push(route(&output, set(output.minimum)).map_err(fail)?);
            destinations.insert(output.destination.to_owned(), output.section);
        }
        // What no output wants is still shown and accounted for.
        destinations.insert(DEFAULT_DESTINATION.to_owned(), json!({ "console": {} }));
        config.insert("destinations".to_owned(), Value::Object(destinations));
        let root = json!({ "to": [DEFAULT_DESTINATION], "routes": routes });
        config.insert("route".to_owned(), root);
    }
    let config: Config = serde_json::from_value(Value::Object(config))
        .map_err(|error| fail(format!("the environment is not a configuration: {error}")))?;
    Ok(Loaded::without_file(config))
}

fn route(output: &Output, minimum: Option<String>) -> Result<Value, String> {
    let mut route = json!({ "to": [output.destination], "continue": true });
    if let Some(minimum) = minimum {
        let priority: Priority = minimum
            .parse()
            .map_err(|error| format!("{}: {error}", output.minimum))?;
        let when = format!("priority >= {}", priority.name().to_lowercase());
        route["when"] = json!(when);
    }
    Ok(route)
}

fn slack(set: &impl Fn(&str) -> Option<String>) -> Option<Output> {
    set("SLACK_WEBHOOKURL")?;
    Some(Output {
        destination: "slack",
        minimum: "SLACK_MINIMUMPRIORITY",
        section: json!({ "slack": { "webhook_url_env": "SLACK_WEBHOOKURL" } }),
    })
}

fn smtp(set: &impl Fn(&str) -> Option<String>) -> Result<Option<Output>, String> {
    let Some(hostport) = set("SMTP_HOSTPORT") else {
        return Ok(None);
    };
    let (host, port) = hostport
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
        .ok_or("SMTP_HOSTPORT: write it as host:port")?;
    let need = |name: &str| set(name).ok_or_else(|| format!("{name}: set it beside SMTP_HOSTPORT"));
    let to: Vec<String> = need("SMTP_TO")?
        .split(',')
        .map(|address| address.trim().to_owned())
        .collect();
    // Falcosidekick: SMTP_TLS true (its default) means STARTTLS.
    let tls = match (set("SMTP_TLS").as_deref(), port) {
        (Some("false"), _) => "none",
        (_, 465) => "implicit",
        _ => "starttls",
    };
    let mut email = json!({
        "host": host, "port": port, "tls": tls, "from": need("SMTP_FROM")?, "to": to,
    });
    if let Some(user) = set("SMTP_USER") {
        email["username"] = json!(user);
        email["password_env"] = json!("SMTP_PASSWORD");
    }
    Ok(Some(Output {
        destination: "smtp",
        minimum: "SMTP_MINIMUMPRIORITY",
        section: json!({ "email": email }),
    }))
}

fn webhook(set: &impl Fn(&str) -> Option<String>) -> Option<Output> {
    set("WEBHOOK_ADDRESS")?;
    let mut webhook = json!({ "url_env": "WEBHOOK_ADDRESS" });
    if set("WEBHOOK_METHOD").is_some_and(|method| method.eq_ignore_ascii_case("put")) {
        webhook["method"] = json!("PUT");
    }
    if let Some(headers) = set("WEBHOOK_CUSTOMHEADERS") {
        // Cut at the first colon: Falcosidekick drops headers whose value holds one.
        let headers: Map<String, Value> = headers
            .split(',')
            .filter_map(|header| header.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), json!(value.trim())))
            .collect();
        webhook["headers"] = Value::Object(headers);
    }
    Some(Output {
        destination: "webhook",
        minimum: "WEBHOOK_MINIMUMPRIORITY",
        section: json!({ "webhook": webhook }),
    })
}

fn listen(set: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let port = set("LISTENPORT");
    let address = set("LISTENADDRESS");
    if port.is_none() && address.is_none() {
        return None;
    }
    let default = Config::default().listen;
    let address = address.unwrap_or_else(|| default.ip().to_string());
    let port = port.unwrap_or_else(|| default.port().to_string());
    Some(if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        from_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn without_variables_there_is_only_the_default() {
        let config = load(&[]).unwrap().config;
        assert!(config.destinations.is_empty());
        assert_eq!(config.listen.port(), 2804);
    }

    #[test]
    fn falcosidekicks_variables_make_destinations_and_routes() {
        let config = load(&[
            ("SLACK_WEBHOOKURL", "https://hooks.slack.com/services/x"),
            ("SLACK_MINIMUMPRIORITY", "info"),
            ("SMTP_HOSTPORT", "mail.example.com:587"),
            ("SMTP_FROM", "a@example.com"),
            ("SMTP_TO", "b@example.com, c@example.com"),
            ("WEBHOOK_ADDRESS", "https://example.com/in"),
            ("WEBHOOK_CUSTOMHEADERS", "Authorization:Bearer a:b,X-Y:z"),
            ("LISTENPORT", "2801"),
        ])
        .unwrap()
        .config;
        let names: Vec<_> = config.destinations.keys().map(String::as_str).collect();
        assert_eq!(names, ["console", "slack", "smtp", "webhook"]);
        assert_eq!(config.listen.port(), 2801);
        let routes = config.route.routes.iter();
        let when: Vec<_> = routes.map(|route| route.when.as_deref()).collect();
        assert_eq!(when, [Some("priority >= informational"), None, None]);
    }

    #[test]
    fn a_mistyped_minimum_priority_is_an_error() {
        let variables = [
            ("SLACK_WEBHOOKURL", "https://x"),
            ("SLACK_MINIMUMPRIORITY", "hihg"),
        ];
        let error = load(&variables).unwrap_err().to_string();
        assert!(
            error.starts_with("SLACK_MINIMUMPRIORITY: not a priority"),
            "{error}"
        );
    }
}
