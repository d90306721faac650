//! Vendors' own batches, at half the price: the desk where lines are handed in.
//!
//! To a call the desk is a provider that answers late ([`AtDesk`]): what comes
//! before and after (plan, hold, settlement, record) is that of every call. The
//! desk gathers the requests of a batch that go to the same place, sends them
//! as one ([`submission`]), and waits. What it has sent is on the disk before a
//! vendor is told to begin, and what came back is on the disk before a call
//! hears of it: a line that is called again after a crash finds its answer where
//! it was asked for, and no request is sent twice.

mod api;
mod shelf;
mod submission;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bourse_net::{
    Client, Deadlines, NetError, NetErrorKind, Origin, OutgoingRequest, Response, Timing, Upstream,
    UpstreamBody,
};
use bourse_vocab::BatchId;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use tokio::sync::{mpsc, oneshot, watch};

use api::Place;
use submission::Submission;

/// Lines of one submission: what a vendor's batch is made of at most here.
const LINES_MAX: u64 = 4_096;
/// Bytes of one submission. OpenAI takes 200 MB in a file.
const BYTES_MAX: u64 = 64 << 20;

/// How far a batch may go at its vendors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It goes on.
    Goes,
    /// It is to end: vendors are told so, and what they have done is read.
    Cancelled,
    /// The server stops: vendors go on, and the next server reads it.
    Left,
}

/// Where lines are handed in.
#[derive(Clone)]
pub struct Desk(Arc<Shared>);

pub(crate) struct Shared {
    client: Client,
    dir: PathBuf,
    looks_every: Duration,
    batches: Mutex<HashMap<BatchId, Known>>,
}

/// A batch of which lines were handed in.
struct Known {
    stage: watch::Sender<Stage>,
    by_line: HashMap<u32, mpsc::Sender<Waiting>>,
    /// Submissions that still take lines.
    open: HashMap<Place, Open>,
}

struct Open {
    name: String,
    inbox: mpsc::Sender<Waiting>,
    lines: u64,
    bytes: u64,
}

/// What a vendor said to a line.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    body: Bytes,
}

/// A line that waits for its answer; it hears nothing if there is none.
struct Waiting {
    line: u32,
    place: Place,
    body: Bytes,
    tell: oneshot::Sender<Option<Answer>>,
}

/// One line's way to the desk.
#[derive(Clone)]
pub struct AtDesk {
    desk: Desk,
    batch: BatchId,
    line: u32,
}

impl Desk {
    /// A desk whose papers are in `dir`, and that looks for answers so often.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(dir: &Path, client: Client, looks_every: Duration) -> io::Result<Self> {
        shelf::make(dir)?;
        Ok(Self(Arc::new(Shared {
            client,
            dir: dir.to_owned(),
            looks_every,
            batches: Mutex::default(),
        })))
    }

    /// The way of a line.
    #[must_use]
    pub fn at(&self, batch: BatchId, line: u32) -> AtDesk {
        let desk = self.clone();
        AtDesk { desk, batch, line }
    }

    /// Says how far a batch may go.
    pub fn release(&self, batch: BatchId, stage: Stage) {
        if let Some(known) = self.0.lock().get(&batch) {
            known.stage.send_replace(stage);
        }
    }

    /// Throws away what is known of a batch, all of whose lines have ended.
    pub fn forget(&self, batch: BatchId) {
        self.0.lock().remove(&batch);
        if let Err(error) = shelf::remove(&self.0.dir, batch) {
            tracing::warn!(%batch, %error, "what a vendor was sent of a batch cannot be removed");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<BatchId, Known>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a line in. What was handed in before finds its way back.
    fn hand_in(self: &Arc<Self>, batch: BatchId, waiting: Waiting) -> io::Result<()> {
        let mut batches = self.lock();
        let known = match batches.entry(batch) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(self.recall(batch)?),
        };
        let sent = match known.by_line.get(&waiting.line).cloned() {
            Some(inbox) => inbox.try_send(waiting).is_ok(),
            None => known.gather(self, batch, waiting),
        };
        match sent {
            true => Ok(()),
            // Full, or gone.
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// What was sent of a batch before this server began.
    fn recall(self: &Arc<Self>, batch: BatchId) -> io::Result<Known> {
        let (stage, _) = watch::channel(Stage::Goes);
        let mut by_line = HashMap::new();
        for record in shelf::records(&self.dir, batch)? {
            let (inbox, arriving) = mpsc::channel(inbox_lines());
            for line in &record.lines {
                by_line.insert(*line, inbox.clone());
            }
            let stage = stage.subscribe();
            let shared = Arc::clone(self);
            tokio::spawn(Submission::of(shared, batch, record, (arriving, stage)).go_on());
        }
        Ok(Known {
            stage,
            by_line,
            open: HashMap::new(),
        })
    }

    /// Takes no more lines into a submission: what was handed in until now is
    /// all of it.
    fn close(&self, batch: BatchId, name: &str) {
        if let Some(known) = self.lock().get_mut(&batch) {
            known.open.retain(|_, open| open.name != name);
        }
    }

    /// Lines that a vendor has not taken may be handed in anew.
    fn give_back(&self, batch: BatchId, lines: &[u32]) {
        if let Some(known) = self.lock().get_mut(&batch) {
            for line in lines {
                known.by_line.remove(line);
            }
        }
    }
}

/// Each of a submission's lines at most once under way, and once more where a
/// call is tried elsewhere.
fn inbox_lines() -> usize {
    usize::try_from(LINES_MAX.saturating_mul(2)).unwrap_or(usize::MAX)
}

impl Known {
    /// Puts a line to those that go to the same place; `false` if it cannot be
    /// put there.
    fn gather(&mut self, shared: &Arc<Shared>, batch: BatchId, waiting: Waiting) -> bool {
        let bytes = waiting.body.len() as u64;
        let is_full =
            |open: &Open| open.lines >= LINES_MAX || open.bytes.saturating_add(bytes) > BYTES_MAX;
        self.open.retain(|_, open| !is_full(open));
        let stage = &self.stage;
        let open = self.open.entry(waiting.place.clone()).or_insert_with(|| {
            let (inbox, arriving) = mpsc::channel(inbox_lines());
            let record = shelf::Record::new(&waiting.place.base);
            let name = record.name.clone();
            let channels = (arriving, stage.subscribe());
            tokio::spawn(Submission::of(Arc::clone(shared), batch, record, channels).begin());
            Open {
                name,
                inbox,
                lines: 0,
                bytes: 0,
            }
        });
        open.lines = open.lines.saturating_add(1);
        open.bytes = open.bytes.saturating_add(bytes);
        self.by_line.insert(waiting.line, open.inbox.clone());
        open.inbox.try_send(waiting).is_ok()
    }
}

/// A line that no vendor answers: nothing was sent, as far as its call goes.
fn unanswered() -> NetError {
    NetError::new(NetErrorKind::Exhausted)
}

impl Upstream for AtDesk {
    async fn send(
        &self,
        origin: &Origin,
        request: &OutgoingRequest,
        deadlines: &Deadlines,
    ) -> Result<Response, NetError> {
        let (place, body) = Place::of(origin, request).ok_or_else(unanswered)?;
        let (tell, told) = oneshot::channel();
        let waiting = Waiting {
            line: self.line,
            place,
            body,
            tell,
        };
        let shared = &self.desk.0;
        if let Err(error) = shared.hand_in(self.batch, waiting) {
            tracing::warn!(batch = %self.batch, %error, "a line cannot be handed in; it is called by itself");
            return Err(unanswered());
        }
        let answer = told.await.ok().flatten().ok_or_else(unanswered)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Response {
            status: StatusCode::from_u16(answer.status).map_err(|_| unanswered())?,
            headers: headers.into(),
            body: UpstreamBody::from_body(Once(Some(answer.body)), deadlines.idle),
            timing: Timing::default(),
        })
    }
}

/// A body that is there.
struct Once(Option<Bytes>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        Poll::Ready(self.get_mut().0.take().map(|body| Ok(Frame::data(body))))
    }
}
