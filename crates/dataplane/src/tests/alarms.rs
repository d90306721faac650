//! What the operator is told, and when it is over.

use bourse_spool::DATABASE;
use serde_json::json;
use tokio::sync::mpsc::Receiver;
use tokio::time::advance;

use super::harness::{Harness, Play, play, secs};
use super::script::Answer;
use crate::admission::Shed;
use crate::alarms::kind::Kind;
use crate::alarms::signs::{Database, Signs};
use crate::alarms::{Event, State};

/// A server of which somebody listens to the alarms.
struct Watched {
    harness: Harness,
    signs: Signs,
    told: Receiver<Event>,
}

impl Watched {
    async fn of(play: &Play) -> Self {
        let harness = play.harness().await;
        let told = harness.gateway().alarms.listen().unwrap();
        Self {
            harness,
            signs: Signs::default(),
            told,
        }
    }

    async fn ask(&self, play: &Play, times: usize) {
        for _ in 0..times {
            self.harness.ask(play).await;
        }
    }

    /// Looks once more; returns what is told since the last time.
    fn look(&mut self, database: &Database) -> Vec<(Kind, String, State)> {
        let gateway = self.harness.gateway();
        let now_ms = gateway.clock.now_ms();
        self.signs.look(gateway, database, now_ms);
        let mut told = Vec::new();
        while let Ok(event) = self.told.try_recv() {
            told.push((event.kind, event.subject, event.state));
        }
        told
    }

    fn sees(&mut self) -> Vec<(Kind, String, State)> {
        self.look(&Database::default())
    }
}

fn one(kind: Kind, subject: &str, state: State) -> Vec<(Kind, String, State)> {
    vec![(kind, subject.to_owned(), state)]
}

#[tokio::test(start_paused = true)]
async fn an_empty_account_is_told_apart_from_a_key_that_is_refused_until_either_is_taken_again() {
    let said = |status, code: &str| {
        let body = json!({"error": {"code": code, "message": "no"}});
        Answer::status(status).send(body.to_string())
    };
    for (refusal, kind) in [
        (Answer::status(401), Kind::CredentialRefused),
        (said(400, "invalid_api_key"), Kind::CredentialRefused),
        (Answer::status(402), Kind::AccountEmpty),
        (said(429, "insufficient_quota"), Kind::AccountEmpty),
        (said(400, "billing_hard_limit_reached"), Kind::AccountEmpty),
    ] {
        let again = refusal.clone();
        let play = play()
            .provider("one", [refusal, again, Answer::good()])
            .two(Answer::good());
        let mut watched = Watched::of(&play).await;
        watched.ask(&play, 5).await;
        let told = watched.sees();
        assert_eq!(told, one(kind, "one key 0", State::Raised));
        // The probe is refused as well.
        advance(secs(31)).await;
        watched.ask(&play, 2).await;
        assert_eq!(watched.sees(), []);
        advance(secs(61)).await;
        watched.ask(&play, 1).await;
        let told = watched.sees();
        assert_eq!(told, one(kind, "one key 0", State::Recovered));
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_of_which_every_target_is_broken_is_told_until_one_answers() {
    let broken = || Answer::status(500);
    let play = play().one(broken()).two(broken()).three(broken());
    let mut watched = Watched::of(&play).await;
    watched.ask(&play, 1).await;
    assert_eq!(watched.sees(), [], "all have failed, and none is broken");
    // Second attempts have a budget, so not every call asks all of them.
    watched.ask(&play, 40).await;
    let told = watched.sees();
    assert_eq!(told, one(Kind::NoTargetLeft, "acme/chat", State::Raised));
    assert_eq!(watched.sees(), []);
    watched.harness.script.will("one", [Answer::good()]);
    advance(secs(70)).await;
    watched.ask(&play, 1).await;
    let told = watched.sees();
    assert_eq!(told, one(Kind::NoTargetLeft, "acme/chat", State::Recovered));
}

#[tokio::test(start_paused = true)]
async fn calls_that_the_server_sheds_are_told_and_those_that_have_their_share_are_not() {
    let play = play().one(Answer::good());
    let mut watched = Watched::of(&play).await;
    let admission = || &watched.harness.gateway().admission;
    for own in [Shed::Key, Shed::Account] {
        admission().count(own);
    }
    assert_eq!(watched.sees(), []);
    (0..7).for_each(|_| watched.harness.gateway().admission.count(Shed::Queue));
    let told = watched.sees();
    assert_eq!(told, one(Kind::CallsShed, "queue", State::Raised));
    advance(secs(60)).await;
    let told = watched.sees();
    assert_eq!(told, one(Kind::CallsShed, "queue", State::Recovered));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_grows_is_told_until_the_database_has_caught_up() {
    let play = play()
        .one(Answer::good())
        .setup(|setup| setup.journal.unapplied_bytes_max = 24_000);
    let mut watched = Watched::of(&play).await;
    watched.ask(&play, 1).await;
    assert_eq!(watched.sees(), []);
    watched.ask(&play, 30).await;
    let told = watched.sees();
    assert_eq!(told, one(Kind::JournalGrowing, "journal", State::Raised));
    let spool = watched.harness.gateway().till.spool();
    spool.ack(DATABASE, spool.written()).unwrap();
    let told = watched.sees();
    assert_eq!(told, one(Kind::JournalGrowing, "journal", State::Recovered));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_changes_its_leader_is_nobodys_alarm_and_one_that_stays_away_is() {
    let play = play().one(Answer::good());
    let mut watched = Watched::of(&play).await;
    let away = |s| Database {
        away_s: Some(s),
        ..Database::default()
    };
    assert_eq!(watched.look(&away(9)), []);
    let told = watched.look(&away(10));
    assert_eq!(told, one(Kind::DatabaseBehind, "database", State::Raised));
    let behind = Database {
        behind: Some((4, "disk full".to_owned())),
        ..Database::default()
    };
    assert_eq!(watched.look(&behind), [], "it is the same trouble");
    let told = watched.sees();
    assert_eq!(
        told,
        one(Kind::DatabaseBehind, "database", State::Recovered)
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_is_given_up_after_a_deadline_that_few_answers_have_taught_is_told_of() {
    for (answers, is_told) in [(40, true), (128, false)] {
        let mut first = vec![Answer::good(); answers];
        first.push(Answer::stream().hang());
        let play = play().provider("one", first).two(Answer::good());
        let mut watched = Watched::of(&play).await;
        watched.ask(&play, answers).await;
        assert_eq!(watched.sees(), []);
        watched.ask(&play, 1).await;
        let told = watched.sees();
        let unsure = one(Kind::DeadlineUnsure, "acme/chat@one", State::Raised);
        assert_eq!(told, if is_told { unsure } else { Vec::new() });
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_kept_is_told_until_enough_answers_have_kept_it() {
    let reply = |tokens: u64| {
        Answer::reply(&json!({
            "id": "up-1",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": tokens,
                "total_tokens": 10 + tokens},
        }))
    };
    let play = super::harness::play_whole()
        .member("max_tokens", 100)
        .provider("one", [reply(40_000), reply(10)]);
    let mut watched = Watched::of(&play).await;
    watched.ask(&play, 1).await;
    let told = watched.sees();
    assert_eq!(
        told,
        one(Kind::LimitNotKept, "acme/chat@one", State::Raised)
    );
    watched.ask(&play, 64).await;
    let told = watched.sees();
    assert_eq!(
        told,
        one(Kind::LimitNotKept, "acme/chat@one", State::Recovered)
    );
}
