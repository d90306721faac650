//! One identity's tokens: what is kept, and when the next is asked for.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bourse_dataplane::alarms::Alarms;
use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::chance;
use bourse_dataplane::clock::Clock;
use bourse_providers::identity::{Fresh, NoToken, Outside, about_clock};
use bourse_providers::{Credential, Identity, Secrets, TokenFuture, TokenSource};
use bourse_vocab::Failure;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// How long all exchanges for one token may take together.
pub(super) const ASK_MAX: Duration = Duration::from_secs(30);
/// How long a call waits for the first token of all. Its client has a status
/// only after that, so it is no longer than a client is kept without one.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);
/// The longest before its end that a token is asked for anew: metadata services
/// give the same one until some five minutes before.
pub(super) const AHEAD_MAX: Duration = Duration::from_secs(600);
/// The part of its life that is left by then, if that is less.
pub(super) const AHEAD_PART: u32 = 4;
/// The longest before its end that a token is given out no more: what a request
/// takes to arrive.
const MARGIN_MAX: Duration = Duration::from_secs(5);
/// The part of its life, if that is less.
const MARGIN_PART: u32 = 10;
/// The least between two tokens.
const REST_MIN: Duration = Duration::from_secs(1);
/// The least between two questions while they fail, doubled each time.
pub(super) const AWAY_MIN: Duration = Duration::from_secs(5);
/// The longest such wait.
pub(super) const AWAY_MAX: Duration = Duration::from_secs(60);
/// The same after a refusal, which waiting seldom mends.
pub(super) const REFUSED_MIN: Duration = Duration::from_secs(30);
/// The longest such wait: how soon somebody who has mended it sees that.
pub(super) const REFUSED_MAX: Duration = Duration::from_secs(300);
/// The least between a token and the next because a provider refused it: if the
/// provider is wrong, the token service shall not pay for it.
pub(super) const REPLACE_MIN: Duration = Duration::from_secs(30);

/// See the top of the file.
pub struct Source {
    provider: String,
    identity: Identity,
    secrets: Vec<Secrets>,
    clock: Clock,
    held: ArcSwapOption<Held>,
    state: watch::Sender<State>,
    wanted: Notify,
}

/// A token.
struct Held {
    credential: Arc<Credential>,
    /// Until when it is given out, in milliseconds since 1970.
    until_ms: u64,
}

/// What came of the last question.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It is the first, and under way.
    First,
    /// A token.
    Had,
    /// None, and why.
    Failed(Arc<str>),
}

/// How long to wait after so many failures, with a jitter of up to a half:
/// servers that lost the same service do not come back to it at once. `random`
/// is uniform in [0, 1).
pub(super) fn rest_after(failures: u32, is_refused: bool, random: f64) -> Duration {
    let (least, most) = if is_refused {
        (REFUSED_MIN, REFUSED_MAX)
    } else {
        (AWAY_MIN, AWAY_MAX)
    };
    let doubled = least.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled
        .min(most)
        .mul_f64(1.0 + random.clamp(0.0, 1.0) / 2.0)
}

/// How long a token that is good for so long is kept before the next is asked
/// for.
pub(super) fn rest_of(life: Duration) -> Duration {
    let ahead = (life / AHEAD_PART).min(AHEAD_MAX);
    life.saturating_sub(ahead).max(REST_MIN)
}

impl Source {
    pub(super) fn new(provider: &str, identity: Identity, clock: Clock) -> Self {
        let secrets = identity.secrets();
        Self {
            provider: provider.to_owned(),
            secrets: secrets
                .into_iter()
                .map(|key| Secrets::of(&Credential::Bearer(key)))
                .collect(),
            identity,
            clock,
            held: ArcSwapOption::empty(),
            state: watch::Sender::new(State::First),
            wanted: Notify::new(),
        }
    }

    /// Asks once, within [`ASK_MAX`]. What is said of a failure has no secret.
    pub(super) async fn ask(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let asked = timeout(ASK_MAX, self.identity.obtain(outside)).await;
        let obtained = asked.unwrap_or_else(|_| {
            let s = ASK_MAX.as_secs();
            Err(NoToken::later(format!("nobody answers within {s} s")))
        });
        obtained.map_err(|no_token| {
            let said = Failure::unavailable(no_token.why);
            let clean = |failure, secrets: &Secrets| secrets.clean(failure);
            let said = self.secrets.iter().fold(said, clean);
            NoToken {
                why: said.message.into_owned(),
                ..no_token
            }
        })
    }

    /// Asks, again and again, for as long as the source is wanted.
    pub(super) async fn keep_fresh(self: Arc<Self>, outside: impl Outside, alarms: Arc<Alarms>) {
        let mut failures = 0_u32;
        loop {
            let asked_at = Instant::now();
            match self.ask(&outside).await {
                Ok(fresh) => {
                    let rest = rest_of(fresh.life);
                    self.has(fresh, failures, &alarms);
                    failures = 0;
                    self.rest(asked_at, rest).await;
                }
                Err(no_token) => {
                    failures = failures.saturating_add(1);
                    let rest = rest_after(failures, no_token.is_refused, chance::random());
                    self.has_none(&no_token, failures, &alarms);
                    tokio::time::sleep(rest).await;
                }
            }
        }
    }

    /// Waits until a token is to be asked for anew: when it is time, or when
    /// somebody cannot use the last one, and not too soon.
    async fn rest(&self, asked_at: Instant, rest: Duration) {
        let at = |wait| asked_at.checked_add(wait).unwrap_or(asked_at);
        tokio::select! {
            () = sleep_until(at(rest)) => {}
            () = self.wanted.notified() => sleep_until(at(REPLACE_MIN.min(rest))).await,
        }
    }

    fn has(&self, fresh: Fresh, failures: u32, alarms: &Alarms) {
        let now_ms = self.clock.now_ms();
        let margin = (fresh.life / MARGIN_PART).min(MARGIN_MAX);
        let good = fresh.life.saturating_sub(margin).as_millis();
        let good_ms = u64::try_from(good).unwrap_or(u64::MAX);
        self.held.store(Some(Arc::new(Held {
            credential: Arc::new(fresh.credential),
            until_ms: now_ms.saturating_add(good_ms),
        })));
        self.state.send_replace(State::Had);
        alarms.clear(Kind::NoToken, &self.subject(), now_ms);
        let (provider, s) = (&self.provider, fresh.life.as_secs());
        if failures > 0 {
            tracing::info!(provider, failures, s, "the token service answers again");
        }
        if let Some(clock) = fresh.clock_ahead_ms.and_then(about_clock) {
            tracing::warn!(provider, "{clock}");
        }
        tracing::debug!(provider, s, "a token was had");
    }

    fn has_none(&self, no_token: &NoToken, failures: u32, alarms: &Alarms) {
        let now_ms = self.clock.now_ms();
        let (provider, why) = (&self.provider, &*no_token.why);
        let who = self.identity.describe();
        self.state.send_replace(State::Failed(why.into()));
        let is_kept = self.kept(now_ms).is_some();
        // What passes by itself while there is a token is nobody's trouble yet.
        if no_token.is_refused || !is_kept {
            let what = if is_kept {
                "calls go on until the last token ends"
            } else {
                "nothing can be sent with these credentials"
            };
            let message = format!("{provider} has no new token for {who}: {why}; {what}");
            alarms.lasts(Kind::NoToken, &self.subject(), &message, now_ms);
        } else if failures == 1 {
            tracing::warn!(
                provider,
                why,
                "the token service gives no token; the last one is used"
            );
        }
    }

    /// What an alarm of it is about.
    fn subject(&self) -> String {
        format!("{} credentials", self.provider)
    }

    /// It is wanted no more, and so is nobody who is told of it.
    pub(super) fn forget(&self, alarms: &Alarms) {
        alarms.clear(Kind::NoToken, &self.subject(), self.clock.now_ms());
    }

    /// Waits for what is under way.
    async fn wait(&self) -> Result<Arc<Credential>, String> {
        let mut state = self.state.subscribe();
        loop {
            if let Some(kept) = self.kept(self.clock.now_ms()) {
                return Ok(kept);
            }
            let last = state.borrow_and_update().clone();
            match last {
                State::Failed(why) => return Err(why.to_string()),
                // It has ended before its time by the system's clock, which
                // may have slept.
                State::Had => self.wanted.notify_one(),
                State::First => {}
            }
            if state.changed().await.is_err() {
                return Err("nobody asks for it any more".to_owned());
            }
        }
    }
}

impl TokenSource for Source {
    fn kept(&self, now_ms: u64) -> Option<Arc<Credential>> {
        let held = self.held.load();
        let held = held.as_ref()?;
        (now_ms < held.until_ms).then(|| Arc::clone(&held.credential))
    }

    fn token(&self, _now_ms: u64) -> TokenFuture<'_> {
        Box::pin(async move {
            let waited = timeout(WAIT_MAX, self.wait()).await;
            let why = match waited {
                Ok(Ok(token)) => return Ok(token),
                Ok(Err(why)) => why,
                Err(_) => format!("there was none within {} s", WAIT_MAX.as_secs()),
            };
            let provider = &self.provider;
            // As where a provider refuses our key: callers cannot help it.
            Err(
                Failure::unavailable("The provider could not serve this request")
                    .inside(format!("{provider} has no token: {why}")),
            )
        })
    }

    fn refused(&self) {
        if *self.state.borrow() == State::Had {
            self.wanted.notify_one();
        }
    }
}
