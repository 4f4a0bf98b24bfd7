//! A peer that takes HTTP requests, remembers them, and answers as told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::stream;
use http::request::Parts;
use serde_json::Value;

/// What the peer does with its next request.
#[derive(Clone, Debug)]
pub(in crate::deliver) enum Planned {
    /// Answers as without a plan.
    Usual,
    /// Answers so.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Never answers.
    Hang,
    /// Answers 200 with a body without end.
    Endless,
}

impl Planned {
    pub(in crate::deliver) fn status(status: u16, body: &str) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    pub(in crate::deliver) fn with(status: u16, header: &'static str, value: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![(header, value.to_owned())],
            body: String::new(),
        }
    }
}

impl From<String> for Planned {
    fn from(body: String) -> Self {
        Self::status(200, &body)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct Taken {
    pub(in crate::deliver) parts: Parts,
    pub(in crate::deliver) body: Bytes,
}

impl Taken {
    pub(in crate::deliver) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The peer.
#[derive(Clone, Debug, Default)]
pub(in crate::deliver) struct Peer {
    taken: Arc<Mutex<Vec<Taken>>>,
    planned: Arc<Mutex<VecDeque<Planned>>>,
    pub(in crate::deliver) url: String,
}

impl Peer {
    /// A peer that answers 200 and `ok` unless told otherwise.
    pub(in crate::deliver) async fn start() -> Self {
        Self::answering(|_| "ok".to_owned()).await
    }

    /// A peer that answers what `answer` makes of the request; a text is answered with 200.
    pub(in crate::deliver) async fn answering<A: Into<Planned> + 'static>(
        answer: impl Fn(&Taken) -> A + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            ..Self::default()
        };
        let state = peer.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (state, answer) = (state.clone(), answer.clone());
            async move { state.take(request, answer).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        peer
    }

    /// A peer that answers the status and the body that `reply` makes of the request.
    pub(in crate::deliver) async fn replying(
        reply: impl Fn(&Taken) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::answering(move |taken| {
            let (status, body) = reply(taken);
            Planned::status(status, &body)
        })
        .await
    }

    /// The next requests are met so, the first first.
    pub(in crate::deliver) fn plan(&self, planned: impl IntoIterator<Item = Planned>) {
        self.planned.lock().unwrap().extend(planned);
    }

    /// Forgets the plan; whether there was still one.
    pub(in crate::deliver) fn unplan(&self) -> bool {
        let mut planned = self.planned.lock().unwrap();
        let left = !planned.is_empty();
        planned.clear();
        left
    }

    /// How many requests so far.
    pub(in crate::deliver) fn calls(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// Every request so far, those with a planned answer included.
    pub(in crate::deliver) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    async fn take<A: Into<Planned>>(
        self,
        request: Request,
        answer: impl Fn(&Taken) -> A,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let taken = Taken { parts, body };
        self.taken.lock().unwrap().push(taken.clone());
        let planned = self.planned.lock().unwrap().pop_front();
        let planned = match planned {
            None | Some(Planned::Usual) => answer(&taken).into(),
            Some(planned) => planned,
        };
        match planned {
            Planned::Usual => panic!("what is usual is an answer"),
            Planned::Hang => std::future::pending().await,
            Planned::Endless => {
                let chunk = Bytes::from_static(&[b'x'; 4096]);
                let chunks = stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
                Response::new(Body::from_stream(chunks))
            }
            Planned::Answer {
                status,
                headers,
                body,
            } => {
                let mut response = Response::builder().status(status);
                if body.starts_with(['{', '[']) {
                    response = response.header("content-type", "application/json; charset=utf-8");
                }
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(body)).unwrap()
            }
        }
    }
}
