//! The limit that a provider is told is what the hold pays for.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_ledger::record::{self, Record};
use bourse_spool::Position;
use bourse_vocab::Format;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::sleep;

use super::harness::{Got, Harness, Play, ms, play, play_whole, secs};
use super::script::{Answer, WINDOW};
use crate::alarms::kind::Kind;

/// What a token of the output costs in nano-dollars.
const OUTPUT_NANOS: i64 = 2_000;

fn with_credit(play: Play, credit: i64) -> Play {
    play.setup(|setup| setup.credit = credit)
}

/// What the only provider was told, the last time.
fn told(harness: &Harness) -> Option<u64> {
    harness.script.bodies().last().unwrap()["max_tokens"].as_u64()
}

#[tokio::test(start_paused = true)]
async fn where_there_is_plenty_all_that_the_model_may_say_is_set_aside_and_nobody_is_told() {
    for play in [play(), play_whole()] {
        let played = with_credit(play, 10_000_000_000)
            .one(Answer::obedient(70_000, ms(10)))
            .check("settled 20/70000; customer pays one")
            .await;
        assert_eq!(told(&played.harness), None);
        assert!(played.booked.holds[0] > i64::try_from(WINDOW).unwrap() * OUTPUT_NANOS);
        assert_eq!(played.booked.facts.unwrap().limit, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_little_the_provider_is_told_what_the_hold_pays_for() {
    for play in [play(), play_whole()] {
        let played = with_credit(play, 60_000_000)
            .one(Answer::obedient(90_000, ms(10)))
            .play()
            .await;
        let limit = told(&played.harness).unwrap();
        let held = played.booked.holds[0];
        assert!(held >= i64::try_from(limit).unwrap() * OUTPUT_NANOS);
        // Half of what there is, because nobody else is calling.
        assert!((29_000_000..=30_000_000).contains(&held), "{held}");
        assert_eq!(
            played.booked.end,
            format!("settled 20/{limit}; customer pays one")
        );
        let facts = played.booked.facts.unwrap();
        assert_eq!((facts.limit, &*facts.finish), (limit, "length"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_learns_why_its_answer_was_cut_short_and_what_helps() {
    let play = with_credit(play_whole(), 60_000_000)
        .wants_metadata()
        .one(Answer::obedient(90_000, ms(10)));
    let played = play.play().await;
    let body: Value = serde_json::from_str(&played.got.body).unwrap();
    let limit = &body["openrouter_metadata"]["output_limit"];
    assert_eq!(limit["max_tokens"].as_u64(), told(&played.harness));
    assert!(limit["reason"].is_string() && limit["remedy_hint"].is_string());
    assert_eq!(body["choices"][0]["finish_reason"], "length");
}

#[tokio::test(start_paused = true)]
async fn a_callers_own_limit_is_sent_as_it_is_or_refused_with_what_can_be_afforded() {
    let play = |credit| {
        with_credit(play_whole(), credit)
            .member("max_tokens", 4_000)
            .one(Answer::obedient(90_000, ms(10)))
    };
    let played = play(8_200_000).play().await;
    assert_eq!(told(&played.harness), Some(4_000));
    assert_eq!(
        played.booked.end, "settled 20/4000; customer pays one",
        "what was asked is what was paid"
    );
    let refused = play(4_000_000).play().await;
    assert_eq!(refused.got.status, 402);
    let message = message(&refused.got);
    let rest = message
        .strip_prefix("This request requires more credits, or fewer max_tokens. You requested up to 4000 tokens, but can only afford ")
        .unwrap_or_else(|| panic!("{message}"));
    let affordable: u64 = rest.split_once('.').unwrap().0.parse().unwrap();
    assert!((1_800..2_000).contains(&affordable), "{affordable}");
    assert!(refused.harness.script.called().is_empty());
}

fn message(got: &Got) -> String {
    let body: Value = serde_json::from_str(&got.body).unwrap();
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn hidden_thoughts_cost_the_house_nothing() {
    // The audit's case: sixty streams at once on ten dollars, a model that
    // thinks 49,000 tokens and shows five. Here for a sixtieth of the price.
    for format in Format::ALL {
        let answer = Answer::obedient(50_000, secs(1)).speaking(format);
        let play = with_credit(play(), 500_000_000)
            .setup(|setup| setup.format = format)
            .one(answer);
        let harness = play.harness().await;
        let got = join_all((0..60).map(|_| harness.ask(&play))).await;
        let served = got.iter().filter(|got| got.status == 200).count();
        assert!(served >= 10, "{format:?}: {served}");
        let books = books_of(&harness);
        assert_eq!(books.loss, 0, "{format:?}");
        assert_eq!(books.ended, served);
        let paid = books.charged;
        assert!(paid > 100_000_000, "{format:?}: worth {paid} n$");
    }
}

/// What the journal says of all calls.
#[derive(Debug, Default)]
struct Sum {
    ended: usize,
    charged: i64,
    loss: i64,
}

fn books_of(harness: &Harness) -> Sum {
    let till = &harness.gateway().till;
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let batch = reader.read(till.spool().written(), 1_000_000).unwrap();
    let mut sum = Sum::default();
    for bytes in batch.iter() {
        if let Record::Settle(settle) = record::decode(bytes).unwrap() {
            sum.ended += 1;
            sum.charged += settle.settlement.charge.0;
            sum.loss += settle.settlement.charge.0 - settle.paid.0;
        }
    }
    sum
}

#[tokio::test(start_paused = true)]
async fn a_dollar_pays_for_five_hundred_calls_at_once_that_are_worth_it() {
    const CALLS: usize = 512;
    // Each is worth 0.00195 dollars: all of them 0.998.
    const TOKENS: u64 = 964;
    for (name, play) in [("streamed", play()), ("whole", play_whole())] {
        let play = with_credit(play, 1_000_000_000).one(Answer::obedient(TOKENS, secs(1)));
        let harness = play.harness().await;
        let got = join_all((0..CALLS).map(|_| harness.ask(&play))).await;
        let served = got.iter().filter(|got| got.status == 200).count();
        let last = got.iter().map(|got| got.at).max().unwrap();
        println!("{name}: {served} of {CALLS} served within {last:?}");
        assert!(served * 100 >= CALLS * 95, "{served}");
        assert!(last < secs(30), "{last:?}");
        let books = books_of(&harness);
        assert_eq!(books.loss, 0);
        let worth = i64::try_from(served).unwrap() * (20_000 + 964 * OUTPUT_NANOS);
        assert_eq!(books.charged, worth, "no answer was cut short");
        assert_eq!(harness.gateway().waiting.waiting(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_money_that_a_running_one_frees() {
    let play = with_credit(play_whole(), 10_000_000)
        .member("max_tokens", 4_000)
        .one(Answer::obedient(10, secs(4)));
    let harness = play.harness().await;
    let (first, second) = tokio::join!(harness.ask(&play), async {
        sleep(ms(1)).await;
        harness.ask(&play).await
    });
    assert_eq!((first.status, second.status), (200, 200));
    assert!((ms(7_990)..secs(9)).contains(&second.at), "{:?}", second.at);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_waited_long_enough_is_told_when_to_ask_again() {
    let play = with_credit(play_whole(), 10_000_000)
        .member("max_tokens", 4_000)
        .one(Answer::obedient(10, secs(60)));
    let harness = play.harness().await;
    let (_, second) = tokio::join!(harness.ask(&play), async {
        sleep(ms(1)).await;
        harness.ask(&play).await
    });
    assert_eq!(second.status, 402);
    assert_eq!(second.retry_after.as_deref(), Some("5"));
    assert!(second.body.contains("in_flight_budget_exhausted"));
    let waited = second.head_at;
    assert!((secs(20)..secs(21)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_will_never_fit_does_not_wait() {
    let play = with_credit(play_whole(), 10_000_000)
        .member("max_tokens", 50_000)
        .one(Answer::whole());
    let played = play.play().await;
    assert_eq!(played.got.status, 402);
    assert_eq!(played.got.retry_after, None);
    assert!(played.got.body.contains("weight_exceeds_budget"));
    assert_eq!(played.got.head_at, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_it_waits_leaves_nothing_behind() {
    let play = with_credit(play_whole(), 10_000_000)
        .member("max_tokens", 4_000)
        .one(Answer::obedient(10, secs(4)));
    let harness = play.harness().await;
    let hasty = with_credit(play_whole(), 0)
        .member("max_tokens", 4_000)
        .leaves(secs(1))
        .one(Answer::whole());
    tokio::join!(harness.ask(&play), async {
        sleep(ms(1)).await;
        harness.ask(&hasty).await;
        assert_eq!(harness.gateway().waiting.waiting(), 0);
    });
    assert_eq!(harness.script.called().len(), 1);
    assert_eq!(harness.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_keep_its_limit_costs_the_house_one_answer() {
    // There is money for 25,000 output tokens; the window has 100,000.
    let overrun = Answer::reply(&serde_json::json!({
        "id": "up-1",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 40_000, "total_tokens": 40_010},
    }));
    let play = with_credit(play_whole(), 50_000_000)
        .member("max_tokens", 1_000)
        .one(overrun);
    let harness = play.harness().await;
    harness.ask(&play).await;
    let once = books_of(&harness);
    assert!(once.loss > 0, "{once:?}");
    assert_eq!(harness.target("one").metrics.overruns.load(Relaxed), 1);
    let told = harness.gateway().alarms.subjects(Kind::LimitNotKept);
    assert_eq!(told, ["acme/chat@one"]);
    // Whoever has money for the limit, and not for all that the model may say,
    // is refused rather than paid for.
    harness.tops_up(100_000_000);
    assert_eq!(harness.ask(&play).await.status, 402);
    assert_eq!(books_of(&harness).ended, 1);
    harness.tops_up(1_000_000_000);
    assert_eq!(harness.ask(&play).await.status, 200);
    assert_eq!(books_of(&harness).loss, once.loss);
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_says_that_it_cost_is_what_was_paid() {
    // Far beyond its limit, and beyond all that there is.
    let played = with_credit(play_whole(), 3_000_000)
        .member("max_tokens", 1_000)
        .one(Answer::reply(&serde_json::json!({
            "id": "up-1",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 9_000, "total_tokens": 9_010},
        })))
        .check("settled 10/9000; short; customer pays one")
        .await;
    let body: Value = serde_json::from_str(&played.got.body).unwrap();
    assert_eq!(body["usage"]["cost"].as_f64(), Some(0.003));
    let books = played.harness.gateway().till.books();
    let balance = books.balance(played.harness.account()).unwrap();
    assert_eq!(balance.spent.0, 3_000_000);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_with_the_last_of_the_money_has_ended() {
    // Ten tokens are asked for, and three hundred come, more than there is money for:
    // most of them with the end of the answer, as a busy network brings it.
    let end = |answer: Answer| answer.finish().usage(10, 300).done();
    let words = |count| Answer::stream().times(count, |answer| answer.text("word"));
    let at_once = end(words(297)).in_one_piece();
    let two_pieces = words(297).finish().in_one_piece();
    let two_pieces = two_pieces.wait(ms(50)).usage(10, 300).done();
    for rest in [at_once, two_pieces] {
        let answer = words(3).wait(ms(10)).then(rest);
        let played = with_credit(play(), 250_000)
            .member("max_tokens", 10)
            .one(answer)
            .check("settled 10/300; short; customer pays one")
            .await;
        assert!(played.got.is_done(), "{}", played.got.body);
    }
    // One that says that it has ended and goes on is cut.
    let goes_on = words(300)
        .finish()
        .then(words(1_000))
        .usage(10, 1_300)
        .done();
    let played = with_credit(play(), 250_000)
        .member("max_tokens", 10)
        .one(goes_on)
        .play()
        .await;
    assert_eq!(played.got.error(), Some(402), "{}", played.booked.end);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_its_limits_again_is_believed_again() {
    // There is money for what is asked for, and not for all that the model may
    // say.
    let poor = 50_000_000;
    let play = with_credit(play_whole(), poor).member("max_tokens", 1_000);
    let play = play.one(Answer::stream());
    let harness = play.harness().await;
    let answers = |tokens: u64| {
        let answer = Answer::reply(&serde_json::json!({
            "id": "up-1",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": tokens},
        }));
        harness.script.will("one", [answer]);
    };
    let is_believed = || !harness.target("one").metrics.trust.is_lost();
    answers(9_000);
    assert_eq!(harness.ask(&play).await.status, 200);
    assert!(!is_believed());
    answers(10);
    harness.tops_up(poor);
    assert_eq!(harness.ask(&play).await.status, 402);
    // Whoever has the money lets it show that it does.
    harness.tops_up(1_000_000_000);
    let mut good = 0;
    while !is_believed() {
        assert_eq!(harness.ask(&play).await.status, 200);
        good += 1;
        assert!(good <= 64, "{good}");
    }
    assert_eq!(good, 64);
    harness.tops_up(poor);
    assert_eq!(harness.ask(&play).await.status, 200);
    // The next time it takes longer.
    harness.tops_up(1_000_000_000);
    answers(9_000);
    harness.ask(&play).await;
    answers(10);
    for _ in 0..64 {
        harness.ask(&play).await;
    }
    assert!(!is_believed());
}
