//! A backend in memory: two accounts with keys, a few models, a store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use bourse_catalog::{
    DataPolicy, Modalities, Modality, Overlay, Parameter, Parameters, RawCatalog, Snapshot,
};
use bourse_ledger::record::{
    AttemptFact, Cost, Facts, Flags, Hold, Payer, Settle, Settlement, encode,
};
use bourse_ledger::{Balance, GrantKind, KeyBalance, Record};
use bourse_policy::{KeyHash, KeyKind, KeyText, Principal};
use bourse_spool::Position;
use bourse_store::{
    Accounts, Batch, Contents, FileQuota, Grant, Journals, Keys, LiveReport, MemoryStore, NewKey,
    Store,
};
use bourse_vocab::{AccountId, Failure, FailureKind, GenerationId, KeyId, Nanos, Usage};

use crate::status::{Credential, Endpoint, Quantiles, Status};
use crate::{Backend, BoxFuture, EndpointStats, FileLimits, Percentiles, router};

/// 21 November 2026, 12:00 UTC.
pub(crate) const NOW: u64 = 1_795_262_400_000;

/// A server as the control plane sees it, without one.
pub(crate) struct FakeBackend {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) catalog: Mutex<Arc<Snapshot>>,
    pub(crate) refreshed: AtomicU64,
    pub(crate) is_ready: AtomicBool,
    pub(crate) is_stopping: AtomicBool,
    pub(crate) database_away_s: AtomicU64,
    pub(crate) database_behind_s: AtomicU64,
    pub(crate) live: Mutex<Option<(Balance, KeyBalance)>>,
    pub(crate) books: Mutex<LiveReport>,
    pub(crate) epoch: AtomicU64,
    /// The providers that are configured.
    pub(crate) configured: Mutex<Vec<&'static str>>,
    pub(crate) contents: Contents,
    pub(crate) file_limits: Mutex<FileLimits>,
    /// How often somebody said that there are batches.
    pub(crate) looked: AtomicU64,
    _files: tempfile::TempDir,
    drawn: AtomicU64,
    /// The text of account 1's inference key, its management key, and
    /// account 2's management and inference keys.
    pub(crate) keys: [String; 4],
}

/// Small ones, so that tests can fill them.
const FILE_LIMITS: FileLimits = FileLimits {
    file_bytes_max: 10_000,
    quota: FileQuota {
        account_files_max: 5,
        account_bytes_max: 20_000,
        bytes_max: 100_000,
    },
    keep_ms: 30 * 86_400_000,
    batches_max: 3,
};

fn key(kind: KeyKind, seed: u8) -> KeyText {
    KeyText::generate(kind, &[seed; 48])
}

impl FakeBackend {
    /// A backend with its contents, and the router over it.
    pub(crate) async fn with_router() -> (Arc<Self>, Router) {
        let store = Arc::new(MemoryStore::new());
        let mut keys = Vec::new();
        for (name, kinds) in [
            ("one", [KeyKind::Inference, KeyKind::Management]),
            ("two", [KeyKind::Management, KeyKind::Inference]),
        ] {
            let account = store.create_account(name, NOW).await.unwrap().id;
            let grant = Grant {
                account,
                kind: GrantKind::TopUp,
                amount: Nanos(10_000_000_000),
                note: "test".into(),
                reference: None,
                at_ms: NOW,
            };
            store.grant(grant).await.unwrap();
            for kind in kinds {
                let key = key(kind, u8::try_from(keys.len() + 1).unwrap());
                let new = NewKey {
                    account,
                    hash: key.hash(),
                    label: key.label(),
                    name: format!("{name} {kind:?}"),
                    kind,
                    limit: None,
                    limit_reset: None,
                    include_byok_in_limit: false,
                    expires_at_ms: None,
                    external: None,
                    calls: bourse_policy::CallDefaults::default(),
                };
                store.create_key(new, NOW).await.unwrap();
                keys.push(key.reveal().to_owned());
            }
        }
        let files = tempfile::tempdir().unwrap();
        let backend = Arc::new(Self {
            contents: Contents::open(files.path()).unwrap().leaving(0),
            file_limits: Mutex::new(FILE_LIMITS),
            looked: AtomicU64::new(0),
            _files: files,
            store,
            catalog: Mutex::new(Arc::new(catalog())),
            refreshed: AtomicU64::new(0),
            is_ready: AtomicBool::new(true),
            is_stopping: AtomicBool::new(false),
            database_away_s: AtomicU64::new(0),
            database_behind_s: AtomicU64::new(0),
            live: Mutex::default(),
            books: Mutex::default(),
            epoch: AtomicU64::new(0),
            configured: Mutex::new(vec!["openai"]),
            drawn: AtomicU64::new(100),
            keys: keys.try_into().unwrap(),
        });
        let router = router(backend.clone());
        (backend, router)
    }

    pub(crate) fn inference(&self) -> &str {
        &self.keys[0]
    }

    pub(crate) fn management(&self) -> &str {
        &self.keys[1]
    }

    pub(crate) fn foreign(&self) -> &str {
        &self.keys[2]
    }

    /// Lets account 1's inference key make a call that ends at `at_ms`.
    pub(crate) async fn call(&self, n: u64, at_ms: u64) -> GenerationId {
        self.call_with(self.inference(), n, at_ms).await
    }

    /// The same with some key.
    pub(crate) async fn call_with(&self, key: &str, n: u64, at_ms: u64) -> GenerationId {
        let id = GenerationId::new(at_ms / 1000, n.into());
        let row = self.store.key_by_hash(KeyHash::of(key)).await;
        let row = row.unwrap().unwrap();
        let (account, key) = (row.key.account, row.id);
        let hold = Record::Hold(Hold {
            id,
            account,
            key,
            amount: Nanos(2_000_000),
            at_ms,
            model: "openai/gpt-4o",
            provider: "openai",
            endpoint: "openai/gpt-4o@openai",
        });
        let attempt = AttemptFact {
            provider: "openai",
            endpoint: "openai/gpt-4o@openai",
            model: "openai/gpt-4o",
            upstream_id: "chatcmpl-1",
            status: 200,
            latency_ms: 120,
            ..AttemptFact::default()
        };
        let facts = Facts {
            model: "openai/gpt-4o",
            provider: "openai",
            provider_name: "OpenAI",
            endpoint: "openai/gpt-4o@openai",
            upstream_id: "chatcmpl-1",
            finish: "stop",
            native_finish: "stop",
            referer: "https://example.com",
            flags: Flags {
                streamed: true,
                ..Flags::default()
            },
            counts: Usage {
                prompt: 10,
                completion: 5,
                reasoning: 2,
                cache_read: 1,
                ..Usage::default()
            }
            .into(),
            latency_ms: 120,
            generation_ms: 900,
            attempts: vec![attempt],
            ..Facts::default()
        };
        let settle = Record::Settle(Settle {
            key,
            held: Nanos(2_000_000),
            paid: Nanos(1_234_567),
            settlement: Settlement {
                id,
                account,
                at_ms,
                charge: Nanos(1_234_567),
                costs: vec![Cost {
                    provider: "openai",
                    amount: Nanos(1_000_000),
                    payer: Payer::Customer,
                }],
                possible: Vec::new(),
                facts,
            },
        });
        let bytes: Vec<Vec<u8>> = [hold, settle]
            .iter()
            .map(|record| {
                let mut bytes = Vec::new();
                encode(record, &mut bytes);
                bytes
            })
            .collect();
        let records: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let from = self.store.applied().await.unwrap();
        let batch = Batch {
            from,
            to: Position(from.0 + 2),
            chain: None,
            records: &records,
        };
        self.store.apply(batch).await.unwrap();
        id
    }
}

/// Three models that can be called, one that has no price, one that draws.
pub(crate) fn catalog() -> Snapshot {
    let text: Overlay = serde_json::from_value(serde_json::json!({
        "providers": {
            "openai": {"name": "OpenAI", "base_url": "http://127.0.0.1:1/v1", "headquarters": "US",
                       "privacy_url": "https://example.com/privacy"},
            "backup": {"name": "Backup", "base_url": "http://127.0.0.1:2/v1"},
        },
        "models": [
            {
                "slug": "openai/gpt-4o", "name": "GPT-4o", "created": 1_715_558_400_u64,
                "context_length": 128_000, "input_modalities": ["text", "image"],
                "endpoints": [
                    {"provider": "openai", "upstream_model": "gpt-4o", "max_output": 16_384,
                     "price": {"prompt": "2.5", "completion": "10", "cache_read": "1.25"}},
                    {"provider": "backup", "upstream_model": "gpt-4o",
                     "price": {"prompt": "3", "completion": "10"}},
                ],
            },
            {
                "slug": "acme/llama", "name": "Llama", "created": 1_795_000_000_u64,
                "context_length": 8_192,
                "endpoints": [{"provider": "backup", "upstream_model": "llama",
                               "price": {"prompt": "0.10", "completion": "0.40"}}],
            },
            {
                "slug": "acme/llama:free", "name": "Llama (free)", "created": 1_795_000_000_u64,
                "context_length": 4_096,
                "endpoints": [{"provider": "backup", "upstream_model": "llama-free",
                               "price": {"prompt": "0", "completion": "0"}}],
            },
        ],
    }))
    .unwrap();
    let mut raw = RawCatalog::default();
    raw.models.insert(
        "acme/painter".into(),
        bourse_catalog::RawModel {
            name: "Painter".into(),
            created: 1_600_000_000,
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Image]),
            ..Default::default()
        },
    );
    raw.providers.insert("artist".into(), Default::default());
    raw.endpoints.insert(
        "acme/painter@artist".into(),
        bourse_catalog::RawEndpoint {
            model: "acme/painter".into(),
            provider: "artist".into(),
            upstream_model: "painter".into(),
            price: serde_json::from_str(
                r#"{"base":{"prompt":"1","completion":"2"},"source":"test","as_of":""}"#,
            )
            .unwrap(),
            parameters: Parameters::of(&[Parameter::Seed]),
            data_policy: Some(DataPolicy::ZERO_RETENTION),
            ..Default::default()
        },
    );
    raw.models.insert(
        "acme/unpriced".into(),
        bourse_catalog::RawModel {
            context_length: 8_192,
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Text]),
            ..Default::default()
        },
    );
    raw.endpoints.insert(
        "acme/unpriced@artist".into(),
        bourse_catalog::RawEndpoint {
            model: "acme/unpriced".into(),
            provider: "artist".into(),
            upstream_model: "unpriced".into(),
            ..Default::default()
        },
    );
    Snapshot::build(raw, &[text]).unwrap()
}

impl Backend for FakeBackend {
    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn file_limits(&self) -> FileLimits {
        *self.file_limits.lock().unwrap()
    }

    fn batch_endpoints(&self) -> Vec<&'static str> {
        vec!["/v1/chat/completions", "/v1/embeddings"]
    }

    fn video_answer(&self, row: &bourse_store::VideoRow) -> Result<Vec<u8>, Failure> {
        Ok(row.job.clone().into_bytes())
    }

    fn video_content(
        &self,
        row: bourse_store::VideoRow,
        index: usize,
    ) -> BoxFuture<'_, Result<crate::Film, Failure>> {
        Box::pin(async move {
            let bytes = format!("{}-{index}", row.id);
            let body = axum::body::Body::from(bytes);
            Ok(crate::Film {
                media: "video/webm".to_owned(),
                bytes: None,
                body,
            })
        })
    }

    fn look_for_batches(&self) {
        self.looked.fetch_add(1, Relaxed);
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn catalog(&self) -> Arc<Snapshot> {
        self.catalog.lock().unwrap().clone()
    }

    fn markup_ppm(&self) -> u64 {
        0
    }

    fn now_ms(&self) -> u64 {
        NOW
    }

    fn random(&self) -> Result<[u8; 48], Failure> {
        let drawn = self.drawn.fetch_add(1, Relaxed).to_be_bytes();
        Ok(std::array::from_fn(|i| drawn[i % 8]))
    }

    fn identify<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<Principal, Failure>> {
        let unknown = |message: &'static str| Failure::new(FailureKind::Authentication, message);
        Box::pin(async move {
            let text = headers
                .get("authorization")
                .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
                .ok_or_else(|| unknown("No API key"))?;
            let row = self.store.key_by_hash(KeyHash::of(text)).await.unwrap();
            row.map(|row| row.principal())
                .ok_or_else(|| unknown("Unknown API key"))
        })
    }

    fn balance(&self, _: AccountId) -> Option<Balance> {
        self.live.lock().unwrap().map(|(balance, _)| balance)
    }

    fn key_balance(&self, _: AccountId, _: KeyId) -> Option<KeyBalance> {
        self.live.lock().unwrap().map(|(_, key)| key)
    }

    fn refresh(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.refreshed.fetch_add(1, Relaxed);
        })
    }

    fn endpoint_stats(&self, endpoint_id: &str) -> Option<EndpointStats> {
        let speed = match endpoint_id {
            "openai/gpt-4o@openai" => 50.0,
            "acme/llama@backup" => 80.0,
            _ => return None,
        };
        let spread = |p50| Percentiles {
            p50,
            p75: p50,
            p90: p50,
            p99: p50,
        };
        Some(EndpointStats {
            uptime_last_5m: Some(100.0),
            throughput_last_30m: Some(spread(speed)),
            latency_last_30m: Some(spread(1_000.0 / speed)),
            ..EndpointStats::default()
        })
    }

    fn compare_books(&self) -> BoxFuture<'_, Result<LiveReport, Failure>> {
        Box::pin(async { Ok(self.books.lock().unwrap().clone()) })
    }

    fn status(&self) -> Status {
        Status {
            at_ms: NOW,
            simulated: true,
            endpoints: vec![Endpoint {
                endpoint: "acme/llama@backup".to_owned(),
                cost: Nanos(1_000_000_001),
                credentials: vec![Credential {
                    first_content_ms: Some(Quantiles { p50: 7, p99: 9 }),
                    ..Credential::default()
                }],
                ..Endpoint::default()
            }],
            ..Status::default()
        }
    }

    fn callable(&self, endpoint_id: &str) -> bool {
        let configured = self.configured.lock().unwrap();
        // With a tier of service or without.
        let provider = endpoint_id.split_once('@').map_or("", |(_, tag)| tag);
        let provider = provider.split('/').next();
        configured.iter().any(|slug| Some(&**slug) == provider)
    }

    fn offers_epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    fn metrics_text(&self) -> String {
        "# HELP up\n".into()
    }

    fn ready(&self) -> Result<(), String> {
        let ready = self.is_ready.load(Relaxed);
        ready.then_some(()).ok_or("the disk is full".into())
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed)
    }

    fn database_away_s(&self) -> Option<u64> {
        let away = self.database_away_s.load(Relaxed);
        (away > 0).then_some(away)
    }

    fn database_behind_s(&self) -> Option<u64> {
        let behind = self.database_behind_s.load(Relaxed);
        (behind > 0).then_some(behind)
    }

    fn is_simulated(&self) -> bool {
        true
    }

    /// Knows the shape, and tells who asked what.
    fn explain(
        &self,
        account: AccountId,
        request: String,
    ) -> BoxFuture<'_, Result<serde_json::Value, Failure>> {
        Box::pin(async move {
            if !request.starts_with('{') {
                return Err(Failure::invalid("this is no request"));
            }
            Ok(serde_json::json!({
                "requested": [request],
                "order": format!("of {}", account.0),
                "candidates": [],
                "refused": null,
            }))
        })
    }
}
