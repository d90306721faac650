//! Answers that are kept, and told once more.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::books::KeyState;
use bourse_ledger::record::{self, Record};
use bourse_policy::key::{KeyText, RANDOM_BYTES};
use bourse_policy::{KeyHash, KeyKind, Limit, Principal};
use bourse_spool::Position;
use bourse_store::{Accounts, Keys, NewKey};
use bourse_vocab::{AccountId, Format, Nanos};
use bourse_wire::dialect::Prefill;
use serde_json::{Value, json};
use tokio::time::advance;

use super::harness::{Got, Harness, NOW, Play, market, ms, play, play_whole, secs};
use super::script::Answer;
use crate::cache::shelf::ANSWER_BYTES_MAX;

/// What an answer of ten tokens in and two out costs at the provider `one`.
const PRICE: i64 = 14_000;

/// The call asks for the cache.
fn cached(play: Play) -> Play {
    play.header("x-openrouter-cache", "true")
}

pub fn status(got: &Got) -> &str {
    header(got, "x-openrouter-cache-status")
}

pub fn header<'a>(got: &'a Got, name: &str) -> &'a str {
    let value = got.headers.get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

pub fn id(got: &Got) -> &str {
    header(got, "x-generation-id")
}

/// A call that ended, as it was booked.
#[derive(Debug, PartialEq, Eq)]
struct End {
    id: String,
    charge: i64,
    tokens: [u64; 2],
    source: Option<String>,
    streamed: bool,
    attempts: usize,
}

/// The calls that were paid for, in order.
fn ends(harness: &Harness) -> Vec<End> {
    let till = &harness.gateway().till;
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let batch = reader.read(till.spool().written(), 100_000).unwrap();
    let records = batch.iter().map(|bytes| record::decode(bytes).unwrap());
    records
        .filter_map(|record| {
            let Record::Settle(settle) = record else {
                return None;
            };
            let end = settle.settlement;
            let usage = end.facts.counts.usage();
            Some(End {
                id: end.id.to_string(),
                charge: end.charge.0,
                tokens: [usage.prompt, usage.completion],
                source: end.facts.cache_source.map(|source| source.to_string()),
                streamed: end.facts.flags.streamed,
                attempts: end.facts.attempts.len(),
            })
        })
        .collect()
}

/// The call is made twice, the second time seven seconds later.
async fn twice(play: &Play) -> (Harness, Got, Got) {
    let harness = play.harness().await;
    let first = harness.ask(play).await;
    advance(secs(7)).await;
    let second = harness.ask(play).await;
    (harness, first, second)
}

/// Whether the second of two such calls is a hit.
async fn is_kept(play: &Play) -> bool {
    let (harness, first, second) = twice(play).await;
    assert_ne!(status(&first), "HIT");
    let is_hit = status(&second) == "HIT";
    let calls = 2 - usize::from(is_hit);
    assert!(harness.script.called().len() >= calls);
    is_hit
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_the_same_is_answered_once_more_for_nothing() {
    let play = cached(play_whole()).one(Answer::whole());
    let (harness, first, second) = twice(&play).await;
    assert_eq!(status(&first), "MISS");
    assert_eq!(header(&first, "x-openrouter-cache-ttl"), "300");
    assert_eq!(header(&first, "x-openrouter-cache-age"), "");
    assert_eq!((second.status, status(&second)), (200, "HIT"));
    assert_eq!(header(&second, "x-openrouter-cache-ttl"), "293");
    assert_eq!(header(&second, "x-openrouter-cache-age"), "7");
    assert_eq!(header(&second, "x-openrouter-cache-source-id"), id(&first));
    assert_eq!(harness.script.called(), ["one"]);

    let bodies = [&first, &second].map(|got| serde_json::from_str::<Value>(&got.body).unwrap());
    let [mut asked, mut kept] = bodies;
    assert_eq!(kept["id"], id(&second));
    assert_eq!(kept["created"], NOW / 1_000 + 7);
    for (usage, tokens, cost) in [(&asked["usage"], 12, 14e-6), (&kept["usage"], 0, 0.0)] {
        assert_eq!(usage["total_tokens"], tokens);
        assert_eq!(usage["cost"].as_f64(), Some(cost));
    }
    // Nothing else differs.
    for name in ["id", "created", "usage"] {
        asked[name].take();
        kept[name].take();
    }
    assert_eq!(asked, kept);

    let end = |got: &Got, charge, tokens, source, attempts| End {
        id: id(got).to_owned(),
        charge,
        tokens,
        source,
        streamed: false,
        attempts,
    };
    let booked = [
        end(&first, PRICE, [10, 2], None, 1),
        end(&second, 0, [0, 0], Some(id(&first).to_owned()), 0),
    ];
    assert_eq!(ends(&harness), booked);
    assert_eq!((harness.spent(), harness.held()), (PRICE, 0));
    assert_eq!((harness.in_flight(), harness.failures()), (0, [0; 3]));
    let found = &harness.gateway().cache.counters.found;
    assert_eq!(found.each_ref().map(|count| count.load(Relaxed)), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_told_once_more_as_a_stream() {
    let answer = Answer::stream()
        .role()
        .comment()
        .text("he")
        .wait(secs(20))
        .text("llo")
        .finish()
        .usage(10, 2)
        .done();
    let play = cached(play()).one(answer);
    let (harness, first, second) = twice(&play).await;
    assert_eq!((status(&first), status(&second)), ("MISS", "HIT"));
    assert_eq!(header(&second, "content-type"), "text/event-stream");
    assert!(first.is_done() && second.is_done());
    assert_eq!(second.text(), "hello");
    assert_eq!((second.at, second.comments()), (ms(0), 0));
    assert_eq!(first.events().count(), second.events().count());
    for event in second.events() {
        assert_eq!(event["id"], id(&second));
        assert_eq!(event["created"], NOW / 1_000 + 27);
    }
    let last = second.events().last().unwrap();
    assert_eq!(last["usage"]["total_tokens"], 0);
    assert_eq!(last["usage"]["cost"].as_f64(), Some(0.0));
    assert_eq!(harness.script.called(), ["one"]);
    assert_eq!((harness.spent(), harness.in_flight()), (PRICE, 0));
    assert!(ends(&harness)[1].streamed);
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_and_every_format_of_a_provider_is_told_once_more() {
    for stream in [true, false] {
        let good = if stream {
            Answer::good()
        } else {
            Answer::whole()
        };
        let text = cached(play().member("stream", stream)).completes("Hello");
        let (_, first, second) = twice(&text.one(good)).await;
        assert_eq!((status(&first), status(&second)), ("MISS", "HIT"));
        assert!(second.body.contains("\"hi\""), "{}", second.body);
        assert!(!second.body.contains(id(&first)));
    }
    for format in [Format::Anthropic, Format::Gemini] {
        let other = Answer::obedient(7, ms(0)).speaking(format);
        let play = cached(play())
            .one(other)
            .setup(|setup| setup.others.push(("one", format, Prefill::None)));
        let (_, first, second) = twice(&play).await;
        assert_eq!((status(&first), status(&second)), ("MISS", "HIT"));
        assert_eq!((first.text(), second.text()), ("hi".into(), "hi".into()));
        assert!(second.is_done());
    }
}

#[tokio::test(start_paused = true)]
async fn thoughts_that_are_out_of_sight_stay_there() {
    let answer = || {
        let stream = Answer::stream().thought("secret").text("hi");
        stream.finish().usage(10, 2).done()
    };
    let (_, _, second) = twice(&cached(play()).hides_thoughts().one(answer())).await;
    assert_eq!(status(&second), "HIT");
    assert!(!second.body.contains("secret"));
    let (_, _, second) = twice(&cached(play()).one(answer())).await;
    assert!(second.body.contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_ask_for_it_has_no_cache() {
    let harness = play().one(Answer::good()).harness().await;
    harness.ask(&cached(play()).one(Answer::good())).await;
    for other in [
        play().one(Answer::good()),
        play()
            .one(Answer::good())
            .header("x-openrouter-cache", "maybe"),
        // Alone they ask for nothing.
        play()
            .one(Answer::good())
            .header("x-openrouter-cache-ttl", "60")
            .header("x-bourse-single-flight", "true"),
    ] {
        let got = harness.ask(&other).await;
        assert_eq!((got.status, status(&got)), (200, ""));
    }
    assert_eq!(harness.script.called().len(), 4);
    // And nobody has one where the operator wants none.
    let play = cached(play())
        .one(Answer::good())
        .setup(|setup| setup.cache_bytes_max = 0);
    let (harness, first, second) = twice(&play).await;
    assert_eq!([status(&first), status(&second)], ["", ""]);
    assert_eq!(harness.script.called().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_that_differ_are_told_apart() {
    let first = cached(play()).one(Answer::good());
    let harness = first.harness().await;
    harness.ask(&first).await;
    for other in [
        cached(play()).one(Answer::good()).member("temperature", 0),
        cached(play()).one(Answer::good()).member("stream", false),
        cached(play())
            .one(Answer::good())
            .header("x-anthropic-beta", "x"),
        cached(play()).one(Answer::good()).completes("Hello there"),
    ] {
        assert_ne!(status(&harness.ask(&other).await), "HIT");
    }
    // What says who calls is no part of it.
    let same = cached(play())
        .one(Answer::good())
        .header("x-title", "another")
        .header("x-session-id", "s")
        .wants_metadata();
    let got = harness.ask(&same).await;
    assert_eq!(status(&got), "HIT");
    assert!(!got.body.contains("openrouter_metadata"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_as_long_as_its_call_said_and_then_its_memory_is_free() {
    for (ttl, kept_s) in [("60abc", 60), ("1.5", 1), ("-1", 1), ("soon", 300)] {
        let play = cached(play())
            .one(Answer::good())
            .header("x-openrouter-cache-ttl", ttl);
        let harness = play.harness().await;
        assert_eq!(status(&harness.ask(&play).await), "MISS");
        advance(secs(kept_s) - ms(1)).await;
        let got = harness.ask(&play).await;
        assert_eq!(status(&got), "HIT", "{ttl}");
        // Never nothing: a second of which a part is left.
        assert_eq!(header(&got, "x-openrouter-cache-ttl"), "1");
        advance(ms(1)).await;
        assert_eq!(status(&harness.ask(&play).await), "MISS", "{ttl}");
        // Nobody calls any more.
        let gateway = Arc::clone(harness.gateway());
        tokio::spawn(async move { gateway.cache.keep_clean(gateway.clock).await });
        assert!(harness.gateway().cache.shelf.stock().bytes > 0);
        tokio::time::sleep(secs(kept_s + 10)).await;
        assert_eq!(harness.gateway().cache.shelf.stock().bytes, 0, "{ttl}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_whole_answers_are_kept() {
    let said = || Answer::stream().text("hi");
    for (name, play) in [
        ("an error", play().one(Answer::status(500))),
        ("a refusal", play().one(Answer::status(400))),
        ("a cut", play().one(said().cut())),
        ("an error after content", play().one(said().error_event())),
        ("an end without a finish", play().one(said())),
        (
            "an end that is an error",
            play().one(said().finish_as("error").usage(10, 2).done()),
        ),
        (
            "nothing",
            play().one(Answer::stream().finish().usage(10, 0).done()),
        ),
        ("a whole error", play_whole().one(Answer::status(503))),
    ] {
        assert!(!is_kept(&cached(play)).await, "{name}");
    }
    for (name, play) in [
        (
            "a filter's end",
            play().one(said().finish_as("content_filter").usage(10, 2).done()),
        ),
        ("no usage", play().one(said().finish().done())),
        (
            "the caller's own limit",
            play()
                .member("max_tokens", 2)
                .one(said().finish_as("length").usage(10, 2).done()),
        ),
        (
            "after a failover",
            play().one(Answer::status(500)).two(Answer::good()),
        ),
    ] {
        assert!(is_kept(&cached(play)).await, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_our_own_limit_cut_short_is_not_kept() {
    // A twentieth of a dollar pays for a part of what the model may say.
    let limited = |wants| {
        cached(play())
            .one(Answer::obedient(wants, ms(0)))
            .setup(|setup| setup.credit = 50_000_000)
    };
    assert!(is_kept(&limited(7)).await);
    let (harness, first, second) = twice(&limited(90_000)).await;
    assert!(first.body.contains("\"length\""));
    assert_eq!(status(&second), "MISS");
    assert_eq!(harness.script.called().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_others_went_on_with_is_not_kept_and_what_needed_nobody_is() {
    let continuing = |answer: Answer| {
        cached(play())
            .header("x-bourse-continue", "true")
            .one(answer)
            .two(Answer::stream().text(" you").finish().usage(10, 2).done())
            .setup(|setup| {
                for name in ["one", "two"] {
                    let other = (name, Format::OpenAiChat, Prefill::Prefix);
                    setup.others.push(other);
                }
            })
    };
    let (_, first, second) = twice(&continuing(Answer::stream().text("hi").cut())).await;
    assert_eq!(first.text(), "hi you");
    assert_eq!(status(&second), "MISS");
    let (_, first, second) = twice(&continuing(Answer::good())).await;
    assert_eq!((first.text(), second.text()), ("hi".into(), "hi".into()));
    assert_eq!(status(&second), "HIT");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_read_on_without_its_client_is_there_when_it_comes_back() {
    for (play, answer) in [
        (
            play(),
            Answer::stream()
                .text("hi")
                .wait(secs(9))
                .finish()
                .usage(10, 2)
                .done(),
        ),
        (play_whole(), Answer::late_whole(secs(9))),
    ] {
        let play = cached(play).drains().one(answer);
        let harness = play.harness().await;
        let leaving = cached(play_of(&play)).leaves(secs(1));
        harness.ask(&leaving).await;
        tokio::time::sleep(secs(20)).await;
        let got = harness.ask(&play).await;
        assert_eq!(status(&got), "HIT");
        assert!(got.body.contains("\"hi\""));
    }
}

/// The same call, without its headers and answers.
fn play_of(of: &Play) -> Play {
    let body: Value = serde_json::from_str(&of.body()).unwrap();
    let play = play().one(Answer::good());
    play.member("stream", body["stream"].clone())
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_is_answered_and_not_kept() {
    let piece = "x".repeat(60_000);
    let long = |pieces: usize| {
        let begun = Answer::stream().times(pieces, |answer| answer.text(&piece));
        cached(play()).one(begun.finish().usage(10, 2).done())
    };
    assert!(is_kept(&long(4)).await);
    let play = long(ANSWER_BYTES_MAX / 60_000 + 1);
    let (harness, first, second) = twice(&play).await;
    assert!(first.is_done() && second.is_done());
    assert_eq!(first.text().len(), second.text().len());
    assert_eq!(status(&second), "MISS");
    assert_eq!(harness.gateway().cache.underway.used(), 0);
    assert_eq!(harness.gateway().cache.shelf.stock().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_megabyte_is_found_again() {
    let asking = |last: &str| {
        // A picture: as text it would be too long for the model.
        let head = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAIAAAA";
        let picture = format!("data:image/png;base64,{head}{}{last}", "A".repeat(1 << 20));
        let content = json!([
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": picture}},
        ]);
        let messages = json!([{"role": "user", "content": content}]);
        cached(play())
            .one(Answer::good())
            .member("messages", messages)
    };
    let play = asking("A");
    let (harness, first, second) = twice(&play).await;
    assert_eq!((status(&first), status(&second)), ("MISS", "HIT"));
    assert_eq!(status(&harness.ask(&asking("B")).await), "MISS");
    assert_eq!(harness.gateway().bodies.used(), 0);
    // The request itself is not kept.
    assert!(harness.gateway().cache.shelf.stock().bytes < 10_000);
}

/// Another key of an account, as a header says it: one for each `number`.
pub async fn another_key(harness: &Harness, account: AccountId, number: u8) -> &'static str {
    let text = KeyText::generate(KeyKind::Inference, &[number; RANDOM_BYTES]);
    let new_key = NewKey {
        account,
        hash: KeyHash::of(text.reveal()),
        label: text.label(),
        name: "other".to_owned(),
        kind: KeyKind::Inference,
        limit: None,
        limit_reset: None,
        include_byok_in_limit: false,
        expires_at_ms: None,
        external: None,
        calls: bourse_policy::CallDefaults::default(),
    };
    let row = harness.store.create_key(new_key, NOW).await.unwrap();
    let accounts = harness.store.accounts_by_id(&[account]).await.unwrap();
    let gateway = harness.gateway();
    gateway.till.load(&accounts, std::slice::from_ref(&row));
    gateway.keyring.put(row.principal(), row.change_seq);
    Box::leak(format!("Bearer {}", text.reveal()).into_boxed_str())
}

#[tokio::test(start_paused = true)]
async fn no_key_is_given_what_another_one_asked() {
    let play = cached(play()).one(Answer::good());
    let harness = play.harness().await;
    assert_eq!(status(&harness.ask(&play).await), "MISS");
    assert_eq!(status(&harness.ask(&play).await), "HIT");
    let other = another_key(&harness, harness.account(), 9).await;
    let as_other = cached(super::harness::play())
        .one(Answer::good())
        .header("authorization", other);
    assert_eq!(status(&harness.ask(&as_other).await), "MISS");
    assert_eq!(status(&harness.ask(&as_other).await), "HIT");
    // Nor does it wait for it, or throw it away.
    let clearing = cached(super::harness::play())
        .one(Answer::good())
        .header("authorization", other)
        .header("x-openrouter-cache-clear", "true");
    assert_eq!(status(&harness.ask(&clearing).await), "MISS");
    assert_eq!(status(&harness.ask(&play).await), "HIT");
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_nothing_is_for_those_who_could_pay_for_it() {
    let play = cached(play()).one(Answer::good());
    let harness = play.harness().await;
    harness.ask(&play).await;
    // The account has as much as the answer cost, which does not pay for all
    // that might be said.
    harness.tops_up(PRICE);
    assert_eq!(status(&harness.ask(&play).await), "HIT");
    harness.tops_up(PRICE - 1);
    let refused = harness.ask(&play).await;
    assert_eq!((refused.status, status(&refused)), (402, ""));
    assert_eq!(harness.script.called(), ["one"]);

    // The same of a key whose limit is reached.
    let harness = play.harness().await;
    harness.ask(&play).await;
    let key = *harness.admit(None, NOW).await.unwrap().key.principal();
    let limit = |amount| KeyState {
        account: key.account,
        limit: Some(Limit {
            amount: Nanos(amount),
            reset: None,
        }),
        spent: Default::default(),
        change_seq: u64::MAX,
    };
    let books = harness.gateway().till.books();
    books.change_key(key.key, &limit(2 * PRICE));
    assert_eq!(status(&harness.ask(&play).await), "HIT");
    books.change_key(key.key, &limit(2 * PRICE - 1));
    assert_eq!(harness.ask(&play).await.status, 402);
    assert_eq!(harness.script.called(), ["one"]);
    assert_eq!((harness.spent(), harness.held()), (PRICE, 0));

    // And of one that is switched off, or has expired.
    for off in [
        Principal {
            disabled: true,
            ..key
        },
        Principal {
            expires_at_ms: Some(NOW),
            ..key
        },
    ] {
        harness.gateway().keyring.change(off, u64::MAX);
        assert_eq!(harness.ask(&play).await.status, 401);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_nothing_counts_as_a_call_of_its_key() {
    let slow = cached(play()).one(Answer::good().head_after(secs(5)));
    let play = slow.setup(|setup| setup.admission.key_calls_max = Some(1));
    let harness = play.harness().await;
    harness.ask(&play).await;
    let other = cached(super::harness::play())
        .one(Answer::good())
        .member("temperature", 0);
    let (_, meanwhile) = tokio::join!(harness.ask(&other), harness.ask(&play));
    assert_eq!(meanwhile.status, 429);
    assert_eq!(status(&harness.ask(&play).await), "HIT");
}

#[tokio::test(start_paused = true)]
async fn whoever_gave_an_answer_need_not_be_well_but_must_still_be_allowed() {
    let limited = Answer::status(429).header("retry-after", "100");
    let play = cached(play()).provider("one", [Answer::good(), limited]);
    let harness = play.harness().await;
    harness.ask(&play).await;
    let other = cached(super::harness::play())
        .one(Answer::good())
        .member("temperature", 0);
    assert_eq!(harness.ask(&other).await.status, 429);
    assert_eq!(harness.ask(&other).await.status, 429, "nobody is asked");
    assert_eq!(status(&harness.ask(&play).await), "HIT");

    // The operator does without the provider: as a call without a cache.
    let mut setup = play.setup;
    setup.without = Some("one");
    let gateway = harness.gateway();
    gateway
        .market
        .store(Arc::new(market(&setup, &gateway.memory)));
    let asked = cached(super::harness::play()).one(Answer::good());
    assert_eq!(harness.ask(&asked).await.status, 404);
    // And takes it back, with another interface.
    setup.without = None;
    setup.format = Format::Anthropic;
    gateway
        .market
        .store(Arc::new(market(&setup, &gateway.memory)));
    assert_ne!(status(&harness.ask(&asked).await), "HIT");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_clears_is_answered_anew() {
    let answers = ["old", "new", "newer"].map(|text| {
        let said = Answer::stream().text(text);
        said.finish().usage(10, 2).done()
    });
    let play = cached(play()).provider("one", answers);
    let harness = play.harness().await;
    harness.ask(&play).await;
    let clearing = |text| {
        cached(super::harness::play())
            .one(Answer::good())
            .header("x-openrouter-cache-clear", text)
    };
    let maybe = harness.ask(&clearing("maybe")).await;
    assert_eq!((status(&maybe), maybe.text()), ("HIT", "old".into()));
    let cleared = harness.ask(&clearing("true")).await;
    assert_eq!((status(&cleared), cleared.text()), ("MISS", "new".into()));
    let got = harness.ask(&play).await;
    assert_eq!((status(&got), got.text()), ("HIT", "new".into()));
    assert_eq!(header(&got, "x-openrouter-cache-source-id"), id(&cleared));
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_clear_does_not_come_back_after_it() {
    let said = |text, takes| {
        let said = Answer::stream().head_after(secs(takes)).text(text);
        said.finish().usage(10, 2).done()
    };
    // The new answer is there before the old one, or after it.
    for (new_takes, before) in [(2, 6), (8, 6)] {
        let answers = [said("old", 5), said("new", new_takes)];
        let play = cached(play()).provider("one", answers);
        let harness = play.harness().await;
        let clearing = cached(super::harness::play())
            .one(Answer::good())
            .header("x-openrouter-cache-clear", "true");
        let clear = async {
            tokio::time::sleep(secs(1)).await;
            harness.ask(&clearing).await
        };
        let look = async {
            tokio::time::sleep(secs(before)).await;
            harness.gateway().cache.shelf.stock().slots
        };
        let (old, new, slots) = tokio::join!(harness.ask(&play), clear, look);
        assert_eq!((old.text(), new.text()), ("old".into(), "new".into()));
        assert_eq!(slots, 1);
        let got = harness.ask(&play).await;
        assert_eq!((status(&got), got.text()), ("HIT", "new".into()));
    }
}
