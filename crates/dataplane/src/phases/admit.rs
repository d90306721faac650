//! Who is calling, and may they.

use bourse_policy::key::check;
use bourse_policy::{InferenceKey, KeyHash, Principal};
use bourse_vocab::{Failure, FailureKind};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::gateway::Gateway;
use crate::keyring::recent;

/// A caller who may call models.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Proof of it.
    pub key: InferenceKey,
}

/// The key in the request, wherever clients put it: `Authorization: Bearer`
/// or Anthropic's `x-api-key`.
pub fn presented(headers: &HeaderMap) -> Result<&str, Failure> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().unwrap_or("");
        let (scheme, token) = text.split_once(' ').unwrap_or(("", text));
        if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
            return Ok(token.trim());
        }
        return Err(Failure::new(
            FailureKind::Authentication,
            "Authorization header is not of the form `Bearer sk-bourse-v1-…`",
        ));
    }
    headers
        .get("x-api-key")
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
        .ok_or_else(|| {
            Failure::new(
                FailureKind::Authentication,
                "No auth credentials found: send `Authorization: Bearer` with an API key",
            )
        })
}

/// Finds the caller's key. Its checksum is checked before anything is
/// looked up, unless it is the key that came before.
pub async fn identify(gateway: &Gateway, headers: &HeaderMap) -> Result<Principal, Failure> {
    let text = presented(headers)?;
    if let Some(principal) = recent::recall(text).and_then(|hash| gateway.keyring.get(&hash)) {
        return Ok(principal);
    }
    check(text).map_err(|error| Failure::new(FailureKind::Authentication, error.to_string()))?;
    let hash = KeyHash::of(text);
    let found = match gateway.keyring.get(&hash) {
        Some(principal) => Some(principal),
        None => {
            let found = gateway.keyring.find(&hash, &*gateway.office).await;
            found.map_err(|unavailable| unavailable.failure())?
        }
    };
    if found.is_some() {
        recent::keep(text, hash);
    }
    // OpenRouter's words for it; clients match on them.
    found.ok_or_else(|| Failure::new(FailureKind::Authentication, "User not found."))
}

/// Lets a caller call models, or says why not.
pub async fn admit(
    gateway: &Gateway,
    headers: &HeaderMap,
    now_ms: u64,
) -> Result<Admitted, Failure> {
    let principal = identify(gateway, headers).await?;
    let key = principal
        .may_infer(now_ms)
        .map_err(|refusal| refusal.failure())?;
    Ok(Admitted { key })
}
