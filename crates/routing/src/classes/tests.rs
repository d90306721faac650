use std::time::Duration;

use bourse_vocab::failure::UpstreamError;

use super::*;

fn failure(kind: Kind, status: u16, refused_us: bool) -> Failure {
    Failure::new(kind, "no").upstream(UpstreamError {
        status: (status > 0).then_some(status),
        refused_us,
        ..UpstreamError::default()
    })
}

/// The table once more, as what providers do: a signal, and what follows.
#[test]
fn every_signal_has_its_row() {
    use Place::{Sent, Unsent};
    use Sign::{Ejected, Failure as Failed, None, Rest, Silence};
    let by_upstream = |kind| {
        let mut failure = failure(kind, 404, false).next(Next::TryAnother);
        failure.blame = Blame::Upstream;
        failure
    };
    let mut not_called = Failure::unavailable("full").next(Next::TryAnother);
    not_called.blame = Blame::Us;
    let mut no_room = Failure::new(Kind::Overloaded, "full").next(Next::Stop);
    no_room.blame = Blame::Us;
    let plain = |kind, status| failure(kind, status, false);
    for (signal, place, name, then, signs) in [
        (
            failure(Kind::Unavailable, 403, true),
            Sent,
            "model_forbidden",
            Then::Next,
            [Ejected, None, None],
        ),
        (
            failure(Kind::Unavailable, 401, true),
            Sent,
            "account_refused",
            Then::Next,
            [None, Ejected, None],
        ),
        (
            failure(Kind::Unavailable, 402, true),
            Sent,
            "account_refused",
            Then::Next,
            [None, Ejected, None],
        ),
        (
            failure(Kind::Unavailable, 429, true),
            Sent,
            "account_refused",
            Then::Next,
            [None, Ejected, None],
        ),
        (
            plain(Kind::RateLimited, 429),
            Sent,
            "rate_limited",
            Then::Next,
            [Rest, None, None],
        ),
        (
            plain(Kind::Overloaded, 529),
            Sent,
            "provider_overloaded",
            Then::SameAgain,
            [Failed, None, Ejected],
        ),
        (
            plain(Kind::Overloaded, 503),
            Sent,
            "overloaded",
            Then::SameAgain,
            [Failed, None, None],
        ),
        (
            not_called,
            Unsent,
            "not_called",
            Then::SameAgain,
            [None, None, None],
        ),
        (
            no_room,
            Unsent,
            "not_called",
            Then::Stop,
            [None, None, None],
        ),
        (
            Failure::unavailable("refused"),
            Unsent,
            "unreachable",
            Then::SameAgain,
            [Failed, None, Failed],
        ),
        (
            plain(Kind::Timeout, 0),
            Unsent,
            "unconnected",
            Then::Next,
            [Silence, None, Failed],
        ),
        (
            Failure::unavailable("cut"),
            Sent,
            "unavailable",
            Then::SameAgain,
            [Failed, None, None],
        ),
        (
            plain(Kind::Unavailable, 500),
            Sent,
            "unavailable",
            Then::SameAgain,
            [Failed, None, None],
        ),
        (
            plain(Kind::Unavailable, 502),
            Sent,
            "unavailable",
            Then::SameAgain,
            [Failed, None, None],
        ),
        (
            plain(Kind::Timeout, 0),
            Sent,
            "silent",
            Then::Next,
            [Silence, None, None],
        ),
        (
            plain(Kind::Unmapped, 0),
            Sent,
            "unmapped",
            Then::Next,
            [Failed, None, None],
        ),
        (
            by_upstream(Kind::NotFound),
            Sent,
            "not_offered",
            Then::Next,
            [Failed, None, None],
        ),
        (
            by_upstream(Kind::Conflict),
            Sent,
            "not_offered",
            Then::Next,
            [Failed, None, None],
        ),
        (
            plain(Kind::ContextLengthExceeded, 400),
            Sent,
            "does_not_fit",
            Then::AnotherModel,
            [None, None, None],
        ),
        (
            plain(Kind::MaxTokensExceeded, 400),
            Sent,
            "does_not_fit",
            Then::AnotherModel,
            [None, None, None],
        ),
        (
            plain(Kind::ContentPolicy, 400),
            Sent,
            "does_not_fit",
            Then::AnotherModel,
            [None, None, None],
        ),
        (
            plain(Kind::InvalidRequest, 400),
            Sent,
            "callers_mistake",
            Then::Stop,
            [None, None, None],
        ),
        (
            Failure::server("bug"),
            Sent,
            "our_mistake",
            Then::Stop,
            [None, None, None],
        ),
    ] {
        let class = Class::of(&signal, place);
        assert_eq!(class.name, name, "{signal:?}");
        assert_eq!(class.then(&signal), then, "{name}");
        let said = [class.endpoint, class.credential, class.provider];
        assert_eq!(said, signs, "{name}");
    }
}

#[test]
fn every_kind_falls_into_a_row_whoever_is_to_blame() {
    for kind in Kind::ALL {
        for blame in [Blame::Caller, Blame::Upstream, Blame::Us] {
            for place in [Place::Unsent, Place::Sent] {
                for refused_us in [false, true] {
                    let mut failure = failure(*kind, 418, refused_us);
                    failure.blame = blame;
                    assert_ne!(Class::of(&failure, place), &OTHER, "{failure:?}");
                }
            }
        }
    }
}

/// What a row allows is what its kinds usually allow.
#[test]
fn rows_agree_with_what_usually_helps_against_their_kinds() {
    for class in CLASSES.iter().filter(|class| !class.refused_us) {
        for kind in class.kinds.iter().filter(|_| class.blame.is_none()) {
            let usual = match kind.usual().1 {
                Next::Stop => &[Then::Stop][..],
                Next::TryAnother => &[Then::Next, Then::SameAgain],
                Next::TryAnotherModel => &[Then::AnotherModel],
            };
            assert!(usual.contains(&class.then), "{}: {kind:?}", class.name);
        }
    }
}

#[test]
fn what_only_one_provider_cannot_take_is_tried_elsewhere_and_nobody_is_ill() {
    let large = failure(Kind::PayloadTooLarge, 413, false).next(Next::TryAnother);
    let class = Class::of(&large, Place::Sent);
    assert_eq!(class.then(&large), Then::Next);
    assert!(class.is_no_sign());
}

#[test]
fn whoever_names_a_time_is_not_asked_again_before_it() {
    let busy = failure(Kind::Overloaded, 503, false);
    let class = Class::of(&busy, Place::Sent);
    assert_eq!(class.then(&busy), Then::SameAgain);
    let busy = busy.retry_after(Duration::from_secs(1));
    assert_eq!(class.then(&busy), Then::Next);
}
