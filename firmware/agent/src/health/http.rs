//! The metrics over HTTP, for a scraper on the board or in its network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tiny_http::{Header, Method, Response, Server};

use super::Metrics;

/// Serves until it is dropped.
pub(crate) struct Serving {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

/// Serves `GET /metrics`.
pub(crate) fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<Serving> {
    let server = Arc::new(Server::http(address).map_err(std::io::Error::other)?);
    // The port may have been left to the system.
    log::info!("metrics on http://{}/metrics", server.server_addr());
    let requests = Arc::clone(&server);
    let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        for request in requests.incoming_requests() {
            let right = *request.method() == Method::Get && request.url() == "/metrics";
            let (status, text) =
                if right { (200, metrics.text()) } else { (404, "see /metrics\n".to_owned()) };
            let plain = Header::from_bytes("Content-Type", "text/plain; version=0.0.4")
                .expect("invariant: a header of plain ASCII");
            let response = Response::from_string(text).with_status_code(status).with_header(plain);
            // Whoever asked may have gone.
            let _ = request.respond(response);
        }
    })?;
    Ok(Serving { server, thread: Some(thread) })
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported where it was.
            let _ = thread.join();
        }
    }
}
