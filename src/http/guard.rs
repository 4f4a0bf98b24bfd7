//! Who may use the API of the admin listener, which shows events and gives deliveries up.
//!
//! Metrics and health are open: Prometheus and probes read them, and they name nobody.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Auth;

/// What lets a request to the API pass.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Who may.
    pub auth: Auth,
    /// Whether only this machine reaches the listener.
    pub is_loopback: bool,
    /// The host name under which the site reaches the listener, from `public_url`.
    pub public_host: Option<String>,
}

impl Guard {
    /// Why a request may not pass.
    fn refuses(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        if self.auth.is_open() && !self.is_loopback {
            let how = "set `admin_auth`, or listen on loopback only";
            return Some((StatusCode::FORBIDDEN, how));
        }
        // A page in somebody's browser may send requests here, by a host name of its own that leads
        // to this machine, or across origins.
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let known = host.is_some_and(|host| self.knows(host));
        let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let same = origin.is_none_or(|origin| {
            let host = host.unwrap_or_default().as_bytes();
            let stripped = origin.strip_prefix(b"https://");
            stripped.or_else(|| origin.strip_prefix(b"http://")) == Some(host)
        });
        if !known || !same {
            return Some((StatusCode::FORBIDDEN, "asked for under a foreign name"));
        }
        if !self.auth.allows(headers) {
            return Some((StatusCode::UNAUTHORIZED, "wrong or missing credentials"));
        }
        None
    }

    fn knows(&self, host: &str) -> bool {
        let Ok(host) = host.parse::<Authority>() else {
            return false;
        };
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.parse::<std::net::IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.public_host.as_deref().is_some_and(|public| public.eq_ignore_ascii_case(name))
            // Inside a cluster the name leads to a service; credentials are asked for there.
            || !self.auth.is_open()
    }
}

/// Lets a request pass or answers it.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Some((status, reason)) = guard.refuses(request.headers()) else {
        return next.run(request).await;
    };
    let mut answer = (status, Json(json!({ "error": reason }))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        for challenge in guard.auth.challenges() {
            answer.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(guard: &Guard, headers: &[(&'static str, &str)]) -> Option<u16> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        guard.refuses(&headers).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn without_credentials_only_loopback_may() {
        let host = ("host", "127.0.0.1:2805");
        let open = Guard::default();
        assert_eq!(refused(&open, &[host]), Some(403));
        let local = Guard {
            is_loopback: true,
            ..Guard::default()
        };
        assert_eq!(refused(&local, &[host]), None);
        assert_eq!(refused(&local, &[("host", "localhost:2805")]), None);
        assert_eq!(refused(&local, &[("host", "[::1]:2805")]), None);
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        let local = Guard {
            is_loopback: true,
            public_host: Some("herald.example.com".to_owned()),
            ..Guard::default()
        };
        assert_eq!(
            refused(&local, &[("host", "rebound.example.net")]),
            Some(403)
        );
        assert_eq!(refused(&local, &[]), Some(403));
        let host = ("host", "herald.example.com");
        assert_eq!(refused(&local, &[host]), None);
        assert_eq!(
            refused(&local, &[host, ("origin", "https://herald.example.com")]),
            None
        );
        assert_eq!(
            refused(&local, &[host, ("origin", "https://evil.example")]),
            Some(403)
        );
        assert_eq!(refused(&local, &[host, ("origin", "null")]), Some(403));
    }

    #[test]
    fn with_credentials_everybody_is_asked_for_them() {
        let config = serde_saphyr::from_str("bearer: { token: t0ken }").unwrap();
        let guard = Guard {
            auth: Auth::load(&config, "admin_auth").unwrap(),
            ..Guard::default()
        };
        let host = ("host", "falco-herald.falco.svc:2805");
        assert_eq!(refused(&guard, &[host]), Some(401));
        assert_eq!(
            refused(&guard, &[host, ("authorization", "Bearer t0ken")]),
            None
        );
    }
}
