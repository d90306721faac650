//! What the streams of a worker tell the journal together.

use std::collections::BTreeSet;

use bourse_ledger::record::{self, Record};
use bourse_spool::Position;
use bourse_vocab::GenerationId;
use futures_util::future::{join, join_all};
use tokio::time::sleep;

use super::harness::{Harness, ms, play, secs};
use super::script::Answer;

/// What the journal says of progress.
#[derive(Debug, Default)]
pub struct Told {
    /// For each list, in order, the output tokens of its streams, in order.
    pub lists: Vec<Vec<u64>>,
    /// The output tokens that streams told by themselves.
    pub single: Vec<u64>,
    /// Whether anything is said of a call after its end.
    stale: bool,
}

pub fn told(harness: &Harness) -> Told {
    let spool = harness.gateway().till.spool();
    spool.flush();
    let mut reader = spool.reader(Position::default());
    let batch = reader.read(spool.written(), 100_000).unwrap();
    let mut told = Told::default();
    let mut ended: BTreeSet<GenerationId> = BTreeSet::new();
    for bytes in batch.iter() {
        match record::decode(bytes).unwrap() {
            Record::Checkpoints(list) => {
                told.stale |= list.iter().any(|one| ended.contains(&one.id));
                let mut tokens: Vec<_> = list.iter().map(|one| one.completion).collect();
                tokens.sort_unstable();
                told.lists.push(tokens);
            }
            Record::Checkpoint(one) => {
                told.stale |= ended.contains(&one.id);
                told.single.push(one.completion);
            }
            record @ (Record::Settle(_) | Record::Void(_)) => {
                ended.insert(record.id());
            }
            _ => {}
        }
    }
    told
}

/// A word, a token of our count, and a rest that no tick falls upon.
fn word(answer: Answer) -> Answer {
    answer.text("word").wait(ms(90))
}

fn words(count: usize) -> Answer {
    Answer::stream()
        .times(count, word)
        .finish()
        .usage(10, 10)
        .done()
}

#[tokio::test(start_paused = true)]
async fn what_many_streams_have_delivered_is_one_record_a_tick() {
    let play = play().provider("one", (0..40).map(|_| words(10)));
    let harness = play.harness().await;
    join_all((0..40).map(|_| harness.ask(&play))).await;
    let told = told(&harness);
    assert_eq!(told.lists, [vec![3; 40], vec![6; 40], vec![9; 40]]);
    assert!(told.single.is_empty() && !told.stale, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_a_record_lists_are_told_in_several() {
    let play = play()
        .setup(|setup| setup.credit = 1_000_000_000_000)
        .provider("one", (0..300).map(|_| words(4)));
    let harness = play.harness().await;
    join_all((0..300).map(|_| harness.ask(&play))).await;
    let lengths: Vec<_> = told(&harness).lists.iter().map(Vec::len).collect();
    assert_eq!(lengths, [256, 44]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_between_ticks_leaves_no_note() {
    // One ends before the first tick, one after it, one is told twice.
    let answers = [words(2), words(4), words(7)];
    let play = play().provider("one", answers);
    let harness = play.harness().await;
    join_all((0..3).map(|_| harness.ask(&play))).await;
    let told = told(&harness);
    assert_eq!(told.lists, [vec![3, 3], vec![6]]);
    assert!(!told.stale, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_told_again() {
    let quiet = Answer::stream()
        .text("word")
        .times(20, |answer| answer.wait(ms(90)).comment())
        .finish()
        .usage(10, 1)
        .done();
    let play = play().provider("one", [quiet, words(10)]);
    let harness = play.harness().await;
    join(harness.ask(&play), harness.ask(&play)).await;
    assert_eq!(told(&harness).lists, [vec![1, 3], vec![6], vec![9]]);
}

#[tokio::test(start_paused = true)]
async fn whenever_a_client_leaves_nothing_is_told_of_a_call_after_its_end() {
    // Waiting, thinking out of sight, answering, drained to the end or cut
    // off at any moment of it, also just before, at and after a tick.
    for drains in [false, true] {
        for left in (10..1_300).step_by(80).chain([249, 250, 251, 500]) {
            let answer = Answer::stream()
                .role()
                .wait(ms(200))
                .times(4, |answer| answer.thought("eight by").wait(ms(70)))
                .times(6, word)
                .finish()
                .usage(10, 14)
                .done();
            let play = play()
                .setup(|setup| setup.drains = drains)
                .hides_thoughts()
                .one(answer)
                .leaves(ms(left));
            let harness = play.harness().await;
            let played = harness.play(&play).await;
            let before = told(&played.harness);
            sleep(secs(10)).await;
            let after = told(&played.harness);
            assert!(!after.stale, "left after {left} ms: {after:?}");
            assert_eq!(before.lists, after.lists, "left after {left} ms");
            assert_eq!(played.harness.held(), 0);
            assert_eq!(played.harness.worker.progress.streams(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_grows_in_time_although_no_tick_comes() {
    // Ten tokens are asked for, and the provider does not care.
    let answer = || {
        Answer::stream()
            .times(60, |answer| answer.text("word").wait(secs(1)))
            .finish()
            .usage(10, 60)
            .done()
    };
    for tells in [false, true] {
        let played = play()
            .setup(|setup| setup.tells = tells)
            .member("max_tokens", 10)
            .one(answer())
            .check("settled 10/60; customer pays one")
            .await;
        let holds = &played.booked.holds;
        assert!(holds.len() > 1, "{holds:?}");
        // At every checkpoint, what had been delivered was set aside.
        assert!(played.booked.is_covered, "{:?}", played.booked);
        assert_eq!(told(&played.harness).lists.is_empty(), !tells);
    }
}

#[tokio::test(start_paused = true)]
async fn input_that_proves_to_be_more_than_was_set_aside_is_seen_at_the_tick() {
    let play = play().member("max_tokens", 4_096).one(
        Answer::stream()
            .usage(50_000, 1)
            .times(6, word)
            .finish()
            .usage(50_000, 6)
            .done(),
    );
    let played = play.check("settled 50000/6; customer pays one").await;
    // 4,096 output tokens at 2,000 nano-dollars, and some input, at first; then
    // what the input costs.
    let holds = &played.booked.holds;
    assert_eq!(holds.len(), 2, "{holds:?}");
    assert!(holds[0] < 10_000_000 && holds[1] > 50_000_000, "{holds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_for_which_there_is_no_place_tells_by_itself() {
    let long = "x".repeat(2 * 1024);
    let fast = Answer::stream()
        .times(4, |answer| answer.text(&long).wait(ms(90)))
        .finish()
        .usage(10, 2_048)
        .done();
    let play = play()
        .setup(|setup| setup.streams_max = 1)
        .provider("one", [words(10), fast, words(4)]);
    let harness = play.harness().await;
    join(harness.ask(&play), harness.ask(&play)).await;
    let both = told(&harness);
    assert_eq!(both.lists, [vec![3], vec![6], vec![9]]);
    assert_eq!(both.single, [1_024, 2_048]);
    // The place is free again; the worker's ticks go on.
    harness.ask(&play).await;
    assert_eq!(told(&harness).lists[3..], [vec![2], vec![4]]);
}
