//! Lines of batches: calls that nobody waits for at a connection.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bourse_policy::KeyHash;
use bourse_spool::Options;
use bourse_store::Till;
use bourse_store::till::SPOOL_DIR;
use bourse_vocab::GenerationId;
use bytes::Bytes;
use serde_json::Value;

use super::books::booked;
use super::harness::{Harness, NOW, play_whole};
use super::script::Answer;
use crate::batched::{Unanswered, call};
use crate::endpoints;
use crate::gateway::Gateway;
use crate::line::{Line, Witness};

/// Notes answers, and what was paid and held in the moment of each.
struct Notes {
    gateway: Arc<Gateway>,
    kept: Mutex<Vec<(Bytes, i64, i64)>>,
    /// The journal, and where it is put as it is in that moment.
    journal: PathBuf,
    killed: tempfile::TempDir,
    settlement: Mutex<Vec<u8>>,
}

impl Witness for Notes {
    fn keep(&self, answer: &Bytes, settlement: &[u8]) {
        let spool = self.killed.path().join(SPOOL_DIR);
        std::fs::create_dir(&spool).unwrap();
        for entry in std::fs::read_dir(&self.journal).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), spool.join(entry.file_name())).unwrap();
        }
        *self.settlement.lock().unwrap() = settlement.to_vec();
        let account = self.gateway.till.books().balance(super::harness::ACCOUNT);
        let balance = account.unwrap();
        let mut kept = self.kept.lock().unwrap();
        kept.push((answer.clone(), balance.spent.0, balance.held.0));
    }
}

async fn line(
    harness: &Harness,
    body: String,
    key: &str,
) -> (Result<Bytes, Unanswered>, Arc<Notes>) {
    let notes = Arc::new(Notes {
        gateway: Arc::clone(harness.gateway()),
        kept: Mutex::default(),
        journal: harness.dir().join(SPOOL_DIR),
        killed: tempfile::tempdir().unwrap(),
        settlement: Mutex::default(),
    });
    let line = Line {
        id: GenerationId::at_ms(NOW, 77),
        key: KeyHash::of(key),
        batch: "batch_7".to_owned(),
        is_at_vendor: false,
        witness: Arc::clone(&notes) as Arc<dyn Witness>,
    };
    let endpoint = endpoints::in_batches("/v1/chat/completions").unwrap();
    let answered = call(harness.worker(), endpoint, body.into(), line).await;
    (answered, notes)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_with_its_bill_before_it_is_paid_for() {
    let play = play_whole().one(Answer::whole());
    let harness = play.harness().await;
    let (answered, notes) = line(&harness, play.body(), harness.key()).await;
    let answer = answered.unwrap();
    let kept = notes.kept.lock().unwrap().clone();
    let [(told, spent, held)] = kept.as_slice() else {
        panic!("{kept:?}");
    };
    assert_eq!(*told, answer);
    assert!(*spent == 0 && *held > 0, "{spent} {held}");
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let id = GenerationId::at_ms(NOW, 77).to_string();
    assert_eq!(answer["id"], id);
    assert!(answer["usage"]["cost"].is_number(), "{answer}");
    let booked = harness.booked().await;
    assert!(harness.spent() > 0);
    let facts = booked.facts.unwrap();
    assert!(!facts.streamed && facts.failure.is_none());
    assert_eq!(harness.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_an_answer_that_is_kept_and_its_settlement_settles_it_once_at_the_start() {
    let play = play_whole().one(Answer::whole());
    let harness = play.harness().await;
    let (answered, notes) = line(&harness, play.body(), harness.key()).await;
    answered.unwrap();
    let lived = harness.booked().await;
    assert!(
        lived.charge > 0 && lived.end.starts_with("settled"),
        "{lived:?}"
    );
    let settlement = notes.settlement.lock().unwrap().clone();
    for start in 1..=3 {
        let mut kept = |calls: &[GenerationId]| {
            assert_eq!(
                (calls, start),
                ([GenerationId::at_ms(NOW, 77)].as_slice(), 1)
            );
            HashMap::from([(calls[0], settlement.clone())])
        };
        let dir = notes.killed.path();
        let opened = Till::open_with(&*harness.store, dir, Options::default(), NOW, &mut kept);
        let opened = opened.await.unwrap();
        assert_eq!(opened.recovery.settled, u64::from(start == 1));
        // As if nobody had been killed, whatever there is to know of the call.
        assert_eq!(booked(&opened.till), lived);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_of_another_call_settles_nothing() {
    let play = play_whole().one(Answer::whole());
    let harness = play.harness().await;
    let (_, notes) = line(&harness, play.body(), harness.key()).await;
    let settlement = notes.settlement.lock().unwrap().clone();
    for damaged in [&settlement[..settlement.len() - 1], &settlement[1..], &[]] {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (notes.killed.path(), dir.path());
        std::fs::create_dir(to.join(SPOOL_DIR)).unwrap();
        for entry in std::fs::read_dir(from.join(SPOOL_DIR)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(SPOOL_DIR).join(entry.file_name())).unwrap();
        }
        let mut kept = |calls: &[GenerationId]| HashMap::from([(calls[0], damaged.to_vec())]);
        let opened = Till::open_with(&*harness.store, to, Options::default(), NOW, &mut kept);
        let recovery = opened.await.unwrap().recovery;
        assert_eq!((recovery.settled, recovery.voided), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_fails_keeps_nothing_and_pays_nothing() {
    let play = play_whole().one(Answer::status(400));
    let harness = play.harness().await;
    let (answered, notes) = line(&harness, play.body(), harness.key()).await;
    let Err(Unanswered::Failed(failure)) = answered else {
        panic!("{answered:?}");
    };
    assert_eq!(failure.status(), 400);
    assert!(notes.kept.lock().unwrap().is_empty());
    harness.booked().await;
    assert_eq!((harness.spent(), harness.held()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_asks_for_a_stream_is_refused_before_anything_is_set_aside() {
    let play = play_whole().one(Answer::whole()).member("stream", true);
    let harness = play.harness().await;
    let (answered, _) = line(&harness, play.body(), harness.key()).await;
    let Err(Unanswered::Failed(failure)) = answered else {
        panic!("{answered:?}");
    };
    assert!(
        failure.message.starts_with("stream: "),
        "{}",
        failure.message
    );
    assert_eq!(harness.attempts("one"), [0; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_calls_nobody() {
    let play = play_whole().one(Answer::whole());
    let harness = play.harness().await;
    let (answered, _) = line(&harness, play.body(), "another").await;
    assert!(matches!(answered, Err(Unanswered::Key(_))), "{answered:?}");
    assert_eq!(harness.attempts("one"), [0; 4]);
}
