use super::*;
use crate::deliver::testing::http::{Peer, Planned};
use crate::deliver::testing::smtp::{FakeSmtp, Security};
use crate::deliver::testing::{CANARY, no_secret};

/// What a destination says of itself when its peer answers so.
async fn asked(yaml: &str, answer: Planned) -> String {
    let peer = Peer::start().await;
    peer.plan([answer]);
    let yaml = yaml.replace("URL", &peer.url).replace("SECRET", CANARY);
    let configured = configured(&yaml).unwrap();
    let found = configured.destination.probe().expect(&yaml).await;
    let line = found.unwrap_or_else(|error| format!("FAILED, {error}"));
    no_secret(&line);
    assert!(!line.contains("127.0.0.1"), "{line}");
    line
}

const SLACK: &str = "slack: { token: xoxb-SECRET, channel: '#soc', api_url: 'URL' }";
const MATRIX: &str = "matrix: { homeserver: 'URL', token: SECRET, room: '!r:example.com' }";
const TELEGRAM: &str = "telegram: { token: '1:SECRET', chat_id: -1001, api_url: 'URL' }";
const DISCORD: &str = "discord: { url: 'URL/api/webhooks/1/SECRET' }";
const MATTERMOST: &str = "mattermost: { url: 'URL', token: SECRET, channel_id: abc }";
const REDMINE: &str = "redmine: { url: 'URL', api_key: SECRET, project: sec }";
const GITLAB: &str = "gitlab: { url: 'URL', token: SECRET, project: acme/sec }";

#[tokio::test]
async fn what_is_wrong_is_said_in_a_line_that_says_what_mends_it() {
    let ok = |body: &str| Planned::status(200, body);
    let scopes = |scopes: &str| Planned::Answer {
        status: 200,
        headers: vec![("x-oauth-scopes", scopes.to_owned())],
        body: r#"{"ok":true}"#.to_owned(),
    };
    for (yaml, answer, wanted) in [
        (
            SLACK,
            scopes("files:write,chat:write"),
            "slack knows the token",
        ),
        (
            SLACK,
            scopes("users:read"),
            "FAILED, the token lacks the scope chat:write",
        ),
        (
            SLACK,
            ok(r#"{"ok":false,"error":"invalid_auth"}"#),
            "FAILED, slack answered invalid_auth: check the token",
        ),
        (MATRIX, ok(r#"{"joined":{}}"#), "the user is in the room"),
        (
            MATRIX,
            Planned::status(403, r#"{"errcode":"M_FORBIDDEN"}"#),
            "FAILED, matrix answered 403 M_FORBIDDEN: invite the user to the room",
        ),
        (
            MATRIX,
            Planned::status(401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#),
            "FAILED, matrix answered 401 M_UNKNOWN_TOKEN: check the token",
        ),
        (
            TELEGRAM,
            ok(r#"{"ok":true,"result":{"id":-1001}}"#),
            "the bot knows the chat",
        ),
        (
            TELEGRAM,
            Planned::status(
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
            ),
            "FAILED, telegram answered 400",
        ),
        (DISCORD, ok(r#"{"id":"1"}"#), "the webhook is there"),
        (
            DISCORD,
            Planned::status(404, r#"{"code":10015}"#),
            "FAILED, discord answered 404 10015: the webhook was deleted",
        ),
        (
            MATTERMOST,
            ok(r#"{"id":"abc"}"#),
            "the bot sees the channel",
        ),
        (
            MATTERMOST,
            Planned::status(401, r#"{"id":"api.context.session_expired.app_error"}"#),
            "FAILED, mattermost answered 401 api.context.session_expired.app_error",
        ),
        (
            REDMINE,
            ok(r#"{"issues":[],"total_count":0}"#),
            "tickets can be searched",
        ),
        (
            REDMINE,
            Planned::status(404, ""),
            "FAILED, Redmine shows this user no such project or ticket",
        ),
        (
            GITLAB,
            Planned::status(401, ""),
            "FAILED, GitLab does not know the credentials",
        ),
    ] {
        let line = asked(yaml, answer).await;
        assert!(line.starts_with(wanted), "{yaml}\n{line}\n{wanted}");
    }
}

#[tokio::test]
async fn a_mail_server_is_asked_without_a_mail() {
    let server = FakeSmtp::start(Security::Plain).await;
    let yaml = format!(
        "email: {{ host: 127.0.0.1, port: {}, tls: none, from: a@example.com, to: [b@example.com] }}",
        server.port
    );
    let configured = configured(&yaml).unwrap();
    let probe = || configured.destination.probe().unwrap();
    assert!(probe().await.unwrap().contains("takes the connection"));
    assert!(server.mails().is_empty());
}

#[test]
fn where_only_a_message_shows_it_there_is_nothing_to_ask() {
    for yaml in [
        "console: {}",
        "slack: { webhook_url: 'https://hooks.slack.com/services/T/B/x' }",
        "webhook: { url: 'https://example.com/in' }",
        "pagerduty: { routing_key: k }",
    ] {
        assert!(
            configured(yaml).unwrap().destination.probe().is_none(),
            "{yaml}"
        );
    }
}
