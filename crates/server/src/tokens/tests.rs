//! In paused time, against a scripted service.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use aws_lc_rs::signature::RsaKeyPair;
use bourse_dataplane::alarms::kind::Kind;
use bourse_providers::identity::Found;
use bourse_providers::identity::{Answer, Ask, NoToken, Outcome, Outside, Surroundings, Wanted};
use bourse_providers::{Key, TokenSource, by_slug};
use tokio::time::{Duration, Instant, sleep};

use super::source::{
    AHEAD_MAX, AWAY_MAX, AWAY_MIN, REFUSED_MAX, REFUSED_MIN, REPLACE_MIN, WAIT_MAX, rest_after,
    rest_of,
};
use super::*;

/// How the service answers: a status, a body, and how long it takes.
#[derive(Clone)]
struct Mood {
    status: u16,
    body: String,
    takes: Duration,
}

fn gives(life_s: u64) -> Mood {
    Mood {
        status: 200,
        body: format!(r#"{{"access_token":"token-#","expires_in":{life_s}}}"#),
        takes: Duration::from_millis(50),
    }
}

fn refuses(status: u16) -> Mood {
    Mood {
        status,
        body: r#"{"error":"invalid_grant","error_description":"revoked"}"#.to_owned(),
        takes: Duration::from_millis(50),
    }
}

#[derive(Clone)]
struct Service {
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicU64>,
    under_way: Arc<AtomicU64>,
    clock: Clock,
}

impl Outside for Service {
    fn ask(&self, _: Ask) -> Outcome<'_, Answer> {
        Box::pin(async move {
            let number = self.asked.fetch_add(1, SeqCst) + 1;
            assert_eq!(self.under_way.fetch_add(1, SeqCst), 0, "two at once");
            let mood = self.mood.lock().unwrap().clone();
            sleep(mood.takes).await;
            self.under_way.fetch_sub(1, SeqCst);
            Ok(Answer {
                status: mood.status,
                body: mood.body.replace('#', &number.to_string()).into(),
                date_ms: None,
            })
        })
    }

    fn read<'a>(&'a self, _: &'a str) -> Outcome<'a, Key> {
        Box::pin(async { Err(NoToken::later("no files")) })
    }

    fn sign(&self, _: &RsaKeyPair, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}

struct Nothing;

impl Surroundings for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// The machine's own, of a cloud that has such: one exchange a token.
fn machine() -> Identity {
    let wanted = Wanted {
        is_machine: true,
        ..Wanted::default()
    };
    let provider = by_slug(["google", "vertex"].join("-").as_str()).unwrap();
    match provider.find_credentials(&wanted, &Nothing).unwrap() {
        Found::Identity { identity, .. } => *identity,
        Found::Fixed(_) => panic!("a machine's tokens end"),
    }
}

struct Scene {
    source: Arc<Source>,
    service: Service,
    alarms: Arc<Alarms>,
    clock: Clock,
    task: JoinHandle<()>,
}

impl Scene {
    fn new(mood: Mood) -> Self {
        let clock = Clock::timer(1_796_040_000_000);
        let source = Arc::new(Source::new("acme", machine(), clock));
        let service = Service {
            mood: Arc::new(Mutex::new(mood)),
            asked: Arc::default(),
            under_way: Arc::default(),
            clock,
        };
        let alarms = Arc::new(Alarms::default());
        let keeping = Arc::clone(&source).keep_fresh(service.clone(), Arc::clone(&alarms));
        Self {
            source,
            service,
            alarms,
            clock,
            task: tokio::spawn(keeping),
        }
    }

    fn mood(&self, mood: Mood) {
        *self.service.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u64 {
        self.service.asked.load(SeqCst)
    }

    fn kept(&self) -> Option<String> {
        let kept = self.source.kept(self.clock.now_ms())?;
        match &*kept {
            Credential::Bearer(key) => Some(key.expose().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    async fn token(&self) -> Result<(), String> {
        let token = self.source.token(self.clock.now_ms()).await;
        token.map(drop).map_err(|failure| {
            let told = failure.message.into_owned();
            assert!(!told.contains("revoked"), "a caller is told {told}");
            failure.inside.unwrap_or_default().into()
        })
    }

    fn active(&self) -> usize {
        self.alarms.active(Kind::NoToken)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_wait_for_one_question_and_then_nobody_waits() {
    let scene = Scene::new(gives(3_600));
    assert_eq!(scene.kept(), None);
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let source = Arc::clone(&scene.source);
            let clock = scene.clock;
            tokio::spawn(async move { source.token(clock.now_ms()).await.is_ok() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(scene.asked(), 1);
    let began = Instant::now();
    assert_eq!(scene.kept().as_deref(), Some("token-1"));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_before_its_end_and_there_is_always_one() {
    let scene = Scene::new(gives(3_600));
    sleep(Duration::from_secs(1)).await;
    for second in 1..4 * 3_600 {
        sleep(Duration::from_secs(1)).await;
        assert!(scene.kept().is_some(), "none after {second} s");
    }
    // An hour's token is replaced after fifty minutes.
    assert_eq!(scene.asked(), 1 + 4 * 3_600 / 3_000);
    assert_eq!(
        rest_of(Duration::from_secs(3_600)),
        Duration::from_secs(3_000)
    );
    assert_eq!(rest_of(Duration::from_secs(40)), Duration::from_secs(30));
    assert_eq!(
        rest_of(Duration::from_secs(86_400)),
        Duration::from_secs(86_400) - AHEAD_MAX
    );
    assert_eq!(rest_of(Duration::ZERO), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_for_a_while_is_not_noticed() {
    let scene = Scene::new(gives(3_600));
    sleep(Duration::from_secs(2_900)).await;
    scene.mood(Mood {
        status: 500,
        ..gives(3_600)
    });
    // From the fiftieth minute to the fifty-ninth.
    sleep(Duration::from_secs(600)).await;
    assert!(scene.asked() > 5, "{}", scene.asked());
    assert_eq!(
        (scene.kept().as_deref(), scene.active()),
        (Some("token-1"), 0)
    );
    scene.mood(gives(3_600));
    sleep(AWAY_MAX * 2).await;
    assert!(scene.kept().is_some_and(|kept| kept != "token-1"));
    assert_eq!(scene.alarms.raised(Kind::NoToken), 0);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_identity_is_one_alarm_and_few_questions_and_is_over_when_it_is_mended() {
    let scene = Scene::new(refuses(400));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.active(), 1);
    for _ in 0..1_000 {
        let began = Instant::now();
        let why = scene.token().await.unwrap_err();
        assert!(why.contains("invalid_grant: revoked"), "{why}");
        assert_eq!(
            began.elapsed(),
            Duration::ZERO,
            "nobody waits for what fails"
        );
        scene.source.refused();
    }
    assert_eq!(scene.asked(), 1);
    sleep(Duration::from_secs(3_600)).await;
    // 30, 60, 120, 240, 300, 300, … seconds apart at least.
    let most = 5 + 3_600 / REFUSED_MAX.as_secs();
    assert!((8..=most).contains(&scene.asked()), "{}", scene.asked());
    assert_eq!(scene.alarms.raised(Kind::NoToken), 1);
    scene.mood(gives(3_600));
    sleep(REFUSED_MAX * 2).await;
    assert_eq!(scene.active(), 0);
    scene.token().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_and_garbage_is_no_token() {
    let slow = Mood {
        takes: Duration::from_secs(3_600),
        ..gives(60)
    };
    let scene = Scene::new(slow);
    let began = Instant::now();
    let why = scene.token().await.unwrap_err();
    assert!(why.contains("within 10 s"), "{why}");
    assert_eq!(began.elapsed(), WAIT_MAX);
    let garbage = Mood {
        body: "<html>".to_owned(),
        ..gives(60)
    };
    let scene = Scene::new(garbage);
    let why = scene.token().await.unwrap_err();
    assert!(why.contains("nonsense"), "{why}");
    assert_eq!(scene.active(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_refuses_is_replaced_and_not_too_often() {
    let scene = Scene::new(gives(3_600));
    sleep(Duration::from_secs(60)).await;
    scene.source.refused();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.kept().as_deref(), Some("token-2"));
    for _ in 0..100 {
        scene.source.refused();
        sleep(Duration::from_secs(1)).await;
    }
    let most = 2 + 100 / REPLACE_MIN.as_secs() + 1;
    assert!((3..=most).contains(&scene.asked()), "{}", scene.asked());
}

#[test]
fn waits_double_and_have_a_jitter_and_an_end() {
    for (failures, least, most) in [(1, 5, 7), (2, 10, 15), (4, 40, 60), (99, 60, 90)] {
        for random in [0.0, 0.5, 1.0] {
            let rest = rest_after(failures, false, random);
            let bounds = Duration::from_secs(least)..=Duration::from_millis(most * 1_000 + 500);
            assert!(bounds.contains(&rest), "{failures}: {rest:?}");
        }
    }
    assert_eq!(rest_after(1, false, 0.0), AWAY_MIN);
    assert_eq!(rest_after(1, true, 0.0), REFUSED_MIN);
    assert_eq!(rest_after(99, true, 0.0), REFUSED_MAX);
}

#[tokio::test]
async fn only_the_addresses_of_an_identity_are_asked() {
    let network = Network::new(&machine(), &By::default()).unwrap();
    for url in [
        "http://169.254.169.253/latest",
        "https://169.254.169.254/latest",
        "http://169.254.169.254:81/latest",
        "http://127.0.0.1:9/token",
        "http://metadata.example/token",
        "file:///etc/passwd",
    ] {
        let ask = Ask {
            method: http::Method::GET,
            url: url.to_owned(),
            headers: Vec::new(),
            content_type: None,
            body: bytes::Bytes::new(),
        };
        let refused = Outside::ask(&network, ask).await.err().unwrap();
        assert!(refused.is_refused, "{url}: {}", refused.why);
    }
}
