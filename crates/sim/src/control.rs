//! The simulator's own paths: `/__sim/…`.
//!
//! `GET log[?since=N]`, `GET counters`, `GET scripts`, `POST reset`,
//! `POST script` (a whole set), `POST script?provider=NAME` and
//! `POST script?model=NAME` (one script; an empty NAME is the default).

use serde_json::json;

use crate::conn::{Conn, Gone, Head, phrase};
use crate::script::{Script, ScriptError, ScriptSet};
use crate::state::Shared;

/// Answers a control request.
pub(crate) async fn request(
    shared: &Shared,
    conn: &mut Conn,
    head: &Head,
    path: &str,
) -> Result<bool, Gone> {
    let body = conn.read_body(head).await?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (status, reply) = match (&*head.method, path) {
        (b"GET", "log") => {
            let since = value(query, "since")
                .and_then(|since| since.parse().ok())
                .unwrap_or(0);
            (200, json!({ "requests": shared.log.entries(since) }))
        }
        (b"GET", "counters") => (200, json!(shared.counters.now())),
        (b"GET", "scripts") => (200, json!(shared.loaded.load().set)),
        (b"POST", "reset") => {
            shared.reset();
            (200, json!({ "ok": true }))
        }
        (b"POST", "script") => match scripts(shared, query, &body) {
            Ok(set) => {
                shared.set_scripts(&set);
                (200, json!({ "ok": true }))
            }
            Err(error) => (400, json!({ "error": error.to_string() })),
        },
        _ => (404, json!({ "error": "no such control path" })),
    };
    let reply = reply.to_string();
    let answer = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{reply}",
        phrase(status),
        reply.len()
    );
    conn.write(answer.as_bytes()).await?;
    Ok(true)
}

fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(k, _)| *k == key)
        .map(|(_, v)| v)
}

fn scripts(shared: &Shared, query: &str, body: &[u8]) -> Result<ScriptSet, ScriptError> {
    let one = || Script::from_json(body);
    let mut set = shared.loaded.load().set.clone();
    match (value(query, "provider"), value(query, "model")) {
        (Some(""), _) | (None, Some("")) => set.default = one()?,
        (Some(name), _) => {
            set.providers.insert(name.to_owned(), one()?);
        }
        (None, Some(name)) => {
            set.models.insert(name.to_owned(), one()?);
        }
        (None, None) => set = ScriptSet::from_json(body)?,
    }
    Ok(set)
}
