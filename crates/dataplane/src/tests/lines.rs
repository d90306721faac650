//! Lines of batches: calls that nobody waits for at a connection.

use std::sync::{Arc, Mutex};

use bourse_policy::KeyHash;
use bourse_vocab::GenerationId;
use bytes::Bytes;
use serde_json::Value;

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
}

impl Witness for Notes {
    fn keep(&self, answer: &Bytes) {
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
    });
    let line = Line {
        id: GenerationId::at_ms(NOW, 77),
        key: KeyHash::of(key),
        batch: "batch_7".to_owned(),
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
