//! What the token endpoints of Google and Microsoft have in common: forms in,
//! JSON out (RFC 6749, sections 4.4 and 5).

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use zeroize::Zeroizing;

use super::{Answer, Ask, Fresh, NoToken, Outside, clock_ahead_ms, nonsense, unwilling};
use crate::credential::Headers;
use crate::sigv4::segment;
use crate::{Credential, Key};

/// A form (URL standard, "application/x-www-form-urlencoded"), spelled so that
/// every reader agrees.
pub(super) fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(&Zeroizing::new(segment(value)));
    }
    text
}

/// A form that is posted.
pub(super) fn post(url: &str, headers: Headers, fields: &[(&str, &str)]) -> Ask {
    Ask {
        method: Method::POST,
        url: url.to_owned(),
        headers,
        content_type: Some("application/x-www-form-urlencoded"),
        body: Bytes::copy_from_slice(form(fields).as_bytes()),
    }
}

/// Something that is only got.
pub(super) fn get(url: String, headers: Headers) -> Ask {
    Ask {
        method: Method::GET,
        url,
        headers,
        content_type: None,
        body: Bytes::new(),
    }
}

#[derive(Deserialize)]
struct Given {
    access_token: Key,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    /// Seconds since 1970, of services of machines.
    #[serde(default, deserialize_with = "seconds")]
    expires_on: Option<u64>,
}

/// A number, or a text with one: services of machines write either.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Option::<Either>::deserialize(from)? {
        None => Ok(None),
        Some(Either::Number(number)) => Ok(Some(number)),
        Some(Either::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| D::Error::custom("not a number of seconds")),
    }
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: serde_json::Value,
    #[serde(default)]
    error_description: String,
}

/// A service's own sentence: of OAuth, of Google's APIs, or its plain text.
pub(super) fn said(body: &[u8]) -> String {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let word = match &refusal.error {
        serde_json::Value::String(word) => word.as_str(),
        error => error
            .get("message")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default(),
    };
    [word, refusal.error_description.trim()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

/// Asks for a bearer token.
pub(super) async fn bearer(outside: &dyn Outside, ask: Ask, whose: &str) -> Result<Fresh, NoToken> {
    let answer = outside.ask(ask).await?;
    let now_ms = outside.now_ms();
    read_bearer(&answer, now_ms, whose)
}

fn read_bearer(answer: &Answer, now_ms: u64, whose: &str) -> Result<Fresh, NoToken> {
    if answer.status != 200 {
        return Err(unwilling(answer, &said(&answer.body), now_ms, whose));
    }
    let given: Given = serde_json::from_slice(&answer.body)
        .map_err(|_| nonsense(whose, "it is no JSON with an access_token"))?;
    let from_s = answer.date_ms.unwrap_or(now_ms) / 1_000;
    let life_s = given
        .expires_in
        .or_else(|| Some(given.expires_on?.saturating_sub(from_s)))
        .ok_or_else(|| nonsense(whose, "it does not say for how long its token is good"))?;
    let token = given.access_token;
    if token.is_empty() || token.header("Bearer ").is_none() {
        return Err(nonsense(whose, "its token is none that a header can carry"));
    }
    Ok(Fresh {
        credential: Credential::Bearer(token),
        life: Duration::from_secs(life_s),
        clock_ahead_ms: clock_ahead_ms(answer, now_ms),
    })
}
