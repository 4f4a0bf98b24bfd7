use super::*;

#[test]
fn the_exposition_names_every_family_with_the_prefix() {
    let metrics = Metrics::default();
    metrics.request(RequestOutcome::Accepted);
    metrics.attempt("soc", "sent", Some(Duration::from_millis(3)));
    let text = metrics.render().unwrap();
    assert!(
        text.contains("falco_herald_requests_total{outcome=\"accepted\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("falco_herald_delivery_seconds_count{destination=\"soc\"} 1"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
    let families = text.lines().filter(|line| line.starts_with("# TYPE"));
    assert!(
        families
            .clone()
            .all(|line| line.starts_with("# TYPE falco_herald_"))
    );
    assert!(families.count() > 8);
}

#[test]
fn the_alert_rules_name_only_metrics_that_exist() {
    let metrics = Metrics::default();
    metrics.request(RequestOutcome::Invalid);
    metrics.attempt("soc", "dead", None);
    metrics.reload("refused");
    metrics.lost("disk_full", 1);
    metrics.resumed("soc");
    let text = metrics.render().unwrap();
    let rules = include_str!("../../deploy/prometheus-rules.yaml");
    let rules: serde_json::Value = serde_saphyr::from_str(rules).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() >= 8);
    let letters = |c: char| c.is_ascii_lowercase() || c == '_';
    for rule in rules {
        let expression = rule["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !letters(c));
        let named: Vec<_> = words
            .filter(|word| word.starts_with("falco_herald_"))
            .collect();
        assert!(!named.is_empty(), "{expression}");
        for name in named {
            let known = ["{", " "]
                .iter()
                .any(|end| text.contains(&format!("\n{name}{end}")));
            assert!(known, "{name}");
        }
    }
}
