//! OpenAI's Realtime over a WebSocket: the connection and its events.
//!
//! Facts: platform.openai.com/docs, API reference, Realtime client and server
//! events; openai-python, `types/realtime`, read 2026-11. Turn detection is on
//! at first and answers by itself. Silence is sound whose samples are all zero:
//! half a second of it after anything else ends a turn.
//!
//! Of a script count `latency_ms`, the failures before the connection,
//! `require_key`, `tokens`, `token_ms`, `first_token_ms`, `usage`,
//! `cut_after_tokens`, `stall_after_tokens` and `oversize`.

mod talk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::conn::{Conn, Head, phrase};
use crate::log::{Entry, Outcome, shown_header, shown_path};
use crate::script::Script;
use crate::state::{Level, Shared};
use talk::Talk;

/// What a client is told after an event: events, and whether it goes on.
#[derive(Debug, Default)]
struct Said {
    events: Vec<Value>,
    /// The connection ends without a close.
    is_cut: bool,
}

/// The key of a request that asks for a session.
pub(crate) fn asked_for(head: &Head) -> Option<String> {
    let path = head.path().split('?').next().unwrap_or_default();
    if &*head.method != b"GET" || !path.ends_with("/realtime") {
        return None;
    }
    let headers = head.headers();
    let key = headers
        .iter()
        .find(|(name, _)| name == "sec-websocket-key")?;
    String::from_utf8(key.1.clone()).ok()
}

/// Answers such a request, and holds the session.
pub(crate) async fn serve(shared: &Shared, mut conn: Conn, head: &Head, key: &str, id: u64) {
    let started = Instant::now();
    let path = head.path().to_owned();
    let name = path
        .strip_prefix("/p/")
        .and_then(|rest| rest.split('/').next());
    let model = path.split_once("model=").map(|(_, model)| model.to_owned());
    let playing = Arc::clone(shared.loaded.load().pick(name, model.as_deref()));
    let script = playing.script.at(playing.elapsed_ms()).into_owned();
    let ordinal = shared.log.count_under(name.unwrap_or_default());
    let headers = head.headers();
    let entry = Entry {
        script_ordinal: ordinal,
        connection: id,
        provider: name.map(str::to_owned),
        model: model.clone(),
        stream: true,
        method: "GET".to_owned(),
        path: shown_path(&path),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), shown_header(name, value)))
            .collect(),
        ..Entry::default()
    };
    let open = shared.log.open(entry, started);
    let _busy = Level::raise(shared, |counters| &counters.in_flight);
    tokio::time::sleep(Duration::from_millis(script.latency_ms)).await;
    let has_key = headers.iter().any(|(name, _)| name == "authorization");
    let refusal = if script.fails(ordinal) {
        Some((script.error_status.unwrap_or(500), "The script says so."))
    } else if script.require_key && !has_key {
        Some((401, "You didn't provide an API key."))
    } else {
        None
    };
    let outcome = match refusal {
        Some((status, message)) => refuse(&mut conn, status, message).await,
        None if script.close_before_headers => Outcome::Cut,
        None => hold(conn, key, script, &model.unwrap_or_default()).await,
    };
    shared.counters.ended(outcome);
    shared.log.change(open, |entry| entry.outcome = outcome);
}

async fn refuse(conn: &mut Conn, status: u16, message: &str) -> Outcome {
    let body = json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    let body = body.to_string();
    let reply = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        phrase(status),
        body.len()
    );
    match conn.write(reply.as_bytes()).await {
        Ok(()) => Outcome::Failed,
        Err(_) => Outcome::ClientGone,
    }
}

async fn hold(mut conn: Conn, key: &str, script: Script, model: &str) -> Outcome {
    let accept = derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    if conn.write(head.as_bytes()).await.is_err() {
        return Outcome::ClientGone;
    }
    let (stream, read) = conn.into_parts();
    let opening = WebSocketStream::from_partially_read(stream, read, Role::Server, None);
    let mut socket = opening.await;
    let mut talk = Talk::new(script, model);
    if !tell(&mut socket, talk.begins()).await {
        return Outcome::ClientGone;
    }
    loop {
        let said = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => talk.hears(&text),
                Some(Ok(Message::Close(_))) => {
                    // The answer to a close is sent with the next poll.
                    let _ = socket.next().await;
                    return Outcome::Complete;
                }
                Some(Ok(_)) => Said::default(),
                Some(Err(_)) | None => return Outcome::ClientGone,
            },
            () = talk.pause() => talk.goes_on(),
        };
        let is_cut = said.is_cut;
        if !tell(&mut socket, said.events).await {
            return Outcome::ClientGone;
        }
        if is_cut {
            return Outcome::Cut;
        }
    }
}

async fn tell(socket: &mut WebSocketStream<TcpStream>, events: Vec<Value>) -> bool {
    for event in events {
        if socket.send(Message::text(event.to_string())).await.is_err() {
            return false;
        }
    }
    true
}
