//! Who is calling, as a type.
//!
//! A handler that spends money takes an [`InferenceKey`], one that
//! administers takes a [`ManagementKey`]. Neither can be made without a
//! [`Principal`] of the right kind, so a route that forgets its check does
//! not compile.

use bourse_vocab::{AccountId, Failure, FailureKind, KeyId};

use crate::key::{KeyHash, KeyKind};

/// What calls with a key have by themselves. Of what is an [`Option`] a call may
/// say otherwise, and what is absent here as well is their model's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallDefaults {
    /// A stream that breaks is gone on with elsewhere.
    pub continues: Option<bool>,
    /// Another target is asked beside a late one.
    pub hedges: Option<bool>,
    /// No target is asked that cannot be told all of the request, whatever the
    /// request says of that.
    pub strict: bool,
}

/// What is known of a key once it has been found by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// Names the key.
    pub key: KeyId,
    /// The account that pays, or that is administered.
    pub account: AccountId,
    /// The key's public name.
    pub hash: KeyHash,
    /// What the key is for.
    pub kind: KeyKind,
    /// Switched off by an administrator.
    pub disabled: bool,
    /// Milliseconds since 1970 after which it no longer works.
    pub expires_at_ms: Option<u64>,
    /// What its calls have by themselves.
    pub calls: CallDefaults,
}

/// Why a key that we know may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// Switched off.
    #[error("This API key is disabled.")]
    Disabled,
    /// Past its date.
    #[error("This API key has expired.")]
    Expired,
    /// A management key at a model's door.
    #[error(
        "Management keys cannot be used for completions. Use an API key that begins with sk-bourse-v1-."
    )]
    NotForInference,
    /// An inference key at the office door.
    #[error("This endpoint needs a management key, which begins with sk-bourse-mgmt-.")]
    NotForManagement,
}

impl NotPermitted {
    /// As the caller is told: 401 for a key that works nowhere, 403 for one
    /// that works elsewhere.
    #[must_use]
    pub fn failure(self) -> Failure {
        let kind = match self {
            Self::Disabled | Self::Expired => FailureKind::Authentication,
            Self::NotForInference | Self::NotForManagement => FailureKind::PermissionDenied,
        };
        Failure::new(kind, self.to_string())
    }
}

impl Principal {
    fn is_alive(&self, now_ms: u64) -> Result<(), NotPermitted> {
        if self.disabled {
            return Err(NotPermitted::Disabled);
        }
        match self.expires_at_ms {
            Some(end) if now_ms >= end => Err(NotPermitted::Expired),
            _ => Ok(()),
        }
    }

    /// Lets the caller call models.
    ///
    /// # Errors
    /// A management key, or one that is disabled or expired.
    pub fn may_infer(self, now_ms: u64) -> Result<InferenceKey, NotPermitted> {
        self.is_alive(now_ms)?;
        match self.kind {
            KeyKind::Inference => Ok(InferenceKey(self)),
            KeyKind::Management => Err(NotPermitted::NotForInference),
        }
    }

    /// Lets the caller administer.
    ///
    /// # Errors
    /// An inference key, or one that is disabled or expired.
    pub fn may_manage(self, now_ms: u64) -> Result<ManagementKey, NotPermitted> {
        self.is_alive(now_ms)?;
        match self.kind {
            KeyKind::Management => Ok(ManagementKey(self)),
            KeyKind::Inference => Err(NotPermitted::NotForManagement),
        }
    }

    /// Lets the caller read what any living key may read about itself.
    ///
    /// # Errors
    /// A key that is disabled or expired.
    pub fn may_read(self, now_ms: u64) -> Result<Self, NotPermitted> {
        self.is_alive(now_ms).map(|()| self)
    }
}

/// Proof that the caller may call models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferenceKey(Principal);

/// Proof that the caller may administer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagementKey(Principal);

impl InferenceKey {
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.0
    }
}

impl ManagementKey {
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(kind: KeyKind) -> Principal {
        Principal {
            key: KeyId(1),
            account: AccountId(1),
            hash: KeyHash::of("x"),
            kind,
            disabled: false,
            expires_at_ms: Some(1_000),
            calls: CallDefaults::default(),
        }
    }

    #[test]
    fn each_kind_of_key_opens_its_own_door_only() {
        let inference = principal(KeyKind::Inference);
        assert!(inference.may_infer(999).is_ok());
        assert_eq!(
            inference.may_manage(999),
            Err(NotPermitted::NotForManagement)
        );
        let management = principal(KeyKind::Management);
        assert!(management.may_manage(999).is_ok());
        assert_eq!(
            management.may_infer(999),
            Err(NotPermitted::NotForInference)
        );
        assert_eq!(NotPermitted::NotForInference.failure().status(), 403);
    }

    #[test]
    fn a_disabled_or_expired_key_opens_nothing() {
        for kind in [KeyKind::Inference, KeyKind::Management] {
            let alive = principal(kind);
            let off = Principal {
                disabled: true,
                ..alive
            };
            for (who, now_ms, why) in [
                (alive, 1_000, NotPermitted::Expired),
                (off, 0, NotPermitted::Disabled),
            ] {
                assert_eq!(who.may_infer(now_ms), Err(why));
                assert_eq!(who.may_manage(now_ms), Err(why));
                assert_eq!(who.may_read(now_ms), Err(why));
                assert_eq!(why.failure().status(), 401);
            }
        }
    }
}
