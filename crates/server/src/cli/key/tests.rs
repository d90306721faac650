//! What the options of keys mean.

use super::*;

#[test]
fn limits_and_expiries_are_read_or_refused_in_words() {
    assert_eq!(limit_or_none("none"), Ok(OrNone::None));
    assert_eq!(
        limit_or_none("2.50"),
        Ok(OrNone::Some(Nanos(2_500_000_000)))
    );
    assert!(limit_or_none("-1").unwrap_err().contains("negative"));
    assert!(limit_or_none("much").is_err());

    let soon = expiry("1h").unwrap();
    assert!((now_ms()..=now_ms() + 3_600_000).contains(&soon));
    assert!(expiry("2020-01-01").unwrap_err().contains("key disable"));
    assert!(expiry("soon").unwrap_err().contains("30d"));
    assert_eq!(expiry_or_none("none"), Ok(OrNone::None));
}

#[test]
fn a_change_of_nothing_is_refused() {
    let nothing = Set {
        key: Named {
            key: "x".to_owned(),
            account: None,
        },
        name: None,
        limit: None,
        limit_reset: None,
        expires: None,
        strict: None,
        json: false,
    };
    assert!(
        nothing
            .patch()
            .unwrap_err()
            .to_string()
            .contains("--expires")
    );
    let reset = Set {
        limit_reset: Some(Reset::None),
        ..nothing
    };
    assert_eq!(reset.patch().unwrap().limit_reset, Some(None));
}
