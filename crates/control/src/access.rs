//! Who may use a route: the type of its handler's second argument.
//!
//! Each type here can only be made by its check, so a handler that has one
//! was reached by a caller who may; and a handler without one is no handler
//! (see [`crate::route`]).

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use bourse_policy::{InferenceKey, ManagementKey, NotPermitted, Principal};
use bourse_vocab::AccountId;

use crate::error::Result;
use crate::state::Shared;

/// Who may use a route, for tables and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone.
    Public,
    /// The holder of a living key of either kind.
    AnyKey,
    /// The holder of a living key that may call models.
    Inference,
    /// The holder of a living management key.
    Management,
}

/// What a handler asks of its caller before it runs.
pub(crate) trait Proof: Sized + Send {
    /// The same, for tables and documents.
    const ACCESS: Access;

    /// Checks the caller.
    ///
    /// # Errors
    /// The caller may not: 401 without a living key, 403 with one of the
    /// wrong kind.
    fn check(parts: &Parts, state: &Shared) -> impl Future<Output = Result<Self>> + Send;

    /// Whether the answer is for this caller alone, so that nothing on the
    /// way may keep it for the next one.
    fn is_private(&self) -> bool;
}

/// No proof: the route is open, and that is said on purpose.
pub(crate) struct Public;

impl Proof for Public {
    const ACCESS: Access = Access::Public;

    async fn check(_: &Parts, _: &Shared) -> Result<Self> {
        Ok(Self)
    }

    fn is_private(&self) -> bool {
        false
    }
}

/// Perhaps the holder of a key, on an open route that shows key holders
/// more. A bad key counts as none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor {
    /// Whether a living key was shown.
    pub(crate) has_key: bool,
}

impl Proof for Visitor {
    const ACCESS: Access = Access::Public;

    async fn check(parts: &Parts, state: &Shared) -> Result<Self> {
        let is_said = parts.headers.contains_key(AUTHORIZATION);
        let has_key = is_said && Caller::check(parts, state).await.is_ok();
        Ok(Self { has_key })
    }

    fn is_private(&self) -> bool {
        self.has_key
    }
}

/// Perhaps the holder of a management key, on an open route that shows such
/// holders how the server is doing. Any other key counts as none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overseer {
    /// Whether a living management key was shown.
    pub(crate) may_oversee: bool,
}

impl Proof for Overseer {
    const ACCESS: Access = Access::Public;

    async fn check(parts: &Parts, state: &Shared) -> Result<Self> {
        let is_said = parts.headers.contains_key(AUTHORIZATION);
        let may_oversee = is_said && Manager::check(parts, state).await.is_ok();
        Ok(Self { may_oversee })
    }

    fn is_private(&self) -> bool {
        self.may_oversee
    }
}

/// The holder of a living key of either kind.
pub(crate) struct Caller(Principal);

impl Caller {
    /// Whose key it is.
    pub(crate) const fn principal(&self) -> &Principal {
        &self.0
    }
}

impl Proof for Caller {
    const ACCESS: Access = Access::AnyKey;

    async fn check(parts: &Parts, state: &Shared) -> Result<Self> {
        let principal = state.backend.identify(&parts.headers).await?;
        let alive = principal.may_read(state.backend.now_ms());
        Ok(Self(alive.map_err(NotPermitted::failure)?))
    }

    fn is_private(&self) -> bool {
        true
    }
}

/// The holder of a living key that may call models: what it keeps here is for
/// calls, or of them.
pub(crate) struct Inferring(InferenceKey);

impl Inferring {
    /// The key itself.
    pub(crate) const fn principal(&self) -> &Principal {
        self.0.principal()
    }

    /// The account that pays.
    pub(crate) const fn account(&self) -> AccountId {
        self.0.principal().account
    }
}

impl Proof for Inferring {
    const ACCESS: Access = Access::Inference;

    async fn check(parts: &Parts, state: &Shared) -> Result<Self> {
        let principal = state.backend.identify(&parts.headers).await?;
        let proof = principal.may_infer(state.backend.now_ms());
        Ok(Self(proof.map_err(NotPermitted::failure)?))
    }

    fn is_private(&self) -> bool {
        true
    }
}

/// The holder of a living management key.
pub(crate) struct Manager(ManagementKey);

impl Manager {
    /// The key itself.
    pub(crate) const fn principal(&self) -> &Principal {
        self.0.principal()
    }

    /// The account that the key administers.
    pub(crate) const fn account(&self) -> AccountId {
        self.0.principal().account
    }
}

impl Proof for Manager {
    const ACCESS: Access = Access::Management;

    async fn check(parts: &Parts, state: &Shared) -> Result<Self> {
        let principal = state.backend.identify(&parts.headers).await?;
        let proof = principal.may_manage(state.backend.now_ms());
        Ok(Self(proof.map_err(NotPermitted::failure)?))
    }

    fn is_private(&self) -> bool {
        true
    }
}
