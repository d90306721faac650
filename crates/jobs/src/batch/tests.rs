//! Batches from their claim to their end, over a caller that does as its lines
//! say, in time that is turned by hand.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bourse_policy::KeyHash;
use bourse_store::{
    BatchRow, BatchState, Contents, FileQuota, FileRow, LineCounts, MemoryStore, Purpose, Shape,
    Store, StoreError,
};
use bourse_vocab::{AccountId, BatchId, Failure, FailureKind, FileId, GenerationId};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::batch::call_id;
use crate::sweep::{Swept, sweep};
use crate::vendor::Stage;
use crate::{BoxFuture, Caller, JobLimits, Jobs, LineCall, NoAnswer, Past};

const NOW: u64 = 1_795_262_400_000;
const CHAT: &str = "/v1/chat/completions";
/// Shorter than a day, because a batch that waits looks twenty times a second.
const WINDOW_MS: u64 = 3_600_000;

/// What the server would do.
#[derive(Default)]
struct World {
    began: Mutex<Option<Instant>>,
    /// Every call that was begun, by the text of its line.
    calls: Mutex<Vec<(String, GenerationId)>>,
    settled: Mutex<Vec<GenerationId>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    is_busy: AtomicBool,
    is_poor: AtomicBool,
    drawn: AtomicUsize,
}

impl World {
    fn calls(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|(text, _)| text.clone()).collect()
    }
}

struct Fake(Arc<World>);

impl Caller for Fake {
    fn call(&self, line: LineCall) -> BoxFuture<'static, Result<Bytes, NoAnswer>> {
        let world = Arc::clone(&self.0);
        Box::pin(async move {
            let body: Value = serde_json::from_slice(&line.body).unwrap();
            let does = body["do"].as_str().unwrap().to_owned();
            world.calls.lock().unwrap().push((does.clone(), line.id));
            let now = world.under_way.fetch_add(1, SeqCst) + 1;
            world.most.fetch_max(now, SeqCst);
            sleep(Duration::from_millis(100)).await;
            let failed = |kind| Err(NoAnswer::Failed(Failure::new(kind, "as it says")));
            let come = match does.as_str() {
                _ if world.is_poor.load(SeqCst) => failed(FailureKind::PaymentRequired),
                "hangs" => std::future::pending().await,
                "refused" => failed(FailureKind::InvalidRequest),
                "down" => failed(FailureKind::Unavailable),
                "settles and dies" => {
                    world.settled.lock().unwrap().push(line.id);
                    std::future::pending().await
                }
                "keeps and dies" => {
                    line.witness
                        .keep(&Bytes::from_static(b"{\"kept\":1}"), b"paid");
                    std::future::pending().await
                }
                says => {
                    let answer = Bytes::from(json!({"answers": says}).to_string());
                    line.witness.keep(&answer, b"paid");
                    world.settled.lock().unwrap().push(line.id);
                    Ok(answer)
                }
            };
            world.under_way.fetch_sub(1, SeqCst);
            come
        })
    }

    fn release(&self, _: BatchId, _: Stage) {}

    fn forget(&self, _: BatchId) {}

    fn failure(&self, _: &str, failure: &Failure) -> Bytes {
        Bytes::from(json!({"error": {"message": failure.message}}).to_string())
    }

    fn past(&self, id: GenerationId) -> BoxFuture<'_, Result<Past, StoreError>> {
        let is_settled = self.0.settled.lock().unwrap().contains(&id);
        let past = if is_settled {
            Past::Settled
        } else {
            Past::Void
        };
        Box::pin(async move { Ok(past) })
    }

    fn is_calm(&self) -> bool {
        !self.0.is_busy.load(SeqCst)
    }

    fn now_ms(&self) -> u64 {
        let began = *self
            .0
            .began
            .lock()
            .unwrap()
            .get_or_insert_with(Instant::now);
        NOW + u64::try_from(began.elapsed().as_millis()).unwrap()
    }

    fn random(&self) -> u128 {
        self.0.drawn.fetch_add(1, SeqCst) as u128
    }
}

/// A node that runs batches, and what it runs them with.
struct Rig {
    store: Arc<dyn Store>,
    contents: Contents,
    world: Arc<World>,
    account: AccountId,
    _dir: tempfile::TempDir,
}

struct Node {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Rig {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let account = store.create_account("acme", NOW).await.unwrap().id;
        let world = Arc::new(World::default());
        world.began.lock().unwrap().get_or_insert_with(Instant::now);
        Self {
            contents: Contents::open(dir.path()).unwrap().leaving(0),
            store,
            world,
            account,
            _dir: dir,
        }
    }

    fn start(&self) -> Node {
        self.start_with(4)
    }

    fn start_with(&self, lines_at_once: usize) -> Node {
        let limits = JobLimits {
            lines_at_once,
            keep_ms: 1_000_000,
        };
        let caller = Arc::new(Fake(Arc::clone(&self.world)));
        let (store, contents) = (Arc::clone(&self.store), self.contents.clone());
        let jobs = Arc::new(Jobs::new(store, contents, caller, limits));
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(jobs.keep_running(stopping));
        Node { stop, task }
    }

    /// Keeps a file.
    async fn file(&self, n: u64, text: &[u8]) -> FileRow {
        let id = FileId::at_ms(NOW, n.into());
        let mut draft = self.contents.write(id).unwrap();
        draft.push(text).unwrap();
        let written = draft.finish().unwrap();
        let row = FileRow {
            id,
            account: self.account,
            name: "lines.jsonl".to_owned(),
            purpose: Purpose::Batch,
            bytes: written.bytes,
            digest: written.digest,
            created_at_ms: NOW,
            expires_at_ms: NOW + 1_000_000_000,
        };
        let quota = FileQuota {
            account_files_max: 100,
            account_bytes_max: 1 << 30,
            bytes_max: 1 << 30,
        };
        let over = self.store.create_file(row.clone(), quota).await.unwrap();
        assert_eq!(over, None);
        row
    }

    /// Makes a batch of lines that do so.
    async fn batch(&self, n: u64, shape: Shape, does: &[&str]) -> BatchId {
        let lines: Vec<String> = does
            .iter()
            .enumerate()
            .map(|(at, does)| match *does {
                "junk" => "junk".to_owned(),
                does => line(at, does),
            })
            .collect();
        let input = self.file(n, lines.join("\n").as_bytes()).await;
        self.of_file(n, shape, &input).await
    }

    async fn of_file(&self, n: u64, shape: Shape, input: &FileRow) -> BatchId {
        let id = BatchId::at_ms(NOW + n, n.into());
        let row = BatchRow {
            id,
            account: self.account,
            key: KeyHash::of("one"),
            shape,
            endpoint: CHAT.to_owned(),
            at_vendor: false,
            input: input.id,
            output: None,
            error: None,
            state: BatchState::Validating,
            metadata: String::new(),
            faults: String::new(),
            paused: String::new(),
            counts: LineCounts::default(),
            created_at_ms: NOW + n,
            expires_at_ms: NOW + WINDOW_MS,
            began_at_ms: None,
            finalizing_at_ms: None,
            cancelling_at_ms: None,
            ended_at_ms: None,
        };
        assert!(self.store.create_batch(row, 100).await.unwrap());
        id
    }

    async fn row(&self, id: BatchId) -> BatchRow {
        self.store.batch(id).await.unwrap().unwrap()
    }

    /// Waits until a batch has ended.
    async fn ended(&self, id: BatchId) -> BatchRow {
        self.until(id, |row| row.state.is_ended()).await
    }

    async fn until(&self, id: BatchId, is_so: impl Fn(&BatchRow) -> bool) -> BatchRow {
        for _ in 0..1_000_000 {
            let row = self.row(id).await;
            if is_so(&row) {
                return row;
            }
            sleep(Duration::from_millis(500)).await;
        }
        panic!("{:?}", self.row(id).await);
    }

    /// The lines of a file, in their order.
    fn lines(&self, file: Option<FileId>) -> Vec<Value> {
        let Some(file) = file else {
            return Vec::new();
        };
        let mut text = String::new();
        let mut opened = self.contents.read(file).unwrap();
        opened.read_to_string(&mut text).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Node {
    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn line(at: usize, does: &str) -> String {
    json!({
        "custom_id": format!("line-{at}"),
        "method": "POST",
        "url": CHAT,
        "body": {"do": does},
    })
    .to_string()
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["custom_id"].as_str().unwrap_or("-"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn lines_end_alone_and_answers_are_in_the_order_of_their_lines() {
    let rig = Rig::new().await;
    let does = ["one", "refused", "two", "junk", "three"];
    let id = rig.batch(1, Shape::File, &does).await;
    let node = rig.start();
    let row = rig.ended(id).await;
    assert_eq!(row.state, BatchState::Completed);
    let counts = LineCounts {
        total: 5,
        completed: 3,
        failed: 2,
        ..LineCounts::default()
    };
    assert_eq!(row.counts, counts);
    assert!(row.began_at_ms <= row.finalizing_at_ms && row.finalizing_at_ms <= row.ended_at_ms);
    let output = rig.lines(row.output);
    assert_eq!(names(&output), ["line-0", "line-2", "line-4"]);
    assert_eq!(output[1]["response"]["body"]["answers"], "two");
    let error = rig.lines(row.error);
    assert_eq!(names(&error), ["line-1", "-"]);
    assert_eq!(error[0]["response"]["status_code"], 400);
    assert_eq!(error[1]["error"]["code"], "invalid_json_line");
    let faults: Value = serde_json::from_str(&row.faults).unwrap();
    assert_eq!(faults[0]["line"], 4);
    assert_eq!(rig.world.calls.lock().unwrap().len(), 4);
    assert!(rig.contents.logs().unwrap().is_empty());
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_lines_are_called_at_once_than_may_be_whatever_batches_there_are() {
    let rig = Rig::new().await;
    let many = ["yes"; 20];
    let (a, b) = (
        rig.batch(1, Shape::File, &many).await,
        rig.batch(2, Shape::Body, &many).await,
    );
    let node = rig.start_with(3);
    rig.ended(a).await;
    rig.ended(b).await;
    assert_eq!(rig.world.most.load(SeqCst), 3);
    assert_eq!(rig.world.calls().len(), 40);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_kill_nothing_that_was_answered_or_settled_is_called_again() {
    let rig = Rig::new().await;
    let does = [
        "yes",
        "hangs",
        "settles and dies",
        "keeps and dies",
        "later",
    ];
    let id = rig.batch(1, Shape::File, &does).await;
    let node = rig.start();
    sleep(Duration::from_secs(3)).await;
    // As `kill -9` leaves it: tasks are gone, files are as they were.
    node.task.abort();
    let _ = node.task.await;
    let called = rig.world.calls();
    assert_eq!(called.len(), 5, "{called:?}");
    drop(node.stop);
    sleep(Duration::from_secs(60)).await;

    let input = rig.row(id).await.input;
    let mut text = String::new();
    rig.contents
        .read(input)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    // What hung is answered now; the file itself does not change, so the world does.
    rig.world.calls.lock().unwrap().clear();
    let node = rig.start();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.world.calls(), ["hangs"]);
    let again = rig.world.calls.lock().unwrap()[0].1;
    let created = rig.row(id).await.created_at_ms;
    assert_eq!(again, call_id(id, created, 1, 2), "a name of its own");
    let row = rig.row(id).await;
    assert_eq!((row.counts.completed, row.counts.failed), (3, 1));
    rig.store.cancel_batch(id, NOW).await.unwrap();
    node.task.abort();
    let _ = node.task.await;

    let node = rig.start();
    let row = rig.ended(id).await;
    assert_eq!(row.state, BatchState::Cancelled);
    assert_eq!(
        names(&rig.lines(row.output)),
        ["line-0", "line-3", "line-4"]
    );
    let codes: BTreeMap<_, _> = rig
        .lines(row.error)
        .iter()
        .map(|line| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&line["custom_id"]), text(&line["error"]["code"]))
        })
        .collect();
    assert_eq!(codes["line-1"], "batch_cancelled");
    assert_eq!(codes["line-2"], "answer_lost");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_cancelled_lets_lines_under_way_end_and_begins_no_other() {
    let rig = Rig::new().await;
    let id = rig.batch(1, Shape::Body, &["yes"; 200]).await;
    let node = rig.start_with(1);
    rig.until(id, |row| row.counts.completed > 10).await;
    rig.store.cancel_batch(id, NOW + 5_000).await.unwrap();
    let row = rig.ended(id).await;
    assert_eq!(row.state, BatchState::Cancelled);
    let counts = row.counts;
    assert!(counts.completed > 10 && counts.completed < 60, "{counts:?}");
    assert_eq!(counts.completed + counts.cancelled, 200);
    assert_eq!(rig.world.calls().len() as u64, counts.completed);
    // All of it is in one file, and every request is in it.
    let lines = rig.lines(row.output);
    assert_eq!((lines.len(), row.error), (200, None));
    assert_eq!(lines[199]["result"]["type"], "canceled");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_a_worker_is_late_no_line_is_called_and_when_its_time_is_up_the_batch_has_expired() {
    let rig = Rig::new().await;
    let id = rig.batch(1, Shape::File, &["yes"; 3]).await;
    rig.world.is_busy.store(true, SeqCst);
    let node = rig.start();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(rig.row(id).await.state, BatchState::InProgress);
    assert!(rig.world.calls().is_empty());
    let row = rig.ended(id).await;
    assert_eq!(row.state, BatchState::Expired);
    let ended = row.ended_at_ms.unwrap() - NOW;
    assert!((WINDOW_MS..WINDOW_MS + 10_000).contains(&ended), "{ended}");
    assert_eq!(row.counts.expired, 3);
    let lines = rig.lines(row.error);
    assert_eq!(lines[2]["error"]["code"], "batch_expired");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_money_one_line_at_a_time_and_goes_on_when_there_is_some() {
    let rig = Rig::new().await;
    let id = rig.batch(1, Shape::File, &["yes"; 20]).await;
    rig.world.is_poor.store(true, SeqCst);
    let node = rig.start();
    let row = rig.until(id, |row| !row.paused.is_empty()).await;
    assert_eq!(row.state, BatchState::InProgress);
    assert_eq!(row.paused, "as it says");
    let before = rig.world.calls().len();
    sleep(Duration::from_secs(60)).await;
    let tried = rig.world.calls().len() - before;
    assert!((8..=14).contains(&tried), "{tried}");
    rig.world.is_poor.store(false, SeqCst);
    let row = rig.ended(id).await;
    assert_eq!(
        (row.state, row.counts.completed),
        (BatchState::Completed, 20)
    );
    assert_eq!(row.paused, "");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_tried_a_few_times_and_then_told() {
    let rig = Rig::new().await;
    let id = rig.batch(1, Shape::File, &["down", "yes"]).await;
    let node = rig.start();
    let row = rig.ended(id).await;
    let counts = (row.counts.completed, row.counts.failed);
    assert_eq!((row.state, counts), (BatchState::Completed, (1, 1)));
    let calls = rig.world.calls.lock().unwrap().clone();
    let down: Vec<_> = calls.iter().filter(|(text, _)| text == "down").collect();
    assert_eq!(down.len(), 5);
    let mut ids: Vec<_> = down.iter().map(|(_, id)| *id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each is a call of its own");
    let lines = rig.lines(row.error);
    assert_eq!(lines[0]["response"]["status_code"], 502);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_lets_lines_end_and_the_next_one_calls_the_rest() {
    let rig = Rig::new().await;
    let id = rig.batch(1, Shape::File, &["yes"; 50]).await;
    let node = rig.start_with(2);
    rig.until(id, |row| row.counts.completed > 4).await;
    node.stop().await;
    let called = rig.world.calls().len();
    assert!(called < 50);
    assert_eq!(rig.row(id).await.counts.completed, called as u64);
    let node = rig.start();
    let row = rig.ended(id).await;
    assert_eq!(row.counts.completed, 50);
    assert_eq!(rig.world.calls().len(), 50);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_batch_has_failed_and_says_why() {
    let rig = Rig::new().await;
    let bad = rig.batch(1, Shape::File, &["junk", "junk"]).await;
    let empty = rig.file(2, b"\n\n").await;
    let empty = rig.of_file(2, Shape::File, &empty).await;
    let changed = rig.file(3, line(0, "yes").as_bytes()).await;
    rig.contents.remove(changed.id).unwrap();
    let mut draft = rig.contents.write(changed.id).unwrap();
    draft.push(line(0, "no").as_bytes()).unwrap();
    draft.finish().unwrap();
    let changed = rig.of_file(3, Shape::File, &changed).await;
    let gone = rig.file(4, line(0, "yes").as_bytes()).await;
    rig.contents.remove(gone.id).unwrap();
    let gone = rig.of_file(4, Shape::File, &gone).await;
    let node = rig.start();
    for (id, code) in [
        (bad, "invalid_json_line"),
        (empty, "empty_file"),
        (changed, "file_unreadable"),
        (gone, "file_unreadable"),
    ] {
        let row = rig.ended(id).await;
        assert_eq!(row.state, BatchState::Failed);
        let faults: Value = serde_json::from_str(&row.faults).unwrap();
        assert_eq!(faults[0]["code"], code);
    }
    assert!(rig.world.calls().is_empty());
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_a_batch_before_a_line_is_called() {
    let mut rig = Rig::new().await;
    let id = rig.batch(1, Shape::File, &["yes"; 3]).await;
    let roomy = rig.contents.clone();
    rig.contents = roomy.clone().leaving(1 << 60);
    let node = rig.start();
    let row = rig.until(id, |row| !row.paused.is_empty()).await;
    assert!(row.paused.contains("disk is full"), "{}", row.paused);
    assert!(rig.world.calls().is_empty());
    node.stop().await;
    rig.contents = roomy;
    let node = rig.start();
    let row = rig.ended(id).await;
    assert_eq!(row.counts.completed, 3);
    node.stop().await;
}

#[tokio::test]
async fn files_whose_time_is_up_and_those_that_nobody_knows_are_removed() {
    let rig = Rig::new().await;
    let old = rig.file(1, b"a").await;
    let kept = rig.file(2, b"b").await;
    let id = rig.of_file(1, Shape::File, &kept).await;
    std::fs::write(rig.contents.log_path(id), b"").unwrap();
    let unknown = BatchId::at_ms(NOW, 9);
    std::fs::write(rig.contents.log_path(unknown), b"").unwrap();
    let hour = 3_600_000;
    for ms in [NOW - hour, NOW + 999_999_000] {
        let draft = rig.contents.write(FileId::at_ms(ms, 77)).unwrap();
        draft.finish().unwrap();
    }
    let swept = sweep(&*rig.store, &rig.contents, NOW + 1).await.unwrap();
    assert_eq!((swept.expired, swept.unknown), (0, 1));
    assert_eq!(rig.contents.logs().unwrap(), [id]);
    // What an open batch reads stays, whatever its time.
    let late = NOW + 1_000_000_000;
    let swept = sweep(&*rig.store, &rig.contents, late).await.unwrap();
    assert_eq!(swept.expired, 1);
    assert!(rig.contents.read(old.id).is_err());
    assert_eq!(rig.store.file(old.id).await.unwrap(), None);
    assert!(rig.contents.read(kept.id).is_ok());
    let again = sweep(&*rig.store, &rig.contents, late).await.unwrap();
    assert_eq!(again, Swept::default());
}
