mod probe;

use super::*;
use crate::deliver::testing::now;

fn configured(yaml: &str) -> Result<Configured, BuildError> {
    let config: DestinationConfig = serde_saphyr::from_str(yaml).unwrap();
    configure("soc", &config, &Clock::manual(now()))
}

#[test]
fn every_kind_is_built_from_its_section_and_has_its_pace() {
    for (yaml, concurrency, millis) in [
        ("console: {}", 1, 0),
        (
            "slack: { webhook_url: 'https://hooks.slack.com/services/T/B/x' }",
            1,
            1000,
        ),
        ("slack: { token: xoxb-1, channel: '#soc' }", 1, 1000),
        (
            "email: { host: localhost, port: 25, tls: none, from: a@example.com, to: [b@example.com] }",
            2,
            0,
        ),
        (
            "teams: { url: 'https://x.logic.azure.com/w?sig=x' }",
            1,
            1000,
        ),
        (
            "discord: { url: 'https://discord.com/api/webhooks/1/x' }",
            1,
            2000,
        ),
        (
            "matrix: { homeserver: 'https://matrix.example.com', token: x, room: '!r:example.com' }",
            1,
            1000,
        ),
        ("telegram: { token: '1:x', chat_id: -1001 }", 1, 3000),
        ("telegram: { token: '1:x', chat_id: '@soc' }", 1, 3000),
        (
            "mattermost: { url: 'https://chat.example.com/hooks/x' }",
            1,
            1000,
        ),
        (
            "google_chat: { url: 'https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t' }",
            1,
            1000,
        ),
        ("webhook: { url: 'https://example.com/in' }", 4, 0),
        ("pagerduty: { routing_key: k }", 2, 500),
        ("opsgenie: { api_key: k }", 2, 500),
        ("alertmanager: { url: 'http://am:9093' }", 4, 0),
        ("github: { repository: acme/sec, token: t }", 1, 1000),
        (
            "redmine: { url: 'http://redmine', api_key: k, project: sec }",
            1,
            1000,
        ),
        ("rt: { url: 'http://rt', token: t, queue: Sec }", 1, 1000),
        (
            "jira: { url: 'https://acme.atlassian.net', user: u, token: t, project: SEC }",
            1,
            1000,
        ),
        ("gitlab: { token: t, project: acme/sec }", 1, 1000),
        (
            "servicenow: { url: 'https://acme.service-now.com', user: u, token: t, fields: { caller_id: x } }",
            1,
            1000,
        ),
    ] {
        let pace = configured(yaml).unwrap().destination.pace();
        let interval = Duration::from_millis(millis);
        assert_eq!(
            (pace.concurrency, pace.interval),
            (concurrency, interval),
            "{yaml}"
        );
    }
}

#[test]
fn the_site_may_set_the_pace() {
    let yaml =
        "{ slack: { token: xoxb-1, channel: C1 }, delivery: { concurrency: 3, interval: 50ms } }";
    let pace = configured(yaml).unwrap().pace;
    assert_eq!((pace.concurrency, pace.interval.as_millis()), (3, 50));
    let none = configured("{ console: {}, delivery: { concurrency: 0 } }").unwrap_err();
    assert_eq!(none.to_string(), "delivery.concurrency: at least 1");
}

#[test]
fn none_or_two_kinds_are_refused() {
    for yaml in [
        "{}",
        "{ console: {}, webhook: { url: 'https://example.com' } }",
    ] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                configured(yaml).unwrap_err(),
                @"set exactly one of console, slack, teams, discord, matrix, telegram, mattermost, google_chat, email, webhook, pagerduty, opsgenie, alertmanager, github, redmine, rt, jira, gitlab, servicenow"
            );
        }
    }
}

#[test]
fn an_unknown_key_is_refused_in_every_section() {
    for yaml in [
        "{ pigeon: {} }",
        "console: { colour: red }",
        "slack: { chanel: x }",
        "email: { host: localhost, port: 25, from: a@example.com, to: [], cc: [] }",
        "teams: { uri: x }",
        "discord: { uri: x }",
        "matrix: { server: x }",
        "telegram: { chat: x }",
        "mattermost: { channel: x }",
        "google_chat: { uri: x }",
        "webhook: { uri: x }",
        "pagerduty: { key: x }",
        "opsgenie: { key: x }",
        "alertmanager: { uri: x }",
        "github: { repo: x }",
        "redmine: { key: x }",
        "rt: { que: x }",
        "jira: { key: x }",
        "gitlab: { repo: x }",
        "servicenow: { tab: x }",
        "{ console: {}, delivery: { retries: 3 } }",
    ] {
        let result: Result<DestinationConfig, _> = serde_saphyr::from_str(yaml);
        assert!(result.is_err(), "{yaml}");
    }
}

#[test]
fn a_delivery_is_given_up_after_a_day_unless_the_site_says_otherwise() {
    let default = configured("console: {}").unwrap();
    assert_eq!(default.max_age, Duration::from_hours(24));
    let own = configured("{ console: {}, delivery: { max_age: 1h } }").unwrap();
    assert_eq!(own.max_age, Duration::from_hours(1));
    let wrong = configured("{ console: {}, delivery: { retry_initial: 1h, retry_max: 1m } }");
    assert!(matches!(wrong, Err(BuildError::Backoff(_))));
}

#[test]
fn a_preset_of_the_site_is_one_of_its_files() {
    let yaml = "webhook: { url: 'https://example.com', preset_file: own.yaml }";
    let config: DestinationConfig = serde_saphyr::from_str(yaml).unwrap();
    let files: Vec<_> = config.files().collect();
    assert_eq!(files, [std::path::Path::new("own.yaml")]);
}

#[test]
fn every_kind_follows_the_life_of_an_incident() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/deliver");
    let has = |file: String| {
        let text = std::fs::read_to_string(source.join(file)).unwrap_or_default();
        text.contains("contract::lives(") || text.contains(".lives()")
    };
    for (kind, _) in KINDS {
        // The console refuses nothing and remembers nothing.
        let follows = has(format!("{kind}/tests.rs")) || has(format!("{kind}/tests/life.rs"));
        assert!(follows || *kind == "console", "{kind}");
    }
}
