//! The relay's control calls: `GET /__relay/counts`, `GET /__relay/plan`,
//! `POST /__relay/plan` (a whole plan as JSON; its clock begins), `POST
//! /__relay/partition` (nothing passes) and `POST /__relay/heal`.
//!
//! On an address of their own, because the relay itself knows no protocol.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{ACCEPT_PAUSE, RelayHandle, RelayPlan};
use crate::conn::{Conn, Gone, phrase};

/// Answers control calls of one relay.
#[derive(Debug)]
pub struct RelayControl {
    listener: TcpListener,
    handle: RelayHandle,
}

impl RelayControl {
    /// Listens for control calls of a relay.
    ///
    /// # Errors
    /// When the address is not loopback or cannot be bound.
    pub async fn bind(listen: SocketAddr, handle: RelayHandle) -> io::Result<Self> {
        if !listen.ip().is_loopback() {
            let why = "a relay is controlled from loopback addresses only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(listen).await?;
        Ok(Self { listener, handle })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the future is dropped.
    pub async fn run(self) {
        loop {
            // One at a time: whoever controls a relay waits for its answer.
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // A caller that went away has learned what it wanted to.
                    let _ = answer(&self.handle, Conn::new(stream)).await;
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

async fn answer(handle: &RelayHandle, mut conn: Conn) -> Result<(), Gone> {
    let Some(head) = conn.read_head().await? else {
        return Ok(());
    };
    let body = conn.read_body(&head).await?;
    let (status, reply) = call(handle, &head.method, head.path(), &body);
    let reply = reply.to_string();
    let answer = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{reply}",
        phrase(status),
        reply.len()
    );
    conn.write(answer.as_bytes()).await
}

fn call(handle: &RelayHandle, method: &[u8], path: &str, body: &[u8]) -> (u16, Value) {
    let done = json!({ "ok": true });
    match (method, path) {
        (b"GET", "/__relay/counts") => (200, json!(handle.counts())),
        (b"GET", "/__relay/plan") => (200, json!(*handle.shared.now.borrow().plan)),
        (b"POST", "/__relay/plan") => {
            let plan = serde_json::from_slice::<RelayPlan>(body).map_err(|why| why.to_string());
            match plan.and_then(|plan| handle.set(plan)) {
                Ok(()) => (200, done),
                Err(why) => (400, json!({ "error": why })),
            }
        }
        (b"POST", "/__relay/partition") => {
            handle.partition(true);
            (200, done)
        }
        (b"POST", "/__relay/heal") => {
            handle.partition(false);
            (200, done)
        }
        _ => (404, json!({ "error": "no such control path" })),
    }
}
