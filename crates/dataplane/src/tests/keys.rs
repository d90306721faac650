//! A key that a thread recalls is the key that the keyring has: whatever
//! changes of it counts with the next call.

use std::sync::Arc;

use bourse_policy::key::RANDOM_BYTES;
use bourse_policy::{KeyKind, KeyText, Principal};
use bourse_vocab::{Failure, FailureKind};

use super::harness::{Harness, NOW, play};
use crate::keyring::{Keyring, recent};
use crate::phases::admit::Admitted;

fn key(seed: u8) -> KeyText {
    KeyText::generate(KeyKind::Inference, &[seed; RANDOM_BYTES])
}

fn why(admitted: Result<Admitted, Failure>) -> (FailureKind, String) {
    let failure = admitted.unwrap_err();
    (failure.kind, failure.message.into_owned())
}

/// A harness whose key was presented twice, so that the second was recalled.
async fn recalling() -> (Harness, Principal) {
    let harness = play().harness().await;
    let first = harness.admit(None, NOW).await.unwrap();
    let principal = *first.key.principal();
    assert_eq!(recent::recall(harness.key()), Some(principal.hash));
    let second = harness.admit(None, NOW).await.unwrap();
    assert_eq!(second.key, first.key);
    (harness, principal)
}

#[tokio::test]
async fn a_recalled_key_that_is_disabled_is_refused_with_the_next_call() {
    let (harness, principal) = recalling().await;
    let disabled = Principal {
        disabled: true,
        ..principal
    };
    harness.gateway().keyring.change(disabled, u64::MAX);
    let refused = why(harness.admit(None, NOW).await);
    assert_eq!(
        refused,
        (
            FailureKind::Authentication,
            "This API key is disabled.".to_owned()
        )
    );
    // And works again once it is enabled.
    harness.gateway().keyring.change(principal, u64::MAX);
    assert!(harness.admit(None, NOW).await.is_ok());
}

#[tokio::test]
async fn a_recalled_key_expires_on_time() {
    let (harness, principal) = recalling().await;
    let dated = Principal {
        expires_at_ms: Some(NOW + 10),
        ..principal
    };
    harness.gateway().keyring.change(dated, u64::MAX);
    assert!(harness.admit(None, NOW + 9).await.is_ok());
    let refused = why(harness.admit(None, NOW + 10).await);
    assert_eq!(
        refused,
        (
            FailureKind::Authentication,
            "This API key has expired.".to_owned()
        )
    );
}

#[tokio::test]
async fn a_recalled_key_opens_nothing_at_a_keyring_that_does_not_know_it() {
    let (mut harness, principal) = recalling().await;
    let other = key(9);
    let keyring = Keyring::default();
    let hash = other.hash();
    keyring.put(Principal { hash, ..principal }, 1);
    let gateway = Arc::get_mut(&mut harness.worker.gateway).unwrap();
    gateway.keyring = Arc::new(keyring);
    let refused = why(harness.admit(None, NOW).await);
    let unknown = "User not found.".to_owned();
    assert_eq!(refused, (FailureKind::Authentication, unknown));
    // What was refused pushes nothing out; another good key does.
    assert!(recent::recall(harness.key()).is_some());
    assert!(harness.admit(Some(other.reveal()), NOW).await.is_ok());
    assert!(recent::recall(harness.key()).is_none());
    assert_eq!(recent::recall(other.reveal()), Some(hash));
}

#[tokio::test]
async fn an_invented_key_pushes_no_good_one_out() {
    let (harness, principal) = recalling().await;
    for seed in 20..24 {
        assert!(harness.admit(Some(key(seed).reveal()), NOW).await.is_err());
    }
    let mistyped = format!("{}x", &harness.key()[..harness.key().len() - 1]);
    assert!(harness.admit(Some(&mistyped), NOW).await.is_err());
    assert_eq!(recent::recall(harness.key()), Some(principal.hash));
}
