//! What the machine can do: an axum handler that reads the body and answers.

use axum::Router;
use axum::body::Bytes;
use axum::routing::any;
use axum::serve::ListenerExt;

/// Serves until the process ends.
pub(crate) fn serve(address: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpListener::bind(address).await.unwrap();
        let socket = socket.tap_io(|stream| drop(stream.set_nodelay(true)));
        let router = Router::new().fallback(any(|body: Bytes| async move { drop(body) }));
        axum::serve(socket, router).await.unwrap();
    });
}
