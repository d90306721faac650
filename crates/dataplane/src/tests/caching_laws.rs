//! Many keys that ask the same at once, and leave when they like: what holds
//! whatever comes of each call.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_ledger::record::{self, Record};
use bourse_spool::Position;
use bourse_vocab::{GenerationId, KeyId};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::caching::{another_key, header, id, status};
use super::harness::{Got, Harness, Play, ms, play, secs};
use super::script::Answer;
use crate::phases::hold::goals::Dice;

const KEYS: u8 = 8;
const CALLS: usize = 1_500;
/// All of them begin within so many milliseconds.
const WITHIN_MS: u64 = 120_000;

/// One call: who, when, what, and when its client leaves.
struct Case {
    key: &'static str,
    at: Duration,
    play: Play,
}

fn case(keys: &[&'static str], dice: &mut Dice) -> Case {
    let most = u64::try_from(keys.len()).unwrap() - 1;
    let key = keys[usize::try_from(dice.upto(most)).unwrap()];
    let mut play = play()
        .one(Answer::good())
        .header("authorization", key)
        .header("x-openrouter-cache", "true")
        .header("x-openrouter-cache-ttl", "20")
        .member("temperature", dice.upto(2))
        .member("stream", dice.one_in(2));
    if dice.one_in(2) {
        play = play.header("x-bourse-single-flight", "true");
    }
    if dice.one_in(40) {
        play = play.header("x-openrouter-cache-clear", "true");
    }
    if dice.one_in(3) {
        play = play.leaves(ms(dice.upto(6_000)));
    }
    Case {
        key,
        at: ms(dice.upto(WITHIN_MS)),
        play,
    }
}

/// Each answer says another text, after up to five seconds, and one in five is
/// none.
fn deal(mut dice: Dice) -> impl FnMut(&str, &Value) -> Answer + Send {
    let mut number = 0_u64;
    move |_, body| {
        number += 1;
        let (text, wait) = (format!("answer {number}."), ms(dice.upto(5_000)));
        let is_stream = body["stream"] == true;
        match dice.upto(9) {
            0 => Answer::status(400).head_after(wait),
            1 if is_stream => Answer::stream().text(&text).wait(wait).cut(),
            1 => Answer::status(500),
            _ if is_stream => {
                let said = Answer::stream().text(&text).wait(wait).text(" End.");
                said.finish().usage(10, 2).done()
            }
            _ => Answer::reply(&json!({
                "id": "up", "usage": {"prompt_tokens": 10, "completion_tokens": 2},
                "choices": [{"index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text}}],
            }))
            .head_after(wait),
        }
    }
}

/// What a client was told, if it was told all of it.
fn text(got: &Got) -> Option<String> {
    if !got.is_ended || got.status != 200 {
        return None;
    }
    let Ok(whole) = serde_json::from_str::<Value>(&got.body) else {
        return got.is_done().then(|| got.text());
    };
    let content = &whole["choices"][0]["message"]["content"];
    content.as_str().map(str::to_owned)
}

/// Each call that was paid for: by which key, what, and out of which call's
/// answer.
fn paid(harness: &Harness) -> HashMap<String, (KeyId, i64, Option<GenerationId>)> {
    let till = &harness.gateway().till;
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let mut paid = HashMap::new();
    loop {
        let batch = reader.read(till.spool().written(), 100_000).unwrap();
        if batch.iter().next().is_none() {
            return paid;
        }
        for bytes in batch.iter() {
            if let Record::Settle(settle) = record::decode(bytes).unwrap() {
                let (key, end) = (settle.key, settle.settlement);
                let one = (key, end.charge.0, end.facts.cache_source);
                assert!(paid.insert(end.id.to_string(), one).is_none(), "once");
            }
        }
    }
}

/// Every hit is the answer to a call of the same key, to the letter.
fn check(harness: &Harness, told: &[(&str, Got)]) -> usize {
    let paid = paid(harness);
    let by_id: HashMap<&str, (&str, Option<String>)> = told
        .iter()
        .map(|(key, got)| (id(got), (*key, text(got))))
        .collect();
    let mut hits = 0;
    for (key, got) in told.iter().filter(|(_, got)| status(got) == "HIT") {
        let source = header(got, "x-openrouter-cache-source-id");
        let (own, charge, recorded) = &paid[id(got)];
        assert_eq!(
            (*charge, recorded.unwrap().to_string().as_str()),
            (0, source)
        );
        let (whose, paid_for, original) = &paid[source];
        assert_eq!((own, original), (whose, &None), "of the same key");
        assert!(*paid_for > 0);
        // Of a client that had left nobody knows what it would have seen.
        if let Some((by, Some(said))) = by_id.get(source) {
            assert_eq!(by, key);
            assert!(text(got).is_none_or(|text| text == *said));
        }
        hits += 1;
    }
    let sum: i64 = paid.values().map(|(_, charge, _)| charge).sum();
    assert_eq!(harness.spent(), sum);
    hits
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_and_whatever_fails_no_key_is_given_anothers_answer_and_nothing_is_left() {
    let (mut hits, mut shared) = (0, 0);
    for seed in 0..4 {
        let dice = &mut Dice(seed);
        let whoever = play().one(Answer::good());
        let whoever = whoever.setup(|setup| {
            setup.drains = seed % 2 == 1;
            // Nobody waits for money.
            setup.credit = 1_000_000_000_000;
        });
        let harness = whoever.harness().await;
        harness.script.deals(Box::new(deal(Dice(seed + 100))));
        let mut keys = Vec::new();
        for number in 20..20 + KEYS {
            keys.push(another_key(&harness, harness.account(), number).await);
        }
        let cases: Vec<_> = (0..CALLS).map(|_| case(&keys, dice)).collect();
        let asking = cases.iter().map(|case| async {
            sleep(case.at).await;
            (case.key, harness.ask(&case.play).await)
        });
        let told = join_all(asking).await;
        // What is read on has an end.
        while harness.in_flight() > 0 || harness.held() > 0 {
            sleep(secs(1)).await;
        }
        hits += check(&harness, &told);
        let gateway = harness.gateway();
        let [served, in_vain] = gateway.cache.counters.shared.each_ref();
        assert!(in_vain.load(Relaxed) > 0, "some fail");
        shared += served.load(Relaxed);
        assert_eq!(gateway.cache.flights.waiting(), 0);
        let rooms = [&gateway.cache.underway, &gateway.bodies, &gateway.replies];
        assert_eq!(rooms.map(|room| room.used()), [0; 3]);
        gateway.cache.shelf.sweep(u64::MAX);
        assert_eq!(gateway.cache.shelf.stock().bytes, 0);
    }
    assert!(hits > 2_000, "{hits}");
    assert!(shared > 100, "{shared}");
}
