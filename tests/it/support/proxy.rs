//! A proxy that passes requests on, and keeps an answer to itself when told to.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;

use super::client;

/// The proxy.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    target: String,
    /// The next request of this method that succeeds is never answered.
    armed: Arc<Mutex<Option<Method>>>,
    /// That has happened.
    swallowed: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) async fn start(target: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            target: target.to_owned(),
            armed: Arc::default(),
            swallowed: Arc::default(),
        };
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    pub(crate) fn swallow_the_next(&self, method: Method) {
        *self.armed.lock().unwrap() = Some(method);
    }

    pub(crate) fn has_swallowed(&self) -> bool {
        self.swallowed.load(Ordering::SeqCst)
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let method = parts.method.clone();
    let mut onward = client()
        .request(parts.method, format!("{}{}", proxy.target, parts.uri))
        .body(body);
    for (name, value) in &parts.headers {
        if name != "host" && name != "content-length" {
            onward = onward.header(name, value);
        }
    }
    let answer = onward.send().await.unwrap();
    let swallowed = answer.status().is_success()
        && proxy
            .armed
            .lock()
            .unwrap()
            .take_if(|armed| *armed == method)
            .is_some();
    let response = Response::builder().status(answer.status());
    let body = answer.bytes().await.unwrap();
    if swallowed {
        proxy.swallowed.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
    response.body(Body::from(body)).unwrap()
}
