//! A data plane with a scripted upstream, a store in memory and a clock that
//! stands still unless somebody waits.
//!
//! ```text
//! play().one(Answer::status(500)).two(Answer::good())
//!     .check("settled 10/2; customer pays two").await;
//! ```

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bourse_catalog::{
    Overlay, OverlayEndpoint, OverlayModel, OverlayPrice, OverlayProvider, RawCatalog, Snapshot,
};
use bourse_ledger::GrantKind;
use bourse_ledger::books::Credit;
use bourse_net::Http2;
use bourse_net::h1_server::Answer as _;
use bourse_policy::key::{KeyText, RANDOM_BYTES};
use bourse_policy::{CallDefaults, KeyHash, KeyKind, Principal};
use bourse_providers::{Compatible, Credential, Disconnect};
use bourse_spool::Options;
use bourse_store::{Accounts, Grant, Keys, MemoryStore, NewKey, Till};
use bourse_vocab::{AccountId, Failure, Format, Nanos, NodeId, RowId, StoreId};
use bourse_wire::Dialect;
use bourse_wire::dialect::Prefill;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::books::{Booked, PROMPT_NANOS, booked};
use super::script::{Answer, Script};
use crate::admission::Admission;
use crate::admission::bounds::Limits;
use crate::ask::Defaults;
use crate::bodies::Bodies;
use crate::cache::{CACHE_BYTES_MAX, Cache};
use crate::clock::Clock;
use crate::drains::Drains;
use crate::endpoints;
use crate::gateway::{CallLimits, Counters, Gateway, Stopping};
use crate::identity::Identity;
use crate::keyring::{Keyring, Office, Reply, Unavailable};
use crate::market::{Market, Memory, ProviderSetup, Target};
use crate::phases::admit::{Admitted, admit};
use crate::pipeline::{Worker, call};
use crate::progress::{Progress, STREAMS_MAX};
use crate::realtime::Sessions;
use crate::replies::REPLIES_BYTES_MAX;
use crate::respond::ReplyBody;
use crate::stickiness::Stickiness;
use crate::tools::TOOLS_BYTES_MAX;
use crate::unknown::Unknown;

/// 21 November 2026, 12:00 UTC.
pub const NOW: u64 = 1_795_262_400_000;
pub const MODEL: &str = "acme/chat";
const CHAT: &str = "/v1/chat/completions";
/// Far longer than any call of a test takes.
const PATIENCE: Duration = Duration::from_secs(1_000_000);

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A call that is to be played.
pub struct Play {
    answers: Vec<(&'static str, Vec<Answer>)>,
    body: Value,
    leaves: Option<Duration>,
    /// After so many bytes of the answer.
    leaves_at_byte: usize,
    headers: Vec<(&'static str, &'static str)>,
    path: &'static str,
    /// Whether providers are tried in the order in which they are named.
    is_ordered: bool,
    pub setup: Setup,
}

/// What differs from test to test.
pub struct Setup {
    /// Whether providers bill to the end, so that they are drained.
    pub drains: bool,
    pub drains_max: usize,
    /// A provider that the operator does without.
    pub without: Option<&'static str>,
    /// Whether providers sell the tiers `flex`, at half the price, and
    /// `priority`, at twice the price.
    pub tiers: bool,
    /// What providers speak.
    pub format: Format,
    /// What those speak that speak something else, and how each goes on with
    /// an answer.
    pub others: Vec<(&'static str, Format, Prefill)>,
    /// What calls have that say nothing of it.
    pub defaults: Defaults,
    /// What calls of the key have that say nothing of it.
    pub key_calls: CallDefaults,
    /// Whether they are known to tell what they charge.
    pub tells_cost: bool,
    /// Whether reading a prompt from their caches costs a tenth.
    pub caches: bool,
    pub bodies_bytes_max: usize,
    pub cache_bytes_max: usize,
    pub replies_bytes_max: usize,
    /// Nano-dollars on the account.
    pub credit: i64,
    pub limits: CallLimits,
    /// How the journal is kept.
    pub journal: Options,
    /// What keys and accounts may have.
    pub admission: Limits,
    /// Whether the worker tells the journal how far streams have come, and of
    /// how many at once.
    pub tells: bool,
    pub streams_max: usize,
}

/// A streamed call.
pub fn play() -> Play {
    Play {
        answers: Vec::new(),
        body: json!({
            "model": MODEL, "stream": true,
            "messages": [{"role": "user", "content": "Hello there"}],
        }),
        leaves: None,
        leaves_at_byte: usize::MAX,
        headers: Vec::new(),
        path: CHAT,
        is_ordered: true,
        setup: Setup {
            drains: false,
            drains_max: 8,
            without: None,
            tiers: false,
            format: Format::OpenAiChat,
            others: Vec::new(),
            defaults: Defaults::default(),
            key_calls: CallDefaults::default(),
            tells_cost: false,
            caches: false,
            bodies_bytes_max: 64 << 20,
            cache_bytes_max: CACHE_BYTES_MAX,
            replies_bytes_max: REPLIES_BYTES_MAX,
            credit: 10_000_000_000,
            limits: CallLimits::default(),
            journal: Options {
                // Nothing here asks whether the disk has it.
                sync_interval: Duration::from_secs(3_600),
                ..Options::default()
            },
            admission: Limits::default(),
            tells: true,
            streams_max: STREAMS_MAX,
        },
    }
}

/// A call for a whole answer.
pub fn play_whole() -> Play {
    play().member("stream", false)
}

impl Play {
    pub fn one(self, answer: Answer) -> Self {
        self.provider("one", [answer])
    }

    pub fn two(self, answer: Answer) -> Self {
        self.provider("two", [answer])
    }

    pub fn three(self, answer: Answer) -> Self {
        self.provider("three", [answer])
    }

    /// A provider that does one after the other. Providers are tried in the
    /// order in which they are named.
    pub fn provider(
        mut self,
        name: &'static str,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Self {
        self.answers.push((name, answers.into_iter().collect()));
        self
    }

    /// The client leaves after so long.
    pub fn leaves(mut self, after: Duration) -> Self {
        self.leaves = Some(after);
        self
    }

    /// The client leaves once it has so many bytes of the answer.
    pub const fn leaves_at_byte(mut self, bytes: usize) -> Self {
        self.leaves_at_byte = bytes;
        self
    }

    /// When the client leaves.
    pub fn left_after(&self) -> Duration {
        self.leaves.unwrap_or(PATIENCE)
    }

    /// Providers bill to the end.
    pub fn drains(self) -> Self {
        self.setup(|setup| setup.drains = true)
    }

    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }

    /// Providers are tried in the order in which routing puts them.
    pub const fn in_any_order(mut self) -> Self {
        self.is_ordered = false;
        self
    }

    /// Asks how the call was routed.
    pub fn wants_metadata(self) -> Self {
        self.header("x-openrouter-metadata", "enabled")
    }

    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn without_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|header| *header != (name, value));
        self
    }

    /// Asks for a text completion.
    pub fn completes(mut self, prompt: &str) -> Self {
        self.path = "/v1/completions";
        let body = self.body.as_object_mut().unwrap();
        body.remove("messages");
        self.member("prompt", prompt)
    }

    /// `reasoning.exclude`: the client does not see thoughts.
    pub fn hides_thoughts(self) -> Self {
        self.member("reasoning", json!({"exclude": true}))
    }

    pub fn setup(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        change(&mut self.setup);
        self
    }

    /// The data plane that the call is made on.
    pub async fn harness(&self) -> Harness {
        let harness = Harness::new(&self.setup).await;
        self.answers_on(&harness);
        harness
    }

    /// Makes providers answer as they do for this call.
    pub fn answers_on(&self, harness: &Harness) {
        for (name, answers) in &self.answers {
            harness.script.will(name, answers.clone());
        }
    }

    /// Makes the call.
    pub async fn play(self) -> Played {
        let harness = self.harness().await;
        harness.play(&self).await
    }

    /// Makes the call, and compares how it was booked: see
    /// [`Booked::end`].
    #[track_caller]
    pub fn check(self, expected: &'static str) -> impl Future<Output = Played> {
        let caller = std::panic::Location::caller();
        async move {
            let played = self.play().await;
            assert_eq!(played.booked.end, expected, "at {caller}");
            played
        }
    }

    /// The body of the request.
    pub fn body(&self) -> String {
        let mut body = self.body.clone();
        let order: Vec<_> = self.answers.iter().map(|(name, _)| *name).collect();
        if !body["provider"].is_object() {
            body["provider"] = json!({});
        }
        body["provider"]["only"] = json!(order);
        if self.is_ordered {
            body["provider"]["order"] = json!(order);
        }
        body.to_string()
    }
}

/// What came of a call.
pub struct Played {
    pub got: Got,
    pub booked: Booked,
    pub harness: Harness,
}

/// What the client saw.
#[derive(Debug, Default)]
pub struct Got {
    /// 0 if it left before there was one.
    pub status: u16,
    pub retry_after: Option<String>,
    pub headers: HeaderMap,
    pub body: String,
    /// When the head came.
    pub head_at: Duration,
    /// When the last byte came.
    pub at: Duration,
    pub is_ended: bool,
}

impl Got {
    pub fn events(&self) -> impl Iterator<Item = Value> {
        self.body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
    }

    /// The text of the answer.
    pub fn text(&self) -> String {
        self.events()
            .filter_map(|event| {
                let choice = &event["choices"][0];
                let content = choice["delta"].get("content").unwrap_or(&choice["text"]);
                content.as_str().map(str::to_owned)
            })
            .collect()
    }

    /// Whether the stream was ended as a finished one.
    pub fn is_done(&self) -> bool {
        self.body.ends_with("data: [DONE]\n\n") && self.error().is_none()
    }

    pub fn comments(&self) -> usize {
        self.body.matches(": OPENROUTER PROCESSING\n\n").count()
    }

    /// The code of the error event, or of the error body.
    pub fn error(&self) -> Option<u64> {
        let whole = serde_json::from_str::<Value>(&self.body).ok();
        self.events()
            .chain(whole)
            .find_map(|event| event["error"]["code"].as_u64())
    }
}

/// A data plane.
pub struct Harness {
    pub worker: Worker<Script>,
    pub script: Script,
    /// What the till began from. Nothing is applied to it by itself.
    pub store: Arc<MemoryStore>,
    began: Instant,
    key: String,
    dir: tempfile::TempDir,
}

/// What comes next of an answer, over a connection that takes everything at
/// once.
pub async fn next_piece(body: &mut ReplyBody) -> Option<String> {
    let frame = poll_fn(|cx| {
        let next = Pin::new(&mut *body).poll_frame(cx);
        body.written();
        next
    })
    .await?;
    let data = frame.unwrap().into_data().unwrap();
    Some(String::from_utf8(data.to_vec()).unwrap())
}

/// Nobody beside the server changes anything.
struct NoOffice;

impl Office for NoOffice {
    fn load<'a>(&'a self, _: &'a [KeyHash]) -> Reply<'a, Result<Vec<Principal>, Unavailable>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn refresh(&self) -> Reply<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The first id of its millisecond.
pub const ACCOUNT: AccountId = AccountId(RowId::new(NOW, NodeId::FIRST, 0).0);

impl Harness {
    async fn new(setup: &Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyText::generate(KeyKind::Inference, &[7; RANDOM_BYTES]);
        let store = MemoryStore::new();
        let account = store.create_account("acme", NOW).await.unwrap().id;
        assert_eq!(account, ACCOUNT);
        let grant = Grant {
            account,
            kind: GrantKind::TopUp,
            amount: Nanos(setup.credit),
            note: String::new(),
            reference: None,
            at_ms: NOW,
        };
        store.grant(grant).await.unwrap();
        let new_key = NewKey {
            account,
            hash: KeyHash::of(key.reveal()),
            label: key.label(),
            name: "test".to_owned(),
            kind: KeyKind::Inference,
            limit: None,
            limit_reset: None,
            include_byok_in_limit: false,
            expires_at_ms: None,
            external: None,
            calls: setup.key_calls,
        };
        let key_row = store.create_key(new_key, NOW).await.unwrap();
        let journal = setup.journal.clone();
        let opened = Till::open(&store, dir.path(), journal, NOW).await.unwrap();
        let till = opened.till;
        let accounts = store.accounts_by_id(&[account]).await.unwrap();
        till.load(&accounts, std::slice::from_ref(&key_row));
        let memory = Memory::default();
        let keyring = Keyring::default();
        keyring.put(key_row.principal(), key_row.change_seq);
        let gateway = Gateway {
            admission: Admission::new(setup.admission.clone()),
            alarms: Arc::default(),
            market: arc_swap::ArcSwap::from_pointee(market(setup, &memory)),
            memory,
            keyring: Arc::new(keyring),
            office: Arc::new(NoOffice),
            till: Arc::new(till),
            wait_for_disk: false,
            limits: setup.limits,
            identity: Identity::of(StoreId([7; 16])),
            counters: Counters::default(),
            clock: Clock::timer(NOW),
            cache: Cache::new(setup.cache_bytes_max),
            bodies: Arc::new(Bodies::new(setup.bodies_bytes_max)),
            replies: Arc::new(Bodies::new(setup.replies_bytes_max)),
            tools: Arc::new(Bodies::new(TOOLS_BYTES_MAX)),
            drains: Arc::new(Drains::new(setup.drains_max)),
            unknown: Unknown::default(),
            stickiness: Stickiness::default(),
            waiting: Arc::default(),
            sessions: Sessions::default(),
            stopping: Stopping::default(),
            book: Arc::new(crate::videos::book::NoBook),
        };
        let script = Script::default();
        let progress = Progress::new(&gateway.till, setup.streams_max);
        if setup.tells {
            let telling = Arc::clone(&progress);
            tokio::spawn(async move { telling.keep_telling().await });
        }
        let door = gateway.admission.door();
        let probing = Arc::clone(&door);
        tokio::spawn(async move { probing.keep_probing().await });
        Self {
            worker: Worker {
                bodies: Arc::clone(&gateway.bodies),
                gateway: Arc::new(gateway),
                client: script.clone(),
                door,
                progress,
            },
            script,
            store: Arc::new(store),
            began: Instant::now(),
            key: key.reveal().to_owned(),
            dir,
        }
    }

    /// Where the journal is.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The caller's key, in clear.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Presents the caller's key, or another.
    pub async fn admit(&self, key: Option<&str>, now_ms: u64) -> Result<Admitted, Failure> {
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {}", key.unwrap_or(&self.key));
        headers.insert("authorization", value.parse().unwrap());
        admit(self.gateway(), &headers, now_ms).await
    }

    /// What calls with.
    pub const fn worker(&self) -> &Worker<Script> {
        &self.worker
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.worker.gateway
    }

    /// Since when the harness is there.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// How long the harness is there.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Makes a call.
    pub async fn play(self, play: &Play) -> Played {
        let got = self.ask(play).await;
        let booked = self.booked().await;
        Played {
            got,
            booked,
            harness: self,
        }
    }

    /// Makes a call; returns what the client saw until it left.
    pub async fn ask(&self, play: &Play) -> Got {
        let mut got = Got::default();
        let reading = self.read(play, &mut got);
        // A future that is dropped is a client that left.
        let _ = timeout(play.leaves.unwrap_or(PATIENCE), reading).await;
        got
    }

    async fn read(&self, play: &Play, got: &mut Got) {
        let began = Instant::now();
        let mut request = self.request(play.path, play.body());
        for (name, value) in &play.headers {
            let value = http::HeaderValue::from_static(value);
            request.headers_mut().insert(*name, value);
        }
        let endpoint = endpoints::at(play.path).unwrap();
        let response = call(&self.worker, endpoint, request).await;
        got.status = response.status().as_u16();
        got.head_at = began.elapsed();
        let retry_after = response.headers().get("retry-after");
        got.retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        got.headers = response.headers().clone();
        let mut body = response.into_body();
        while let Some(piece) = next_piece(&mut body).await {
            got.body.push_str(&piece);
            got.at = began.elapsed();
            if got.body.len() >= play.leaves_at_byte {
                return;
            }
        }
        got.is_ended = true;
    }

    /// Makes a call, and leaves its answer where it is.
    pub async fn answer(&self, play: &Play) -> Response<ReplyBody> {
        let request = self.request("/v1/chat/completions", play.body());
        let endpoint = endpoints::at("/v1/chat/completions").unwrap();
        call(&self.worker, endpoint, request).await
    }

    /// Makes a call for a text completion and leaves after the first poll.
    pub async fn text_completion_polled_once(&self, prompt: &str) {
        let body = json!({"model": MODEL, "prompt": prompt, "provider": {"only": ["one"]}});
        let request = self.request("/v1/completions", body.to_string());
        let endpoint = endpoints::at("/v1/completions").unwrap();
        let calling = call(&self.worker, endpoint, request);
        let mut calling = std::pin::pin!(calling);
        let polled = poll_fn(|cx| Poll::Ready(calling.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }

    /// Makes a call and leaves with the last word of the stream, before its
    /// end.
    pub async fn leave_after_the_last_word(&self, play: &Play) {
        let mut body = self.answer(play).await.into_body();
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let data = frame.unwrap().unwrap().into_data().unwrap();
            if data.ends_with(b"data: [DONE]\n\n") {
                return;
            }
        }
    }

    pub fn request(&self, path: &str, body: String) -> Request<Full<Bytes>> {
        Request::post(path)
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    }

    /// The caller has left so much today that nobody knows the cost of.
    pub fn has_left(&self, amount: Nanos) {
        let gateway = self.gateway();
        let who = gateway.keyring.get(&KeyHash::of(&self.key)).unwrap();
        gateway.unknown.add((&who).into(), amount, NOW);
    }

    /// Who pays.
    pub const fn account(&self) -> AccountId {
        ACCOUNT
    }

    /// Credit comes in.
    pub fn tops_up(&self, nanos: i64) {
        let books = self.gateway().till.books();
        let spent = books.balance(ACCOUNT).unwrap().spent;
        let granted = Nanos(spent.0 + nanos);
        let credit = Credit {
            // Newer than whatever the store said.
            change_seq: u64::MAX,
            ..Credit::whole(granted, Nanos::ZERO)
        };
        books.set_account(ACCOUNT, &credit);
    }

    /// What the caller has paid.
    pub fn spent(&self) -> i64 {
        let books = self.gateway().till.books();
        books.balance(ACCOUNT).unwrap().spent.0
    }

    /// What is on hold.
    pub fn held(&self) -> i64 {
        let books = self.gateway().till.books();
        books.balance(ACCOUNT).unwrap().held.0
    }

    /// What was booked, once nothing is on hold any more.
    pub async fn booked(&self) -> Booked {
        let settled = async {
            while self.held() > 0 {
                sleep(ms(50)).await;
            }
        };
        timeout(PATIENCE, settled).await.expect("a hold stays");
        booked(&self.gateway().till)
    }

    /// What was booked so far.
    pub fn booked_now(&self) -> Booked {
        booked(&self.gateway().till)
    }

    /// The target at a provider.
    pub fn target(&self, provider: &str) -> Arc<Target> {
        let market = self.gateway().market.load();
        let mut targets = market.targets().iter();
        let found = targets.find(|target| &*target.provider.slug == provider);
        Arc::clone(found.unwrap())
    }

    /// How many calls are under way.
    pub fn in_flight(&self) -> u64 {
        self.gateway().admission.running()
    }

    /// How many calls have failed: by the caller, the provider, us.
    pub fn failures(&self) -> [u64; 3] {
        let failures = &self.gateway().counters.failures;
        std::array::from_fn(|index| failures[index].load(Relaxed))
    }

    /// How many attempts at a provider succeeded, failed, were told to slow
    /// down, were let go of.
    pub fn attempts(&self, provider: &str) -> [u64; 4] {
        let metrics = &self.target(provider).metrics;
        [
            &metrics.succeeded,
            &metrics.failed,
            &metrics.rate_limited,
            &metrics.cancelled,
        ]
        .map(|count| count.load(Relaxed))
    }
}

fn dollars(nanos: i64) -> Option<String> {
    // Nano-dollars a token are dollars for a thousand million tokens.
    Some(format!("{}.{:03}", nanos / 1_000, nanos % 1_000))
}

fn services(setup: &Setup, prompt: i64) -> BTreeMap<String, OverlayPrice> {
    let tiers = [("flex", prompt / 2), ("priority", 2 * prompt)];
    let sold = tiers.into_iter().filter(|_| setup.tiers);
    sold.map(|(name, prompt)| {
        let price = OverlayPrice {
            prompt: dollars(prompt),
            completion: dollars(2 * prompt),
            ..OverlayPrice::default()
        };
        (name.to_owned(), price)
    })
    .collect()
}

fn own_provider(
    setup: &Setup,
    (slug, format): (&'static str, Format),
    base_url: &str,
) -> Compatible {
    let own = Compatible::operators_own(slug, base_url, format);
    if !setup.tells_cost {
        return own;
    }
    own.dialect(Dialect {
        tells_cost: true,
        ..Dialect::PLAIN
    })
}

pub fn market(setup: &Setup, memory: &Memory) -> Market {
    let mut overlay = Overlay::default();
    let mut endpoints = Vec::new();
    let mut setups = Vec::new();
    for (slug, prompt) in PROMPT_NANOS {
        let base_url = format!("http://{slug}.test/v1");
        let other = setup.others.iter().find(|(other, ..)| *other == slug);
        let plain = (slug, setup.format, Prefill::None);
        let (_, format, prefill) = *other.unwrap_or(&plain);
        let provider = OverlayProvider {
            base_url: Some(base_url.clone()),
            format: Some(format.slug().to_owned()),
            ..OverlayProvider::default()
        };
        overlay.providers.insert(slug.to_owned(), provider);
        endpoints.push(OverlayEndpoint {
            provider: slug.to_owned(),
            upstream_model: Some("m".to_owned()),
            price: Some(OverlayPrice {
                prompt: dollars(prompt),
                completion: dollars(2 * prompt),
                cache_read: dollars(prompt / 10).filter(|_| setup.caches),
                services: services(setup, prompt),
                ..OverlayPrice::default()
            }),
            ..OverlayEndpoint::default()
        });
        if setup.without == Some(slug) {
            continue;
        }
        setups.push(ProviderSetup {
            provider: Arc::new(own_provider(setup, (slug, format), &base_url).goes_on(prefill)),
            credentials: vec![Credential::None.into()],
            base_url,
            http2: Http2::Never,
            on_disconnect: if setup.drains {
                Disconnect::Drain
            } else {
                Disconnect::Cancel
            },
            private_urls: false,
            via: None,
            simulated: false,
        });
    }
    overlay.models.push(OverlayModel {
        slug: MODEL.to_owned(),
        context_length: Some(100_000),
        reasoning: Some(true),
        input_modalities: Some(vec!["text".to_owned(), "image".to_owned()]),
        endpoints,
        ..OverlayModel::default()
    });
    let catalog = Snapshot::build(RawCatalog::default(), &[overlay])
        .unwrap()
        .with_sort_suffixes(bourse_routing::strategies::suffixes());
    let model = catalog.resolve(MODEL).unwrap().model;
    let (market, problems) = Market::build(Arc::new(catalog), setups, 0, memory);
    assert!(problems.is_empty(), "{problems:?}");
    market.with_defaults(vec![(model, setup.defaults)])
}
