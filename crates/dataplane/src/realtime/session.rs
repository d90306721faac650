//! A session: events in both directions, and their money.
//!
//! One task reads both sides and writes to both. Nothing is queued: whoever
//! reads slowly slows the other side down, and one event of 16 MiB is the most
//! that waits in each direction.

use std::sync::Arc;
use std::time::Duration;

use bourse_net::websocket::{Received, Socket, Switched, Text};
use bourse_vocab::{Failure, FailureKind};
use bourse_wire::realtime::{
    Asked, End, Refused, Told, error_event, read_asked, read_told, with_bill,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::answer::{Answer, broken};
use super::meter::Meter;
use super::sessions::Place;
use super::terms::Terms;
use crate::ending::Ending;
use crate::market::Target;
use crate::relay::Report;
use crate::running::Running;

/// The longest session (platform.openai.com/docs, guides/realtime-conversations,
/// session lifecycle, November 2026).
pub const SESSION_MAX: Duration = Duration::from_secs(60 * 60);
/// The longest silence of a client while nothing is answered.
pub const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// How often both sides are asked whether they are there: proxies let go of
/// connections on which nothing passes for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a side may take to read what it is sent.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// How long the end of an answer is waited for that was cancelled.
const CANCEL_MAX: Duration = Duration::from_secs(5);
/// How long the other side's close is waited for.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// Answers that a session may have under way: one of the conversation, and a few
/// beside it that the provider begins by itself.
const ANSWERS_MAX: usize = 4;

/// Codes of close frames (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
const UNSUPPORTED: u16 = 1003;
const POLICY: u16 = 1008;
const ERROR: u16 = 1011;

/// A provider that speaks.
pub type Upstream = Box<Socket<Switched>>;

/// A session that has been opened.
pub struct Session<U = Switched> {
    terms: Terms,
    target: Arc<Target>,
    upstream: Box<Socket<U>>,
    /// The money for the next answer; none while one is under way that took it.
    next: Option<Running>,
    answers: Vec<Answer>,
    /// An answer was asked for, and has not begun.
    is_asked: bool,
    meter: Meter,
    is_stopping: bool,
    heard: Instant,
    told: Instant,
    _place: Place,
}

/// How a session ends.
struct Over {
    code: u16,
    reason: String,
    /// Nobody is there to be told.
    is_left: bool,
    /// The provider is gone, or is not to be believed any more.
    is_broken: bool,
    /// The money ran out.
    unpaid: Option<Failure>,
}

impl Over {
    fn of(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            is_left: false,
            is_broken: false,
            unpaid: None,
        }
    }

    fn left() -> Self {
        Self {
            is_left: true,
            ..Self::of(NORMAL, "")
        }
    }

    fn broken(code: u16, reason: impl Into<String>) -> Self {
        Self {
            is_broken: true,
            ..Self::of(code, reason)
        }
    }

    fn unpaid(failure: Failure) -> Self {
        let reason = match failure.kind {
            FailureKind::PaymentRequired => "insufficient_quota",
            _ => failure.kind.error_type(),
        };
        let over = Self::of(POLICY, reason);
        Self {
            unpaid: Some(failure),
            ..over
        }
    }
}

/// What happens next.
enum Next {
    Client(Received),
    Provider(Received),
    Ping,
    Stop,
    Late,
}

impl<U: AsyncRead + AsyncWrite + Unpin> Session<U> {
    /// A session with a target that speaks, and the money for its first answer.
    #[must_use]
    pub fn new(
        terms: Terms,
        (target, upstream): (Arc<Target>, Box<Socket<U>>),
        first: Running,
        meter: Meter,
        place: Place,
    ) -> Self {
        let now = Instant::now();
        Self {
            terms,
            target,
            upstream,
            next: Some(first),
            answers: Vec::new(),
            is_asked: false,
            meter,
            is_stopping: false,
            heard: now,
            told: now,
            _place: place,
        }
    }

    /// Lets both sides talk until one leaves, the money runs out, its time is
    /// up or the server stops.
    pub async fn run<S>(mut self, mut client: Socket<S>, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let until = Instant::now() + SESSION_MAX;
        let over = loop {
            let next = self.next(&mut client, &mut stop, &mut pings, until).await;
            let done = match next {
                Next::Client(received) => self.client_says(received, &mut client).await,
                Next::Provider(received) => self.provider_says(received, &mut client).await,
                Next::Ping => self.ping(&mut client).await,
                Next::Stop => self.stop(&mut client).await,
                Next::Late => Err(self.late(until)),
            };
            if let Err(over) = done {
                break over;
            }
        };
        self.end(over, client).await;
    }

    async fn next<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut Socket<S>,
        stop: &mut watch::Receiver<bool>,
        pings: &mut Interval,
        until: Instant,
    ) -> Next {
        let late = until.min(self.silence());
        tokio::select! {
            received = client.receive() => Next::Client(received),
            received = self.upstream.receive() => Next::Provider(received),
            _ = pings.tick() => Next::Ping,
            // An error means that the sender is gone: stop as well.
            _ = stop.wait_for(|stop| *stop), if !self.is_stopping => Next::Stop,
            () = sleep_until(late) => Next::Late,
        }
    }

    /// When whoever is silent has been so for too long.
    fn silence(&self) -> Instant {
        if self.answers.is_empty() {
            self.heard.max(self.told) + IDLE_MAX
        } else {
            self.told + self.terms.gateway.limits.deadlines.idle
        }
    }

    fn late(&self, until: Instant) -> Over {
        if Instant::now() >= until {
            Over::of(
                NORMAL,
                "the session has reached its longest duration of 60 minutes",
            )
        } else if self.answers.is_empty() {
            Over::of(NORMAL, "nothing was said for 15 minutes")
        } else {
            Over::broken(ERROR, "the provider stopped sending")
        }
    }

    async fn ping<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut Socket<S>,
    ) -> Result<(), Over> {
        let both = async { (client.ping().await, self.upstream.ping().await) };
        match timeout(WRITE_MAX, both).await {
            Ok((Ok(()), Ok(()))) => Ok(()),
            Ok((Ok(()), Err(error))) => Err(Over::broken(ERROR, error.to_string())),
            _ => Err(Over::left()),
        }
    }

    /// The server stops: what is answered may end, and nothing else begins.
    async fn stop<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut Socket<S>,
    ) -> Result<(), Over> {
        self.is_stopping = true;
        self.is_over(client).await
    }

    /// Ends a session of a server that stops once nothing is answered.
    async fn is_over<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut Socket<S>,
    ) -> Result<(), Over> {
        if !self.is_stopping || !self.answers.is_empty() {
            return Ok(());
        }
        let message = "The server stops; open another session.";
        let event = error_event(
            "server_error",
            "server_stopping",
            message,
            &Refused::default(),
        );
        send(client, event.into()).await?;
        Err(Over::of(GOING_AWAY, "the server stops"))
    }

    async fn client_says<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        received: Received,
        client: &mut Socket<S>,
    ) -> Result<(), Over> {
        let text = match received {
            Received::Text(text) => text,
            Received::Binary => {
                return Err(Over::of(UNSUPPORTED, "events are texts"));
            }
            Received::Closed(..) | Received::Broken(_) => return Err(Over::left()),
        };
        self.heard = Instant::now();
        let asked = match read_asked(&text) {
            Ok(asked) => asked,
            Err(refused) => return refuse(client, &refused, "invalid_value").await,
        };
        if let Asked::Answer { .. } = asked {
            if !self.answers.is_empty() || self.is_asked || self.is_stopping {
                let refused = Refused {
                    message: "An answer is under way; wait for response.done, or cancel it."
                        .to_owned(),
                    ..Refused::default()
                };
                return refuse(client, &refused, "conversation_already_has_active_response").await;
            }
            self.is_asked = true;
        }
        self.meter.asked(&asked);
        if let Some(next) = &mut self.next {
            let covered = self.terms.cover(next, self.meter.demand());
            covered.map_err(Over::unpaid)?;
        }
        match timeout(WRITE_MAX, self.upstream.send(text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Over::broken(ERROR, error.to_string())),
            Err(_) => Err(Over::broken(ERROR, "the provider reads nothing")),
        }
    }

    async fn provider_says<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        received: Received,
        client: &mut Socket<S>,
    ) -> Result<(), Over> {
        let text = match received {
            Received::Text(text) => text,
            Received::Closed(code, reason) => {
                return Err(Over::broken(code, reason.as_str()));
            }
            Received::Binary => return Err(Over::broken(ERROR, "the provider sent no text")),
            Received::Broken(why) => {
                tracing::debug!(why, "a provider's session broke");
                return Err(Over::broken(ERROR, "the provider closed the connection"));
            }
        };
        self.told = Instant::now();
        let told = read_told(&text);
        self.meter.told(&told);
        let mut billed = None;
        let result = match &told {
            Told::Began(id) => self.begin(id.clone()).await,
            Told::More {
                answer,
                text,
                sound,
            } => self.more(answer, *text, *sound),
            Told::Ended(end) => {
                billed = self.finish(end, &text, false);
                Ok(())
            }
            Told::Error => {
                self.is_asked = false;
                Ok(())
            }
            Told::Session(_) | Told::Other => Ok(()),
        };
        let has_ended = billed.is_some();
        // What the money did not reach for is not shown.
        result?;
        send(client, billed.unwrap_or(text)).await?;
        if has_ended {
            self.is_over(client).await?;
        }
        self.prepare().await
    }

    /// An answer begins, by the client's wish or the provider's.
    async fn begin(&mut self, id: String) -> Result<(), Over> {
        self.is_asked = false;
        if self.answers.len() >= ANSWERS_MAX {
            return Err(Over::broken(ERROR, "the provider begins too many answers"));
        }
        // Beside another answer, none has money yet.
        if self.next.is_none() {
            self.set_aside().await?;
        }
        let Some(running) = self.next.take() else {
            return Ok(());
        };
        let answer = Answer::begin(id, running).map_err(Over::unpaid)?;
        self.answers.push(answer);
        Ok(())
    }

    fn more(&mut self, id: &str, text: u64, sound: u64) -> Result<(), Over> {
        let found = self.answers.iter_mut().find(|answer| answer.id == id);
        found.map_or(Ok(()), |answer| {
            answer.more(text, sound).map_err(Over::unpaid)
        })
    }

    /// Settles an answer that has ended; the event, with what it cost.
    fn finish(&mut self, end: &End, text: &str, is_alone: bool) -> Option<Text> {
        let at = self.answers.iter().position(|one| one.id == end.answer)?;
        let (generation, bill) = self.answers.swap_remove(at).end(end, is_alone);
        Some(with_bill(text, &generation, &bill.total.to_string()).into())
    }

    /// Sets aside what the next answer can cost, unless that is done, or one is
    /// under way.
    async fn prepare(&mut self) -> Result<(), Over> {
        if self.next.is_some() || !self.answers.is_empty() || self.is_stopping {
            return Ok(());
        }
        self.set_aside().await
    }

    async fn set_aside(&mut self) -> Result<(), Over> {
        let demand = self.meter.demand();
        let next = self.terms.set_aside(&self.target, demand).await;
        self.next = Some(next.map_err(Over::unpaid)?);
        Ok(())
    }

    /// Ends what is under way, and tells both sides.
    async fn end<S: AsyncRead + AsyncWrite + Unpin>(mut self, over: Over, mut client: Socket<S>) {
        if let Some(failure) = &over.unpaid
            && let Err(left) = send(&mut client, unpaid(failure).into()).await
        {
            tracing::debug!(code = left.code, "nobody was told that the money ran out");
        }
        let is_unpaid = over.unpaid.is_some();
        if !over.is_broken && !self.answers.is_empty() {
            let is_alone = over.is_left || is_unpaid;
            // Its time is bounded, whatever the provider does.
            let _ = timeout(CANCEL_MAX, self.cancel(&mut client, is_alone)).await;
        }
        let failure = broken(&over.reason);
        for answer in std::mem::take(&mut self.answers) {
            answer.break_off(match &over.unpaid {
                Some(failure) => Ending::OutOfMoney(failure),
                None if over.is_broken => Ending::Broke(&failure),
                None if self.terms.gateway.stopping.is_cut_off() => Ending::Stopped,
                None => Ending::ClientLeft,
            });
        }
        if let Some(mut next) = self.next.take() {
            next.end(&Report::default(), Ending::ClientLeft);
        }
        if !over.is_broken {
            let _ = timeout(CLOSE_MAX, self.upstream.close(NORMAL, "")).await;
        }
        if !over.is_left {
            let _ = timeout(CLOSE_MAX, client.close(over.code, &over.reason)).await;
        }
    }

    /// Cancels what is answered, and reads what it used until then.
    async fn cancel<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut Socket<S>,
        is_alone: bool,
    ) {
        let cancel = Text::from_static(r#"{"type":"response.cancel"}"#);
        if self.upstream.send(cancel).await.is_err() {
            return;
        }
        while !self.answers.is_empty() {
            let Received::Text(text) = self.upstream.receive().await else {
                return;
            };
            if let Told::Ended(end) = read_told(&text)
                && let Some(billed) = self.finish(&end, &text, is_alone)
                && !is_alone
                && send(client, billed).await.is_err()
            {
                return;
            }
        }
    }
}

/// Sends an event to the client.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Socket<S>,
    text: Text,
) -> Result<(), Over> {
    match timeout(WRITE_MAX, client.send(text)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Over::left()),
    }
}

/// Tells the client that an event was not passed on.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Socket<S>,
    refused: &Refused,
    code: &str,
) -> Result<(), Over> {
    let event = error_event("invalid_request_error", code, &refused.message, refused);
    send(client, event.into()).await
}

/// What is told to whom no answer can be given any more: mostly because there is
/// no money for it.
fn unpaid(failure: &Failure) -> String {
    let (kind, code) = match failure.kind {
        FailureKind::PaymentRequired => ("insufficient_quota", "insufficient_quota"),
        FailureKind::Authentication | FailureKind::PermissionDenied => {
            ("invalid_request_error", "invalid_api_key")
        }
        _ => ("server_error", failure.kind.error_type()),
    };
    error_event(kind, code, &failure.message, &Refused::default())
}
