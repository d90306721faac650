//! Who asks. The guard of a route ([`crate::route`]) finds out and leaves
//! proof; handlers take the proof, and there is no other way to get one.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use bourse_policy::{ManagementKey, NotPermitted, Principal};
use bourse_vocab::{AccountId, Failure};

use crate::Shared;
use crate::error::Refused;

/// The holder of a living key of either kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) Principal);

/// The holder of a living management key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manager(pub(crate) ManagementKey);

impl Manager {
    /// Whom the key administers.
    pub(crate) const fn account(&self) -> AccountId {
        self.0.principal().account
    }
}

/// Perhaps the holder of a key, on a public route that tells key holders
/// more. A bad key counts as none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor {
    /// Whether a living key was shown.
    pub(crate) has_key: bool,
}

/// Identifies the holder of a living key.
pub(crate) async fn caller(desk: &Shared, headers: &HeaderMap) -> Result<Caller, Refused> {
    let principal = desk.office.identify(headers).await?;
    let alive = principal.may_read(desk.office.now_ms());
    Ok(Caller(alive.map_err(NotPermitted::failure)?))
}

/// Identifies the holder of a living management key.
pub(crate) async fn manager(desk: &Shared, headers: &HeaderMap) -> Result<Manager, Refused> {
    let principal = desk.office.identify(headers).await?;
    let proof = principal.may_manage(desk.office.now_ms());
    Ok(Manager(proof.map_err(NotPermitted::failure)?))
}

fn unguarded() -> Refused {
    Refused(Failure::server(
        "a handler wants more than its route checks",
    ))
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refused> {
        parts.extensions.get().copied().ok_or_else(unguarded)
    }
}

impl FromRequestParts<Shared> for Manager {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refused> {
        parts.extensions.get().copied().ok_or_else(unguarded)
    }
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, desk: &Shared) -> Result<Self, Refused> {
        let has_key =
            parts.headers.contains_key(AUTHORIZATION) && caller(desk, &parts.headers).await.is_ok();
        Ok(Self { has_key })
    }
}
