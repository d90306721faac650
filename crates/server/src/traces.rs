//! Finished calls, told to an OpenTelemetry collector as traces.
//!
//! A reader of the journal beside the one that fills the database: it has a
//! name and a position of its own, which the database remembers, so that a
//! collector that is away for an hour is told of that hour later, and nothing
//! is told again after a restart but the last few seconds. Spans have ids that
//! follow from the call, so a collector can tell that they are the same. A
//! collector that is away for longer than the journal keeps what only it
//! wants is not told the rest, and the log says so. Calls never wait for it.

use std::sync::Arc;
use std::time::Duration;

use bourse_ledger::record;
use bourse_net::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, Origin, OutgoingRequest, Roads,
    Segments,
};
use bourse_spool::{Position, Reader, SpoolError};
use bourse_store::{Store, Till};
use bourse_telemetry::{Observer, encode};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{Config, Telemetry};

/// The name of this reader of the journal.
const CONSUMER: &str = "otlp";
/// How long finished calls may wait for company.
const REST: Duration = Duration::from_secs(1);
/// Records that are read at once: with a few spans a call some 500 KiB of
/// message, of which collectors take 4 MiB or more.
const RECORDS_MAX: usize = 512;
/// The most that is read of a collector's answer: it only says how many spans
/// it did not want.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a collector may take.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(10),
    idle: Duration::from_secs(10),
};
/// How long to wait after a collector was away, doubled each time.
const AWAY_MIN: Duration = Duration::from_secs(1);
/// The longest such wait, also where a collector asks for more.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// How often the database is told how far this reader has come.
const REMEMBER_EVERY: Duration = Duration::from_secs(5);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Tells a collector of finished calls.
struct Exporter {
    store: Arc<dyn Store>,
    till: Arc<Till>,
    reader: Reader,
    client: Client,
    origin: Origin,
    head: HeadTemplate,
    observer: Observer,
    service: String,
    instance: String,
    remembered: Option<Instant>,
    /// How long to wait next time.
    away: Duration,
    is_away: bool,
}

/// What came of telling some spans.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// The collector has them, or never will.
    Done,
    /// It may take them later.
    Later {
        /// When, if it said.
        after: Option<Duration>,
        /// Why not now.
        why: String,
    },
}

impl Exporter {
    /// Goes on where the last one stopped; the first one begins with the calls
    /// that end from now on.
    ///
    /// # Errors
    /// TLS or the path cannot be used.
    fn new(
        telemetry: &Telemetry,
        store: &Arc<dyn Store>,
        till: &Arc<Till>,
        (instance, roads): (String, &Arc<Roads>),
    ) -> Result<Self, Error> {
        let mut egress = EgressPolicy::by(roads);
        // The operator wrote it, and collectors are seldom elsewhere.
        egress.allow_origin(&telemetry.origin);
        let client = Client::new(ClientConfig {
            egress,
            ..ClientConfig::default()
        })?;
        let mut headers = telemetry.headers.clone();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        let origin = telemetry.origin.clone();
        let head = HeadTemplate::new(&origin, Method::POST, &telemetry.path, headers)?;
        let spool = till.spool();
        let from = spool
            .position_of(CONSUMER)
            .unwrap_or_else(|| spool.written());
        Ok(Self {
            reader: spool.reader(from),
            store: Arc::clone(store),
            till: Arc::clone(till),
            client,
            origin,
            head,
            observer: Observer {
                sampling: telemetry.sampling,
            },
            service: telemetry.service_name.clone(),
            instance,
            remembered: None,
            away: AWAY_MIN,
            is_away: false,
        })
    }

    /// Tells until `stop` says so (or its sender is gone). What has not been
    /// told then is told after the next start.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow_and_update() {
            let rest = match self.step().await {
                Ok(None) => REST,
                Ok(Some(Told::Done)) => continue,
                Ok(Some(Told::Later { after, why })) => self.is_away_for(after, &why),
                Err(error) => self.is_away_for(None, &error.to_string()),
            };
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(rest) => {}
            }
        }
        self.remember().await;
    }

    /// Tells of one stretch of the journal; `None` if there was nothing in it.
    async fn step(&mut self) -> Result<Option<Told>, Error> {
        let from = self.reader.position();
        let durable = self.till.spool().durable();
        let batch = match self.reader.read(durable, RECORDS_MAX) {
            Err(SpoolError::Gone { from, start }) => {
                let bytes = start.0.saturating_sub(from.0);
                tracing::warn!(
                    bytes,
                    "calls were not traced: the collector was away for longer than the journal waits for it"
                );
                self.reader.seek(self.till.spool().applied().max(start));
                return Ok(None);
            }
            read => read?,
        };
        if batch.is_empty() {
            self.remember_now_and_then(from).await;
            return Ok(None);
        }
        // What a later version wrote is not known, and is left out.
        let records = batch.iter().filter_map(|bytes| record::decode(bytes).ok());
        let spans: Vec<_> = records
            .flat_map(|record| self.observer.spans(&record))
            .collect();
        let told = if spans.is_empty() {
            Told::Done
        } else {
            let version = env!("CARGO_PKG_VERSION");
            let body = encode(spans, &self.service, version, &self.instance);
            self.send(body).await
        };
        match told {
            Told::Done => {
                self.is_back();
                self.remember_now_and_then(batch.end()).await;
            }
            Told::Later { .. } => self.reader.seek(from),
        }
        Ok(Some(told))
    }

    /// One request (OTLP 1.10, "OTLP/HTTP Response"): 429, 502, 503 and 504
    /// are for later, every other refusal is for good.
    async fn send(&self, body: Vec<u8>) -> Told {
        let mut segments = Segments::new();
        segments.push(body.into());
        let request = OutgoingRequest::new(self.head.clone(), segments);
        let response = match self.client.send(&self.origin, &request, &DEADLINES).await {
            Ok(response) => response,
            Err(error) => {
                return Told::Later {
                    after: None,
                    why: error.to_string(),
                };
            }
        };
        let status = response.status.as_u16();
        let after = response.headers.get_str("retry-after").and_then(|text| {
            let seconds = text.trim().parse().ok()?;
            Some(Duration::from_secs(seconds))
        });
        // Read to its end, so that the connection can be used again.
        let mut answer = response.body;
        let mut read = 0_usize;
        while let Some(Ok(piece)) = answer.next().await {
            read = read.saturating_add(piece.len());
            if read > ANSWER_BYTES_MAX {
                break;
            }
        }
        match status {
            200..=299 => Told::Done,
            429 | 502 | 503 | 504 => Told::Later {
                after,
                why: format!("it answers with {status}"),
            },
            _ => {
                tracing::warn!(status, "the collector refuses traces; these are lost");
                Told::Done
            }
        }
    }

    fn is_away_for(&mut self, asked: Option<Duration>, why: &str) -> Duration {
        if !self.is_away {
            tracing::warn!(
                why,
                "the collector of traces is away; they wait in the journal"
            );
            self.is_away = true;
        }
        let wait = asked.unwrap_or(self.away).min(AWAY_MAX);
        self.away = self.away.saturating_mul(2).min(AWAY_MAX);
        wait
    }

    fn is_back(&mut self) {
        if self.is_away {
            tracing::info!("the collector of traces is back");
        }
        self.is_away = false;
        self.away = AWAY_MIN;
    }

    async fn remember_now_and_then(&mut self, position: Position) {
        let is_due = self
            .remembered
            .is_none_or(|at| at.elapsed() >= REMEMBER_EVERY);
        if is_due && self.till.spool().position_of(CONSUMER) != Some(position) {
            self.remember().await;
        }
    }

    /// Notes how far it has come, first in the database: segments go by what
    /// the journal knows, and a start asks the database.
    async fn remember(&mut self) {
        let position = self.reader.position();
        if let Err(error) = self.store.note_consumer(CONSUMER, Some(position)).await {
            tracing::debug!(%error, "how far traces were told is not remembered yet");
            return;
        }
        if let Err(error) = self.till.spool().ack(CONSUMER, position) {
            tracing::debug!(%error, "the journal could not let go of what was told");
        }
        self.remembered = Some(Instant::now());
    }
}

/// Begins to tell traces, if anybody is to be told.
///
/// # Errors
/// As for [`Exporter::new`].
pub fn start(
    config: &Config,
    store: &Arc<dyn Store>,
    till: &Arc<Till>,
    stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    if let Some(telemetry) = &config.telemetry {
        let instance = config.listen.to_string();
        tokio::spawn(Exporter::new(telemetry, store, till, (instance, &config.roads))?.run(stop));
    } else {
        let (store, till) = (Arc::clone(store), Arc::clone(till));
        tokio::spawn(async move { forget(&*store, &till).await });
    }
    Ok(())
}

/// Forgets a reader that is no longer wanted, so that the journal keeps nothing
/// for it.
async fn forget(store: &dyn Store, till: &Till) {
    if till.spool().position_of(CONSUMER).is_none() {
        return;
    }
    if let Err(error) = till.spool().forget(CONSUMER) {
        tracing::warn!(%error, "the journal could not let go of what traces would have been");
    }
    if let Err(error) = store.note_consumer(CONSUMER, None).await {
        tracing::warn!(%error, "the database still knows of a reader for traces");
    }
}
