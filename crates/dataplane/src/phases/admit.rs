//! Who is calling, may they, and is there room for it.

use std::sync::Arc;
use std::time::Duration;

use bourse_policy::key::check;
use bourse_policy::{InferenceKey, KeyHash, Principal};
use bourse_vocab::{Failure, FailureKind, Nanos};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::admission::priority::Priority;
use crate::admission::{Door, InFlight, Shed};
use crate::gateway::Gateway;
use crate::keyring::recent;

/// When whoever waits for a place of a drain should ask again: most answers
/// have ended by then.
const DRAIN_AWAITED: Duration = Duration::from_secs(10);

/// A caller who may call models.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Proof of it.
    pub key: InferenceKey,
}

/// A call that may begin.
#[derive(Debug)]
pub struct Entered {
    /// Who calls.
    pub admitted: Admitted,
    /// Counts it as under way.
    pub in_flight: InFlight,
}

/// A call that may not.
#[derive(Debug)]
pub enum Denied {
    /// Something is wrong with it.
    Failed(Failure),
    /// Nothing is, but there is no room for it now.
    Shed(Shed),
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Shed> for Denied {
    fn from(why: Shed) -> Self {
        Self::Shed(why)
    }
}

/// Where clients put the key that do not say `Authorization`: Anthropic's, and
/// Google's.
const KEYS: [&str; 2] = ["x-api-key", "x-goog-api-key"];

/// The key in the request, wherever clients put it in its head. One in the
/// address, as Google takes too, is not read: addresses are kept in logs.
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
    KEYS.iter()
        .find_map(|name| headers.get(*name))
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
        .ok_or_else(|| {
            Failure::new(
                FailureKind::Authentication,
                "No auth credentials found: send `Authorization: Bearer` with an API key, or the \
                 key in x-api-key or x-goog-api-key; one in the address is not read",
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

/// Refuses who has left as much as may be left in a day, while there is no
/// place to read an answer of theirs to its end: what they leave now would
/// cost them nothing.
fn refuse_who_leaves(gateway: &Gateway, who: &Principal, now_ms: u64) -> Result<(), Failure> {
    if !gateway.drains.is_full() || gateway.unknown.may_leave(who.into(), Nanos(1), now_ms) {
        return Ok(());
    }
    let mut failure = Failure::new(
        FailureKind::RateLimited,
        "Too many answers to this key or account were left before their end today, and no more of \
         them can be read to the end now. Read answers to their end, or try again later.",
    );
    failure.retry_after = Some(DRAIN_AWAITED);
    Err(failure)
}

/// Lets a call in at a worker's door, or says why not.
///
/// # Errors
/// It says nonsense, its key does not open this, or there is no room for it.
pub async fn enter(
    gateway: &Gateway,
    door: &Arc<Door>,
    headers: &HeaderMap,
    now_ms: u64,
) -> Result<Entered, Denied> {
    let said = Priority::of(headers)?;
    let bounds = gateway.admission.bounds();
    if said == Priority::Interactive && !door.admits(said) {
        return Err(Shed::Overload.into());
    }
    let admitted = admit(gateway, headers, now_ms).await?;
    let who = admitted.key.principal();
    refuse_who_leaves(gateway, who, now_ms)?;
    if bounds.priority(who, said) == Priority::Batch && !door.admits_batch() {
        let _place = bounds.wait(who)?;
        // Boxed: seldom, and the call's future should not have the room for it.
        Box::pin(door.wait(bounds.limits.batch_wait)).await?;
    }
    let in_flight = door.begin(bounds.take(who)?);
    Ok(Entered {
        admitted,
        in_flight,
    })
}

/// Lets a line of a batch in, whose key was let in with the batch and may have
/// been switched off since. It waited before, where no worker is disturbed by
/// it; see [`crate::admission::Admission::is_calm`].
///
/// # Errors
/// Its key does not open this any more, or has too many calls under way.
pub(crate) async fn enter_line(
    gateway: &Gateway,
    door: &Arc<Door>,
    hash: &KeyHash,
    now_ms: u64,
) -> Result<Entered, Denied> {
    let found = match gateway.keyring.get(hash) {
        Some(principal) => Some(principal),
        None => {
            let found = gateway.keyring.find(hash, &*gateway.office).await;
            found.map_err(|unavailable| unavailable.failure())?
        }
    };
    let gone = || {
        Failure::new(
            FailureKind::Authentication,
            "The API key that the batch was made with is gone.",
        )
    };
    let principal = found.ok_or_else(gone)?;
    let key = principal
        .may_infer(now_ms)
        .map_err(|refusal| refusal.failure())?;
    let in_flight = door.begin(gateway.admission.bounds().take(&principal)?);
    Ok(Entered {
        admitted: Admitted { key },
        in_flight,
    })
}
