//! The pure parts of a call, each run as often as it is told: what
//! `cargo xtask gate` counts instructions of.
//!
//! `hot_path` lists the cases; `hot_path CASE TIMES` runs one. What happens
//! before the loop does not count, because the gate takes the difference
//! between two numbers of rounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::hint::black_box;

use bourse_catalog::{
    Modalities, Modality, Overlay, Parameter, Parameters, PriceList, RawCatalog, Snapshot,
};
use bourse_dataplane::endpoints::{self, Scanned};
use bourse_dataplane::identity::{Caller, Identity};
use bourse_ledger::record::{AttemptFact, Cost, Facts, Hold, Payer, Settle, Settlement, encode};
use bourse_ledger::{Fold, Record, price};
use bourse_policy::key::RANDOM_BYTES;
use bourse_policy::{KeyHash, KeyKind, KeyText, RecalledKey};
use bourse_routing::arrange::{Lot, arrange};
use bourse_routing::bucket::Bucket;
use bourse_routing::candidate::Candidate;
use bourse_routing::filter::{self, Needs, Offer};
use bourse_routing::health::Health;
use bourse_routing::lengths::Thought;
use bourse_routing::plan::Plan;
use bourse_routing::preferences::Preferences;
use bourse_routing::strategies;
use bourse_vocab::chat::Efforts;
use bourse_vocab::{
    AccountId, Bill, GenerationId, KeyId, Nanos, PromptFacts, Quality, StoreId, TierWish, Usage,
};
use bourse_wire::codec::{Stamp, WriteTarget};
use bourse_wire::dialect::Dialect;
use bourse_wire::openai_chat::passthrough::{Envelope, StreamRelay, splice_reply, splice_request};
use bourse_wire::{json, openai_chat};
use bytes::Bytes;

/// A case: its name, and what makes the work of one round.
type Case = (&'static str, fn() -> Box<dyn FnMut()>);

const CASES: &[Case] = &[
    ("key-check-and-hash", key),
    ("key-recalled", key_recalled),
    ("scan-1k", || scan(1_400)),
    ("scan-100k", || scan(100_000)),
    ("envelope", envelope),
    ("opener", opener),
    ("read-chat", read_chat),
    ("splice-request", request_splice),
    ("plan-8-endpoints", plan),
    ("hold-bound", hold),
    ("relay-chunk", relay),
    ("splice-reply", reply),
    ("price-usage", price_usage),
    ("write-usage", write_usage),
    ("fold-call", fold_call),
];

/// A chunk as OpenAI writes it, 290 bytes with its frame.
const CHUNK: &str = "data: {\"id\":\"chatcmpl-C1a2b3c4d5e6f7g8h9i0jklmnopqr\",\"object\":\
    \"chat.completion.chunk\",\"created\":1795000000,\"model\":\"gpt-4o-mini-2024-07-18\",\
    \"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":\
    0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1795000000-abcdefghijklmnopqrst",
    model: "openai/gpt-4o-mini",
    provider: "OpenAI",
    created: 1_795_000_000,
    metadata: None,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, times] = &*arguments else {
        for (name, _) in CASES {
            println!("{name}");
        }
        return;
    };
    let (_, make) = CASES
        .iter()
        .find(|(known, _)| known == name)
        .expect("a case of the list");
    let times: u32 = times.parse().expect("a number of rounds");
    let mut round = make();
    for _ in 0..times {
        round();
    }
}

/// A request of about `bytes` bytes, a line break in every line of it.
fn chat_request(bytes: usize) -> Bytes {
    const LINE: &str = "The exchange opens at nine, and by ten every broker has quoted a price.\\n";
    let mut body = String::from(
        "{\"model\":\"openai/gpt-4o-mini\",\"stream\":true,\"temperature\":0.7,\"max_tokens\":400,\
         \"user\":\"u-1\",\"messages\":[{\"role\":\"system\",\"content\":\"Answer briefly.\"},\
         {\"role\":\"user\",\"content\":\"",
    );
    while body.len() + LINE.len() < bytes {
        body.push_str(LINE);
    }
    body.push_str("\"}],\"usage\":{\"include\":true}}");
    Bytes::from(body)
}

fn key() -> Box<dyn FnMut()> {
    let key = KeyText::generate(KeyKind::Inference, &[7; RANDOM_BYTES]);
    let text = key.reveal().to_owned();
    Box::new(move || {
        let text = black_box(&*text);
        bourse_policy::key::check(text).unwrap();
        black_box(KeyHash::of(text));
    })
}

fn key_recalled() -> Box<dyn FnMut()> {
    let key = KeyText::generate(KeyKind::Inference, &[7; RANDOM_BYTES]);
    let recalled = RecalledKey::new(key.reveal(), key.hash()).unwrap();
    let text = key.reveal().to_owned();
    Box::new(move || {
        black_box(recalled.hash_of(black_box(&*text)).unwrap());
    })
}

fn scan(bytes: usize) -> Box<dyn FnMut()> {
    let body = chat_request(bytes);
    Box::new(move || {
        black_box(json::scan(black_box(&body)).unwrap());
    })
}

fn envelope() -> Box<dyn FnMut()> {
    let segments = [chat_request(1_400)];
    let outline = json::scan(&segments[0]).unwrap();
    Box::new(move || {
        black_box(Envelope::read(outline.clone(), black_box(&segments)).unwrap());
    })
}

/// How a conversation begins, as it is read for calls without a name of one.
fn opener() -> Box<dyn FnMut()> {
    let segments = [chat_request(1_400)];
    let outline = json::scan(&segments[0]).unwrap();
    let envelope = Envelope::read(outline, &segments).unwrap();
    Box::new(move || {
        black_box(black_box(&envelope).opener(&segments)).unwrap();
    })
}

/// All that is read of a request before it is planned: members and headers.
fn read_chat() -> Box<dyn FnMut()> {
    let chat = endpoints::at("/v1/chat/completions").unwrap();
    let request = http::Request::post("/v1/chat/completions")
        .header("host", "127.0.0.1:8787")
        .header("authorization", "Bearer sk-bourse-v1-0")
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .header("accept-encoding", "gzip, deflate")
        .header("user-agent", "OpenAI/Python 2.9.0")
        .header("http-referer", "https://app.example")
        .header("x-title", "App");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let body = chat_request(1_400);
    let outline = json::scan(&body).unwrap();
    let identity = Identity::of(StoreId([7; 16]));
    Box::new(move || {
        let scanned = Scanned {
            outline: outline.clone(),
            segments: vec![body.clone()],
        };
        let caller = Caller::new(&identity, AccountId(1));
        black_box(chat.read(black_box(&head), scanned, caller)).unwrap();
    })
}

fn request_splice() -> Box<dyn FnMut()> {
    let segments = [chat_request(1_400)];
    let outline = json::scan(&segments[0]).unwrap();
    let envelope = Envelope::read(outline, &segments).unwrap();
    Box::new(move || {
        let target = WriteTarget {
            model: "gpt-4o-mini",
            max_output: Some(16_384),
            limit: None,
            tier: TierWish::None,
            dialect: &Dialect::PLAIN,
            efforts: Efforts::default(),
        };
        let envelope = black_box(&envelope);
        black_box(splice_request(envelope, &segments, &target));
    })
}

/// A model that eight providers offer, each at its own price.
fn market() -> Snapshot {
    let providers: Vec<String> = (0..8)
        .map(|n| format!("\"p{n}\":{{\"base_url\":\"https://p{n}.example/v1\"}}"))
        .collect();
    let endpoints: Vec<String> = (0..8)
        .map(|n| {
            format!(
                "{{\"provider\":\"p{n}\",\"upstream_model\":\"m\",\"context_length\":128000,\
                 \"price\":{{\"prompt\":\"0.1{n}\",\"completion\":\"0.4{n}\"}}}}"
            )
        })
        .collect();
    let overlay: Overlay = serde_json::from_str(&format!(
        "{{\"providers\":{{{}}},\"models\":[{{\"slug\":\"acme/model\",\"endpoints\":[{}]}}]}}",
        providers.join(","),
        endpoints.join(",")
    ))
    .unwrap();
    Snapshot::build(RawCatalog::default(), &[overlay])
        .unwrap()
        .with_sort_suffixes(strategies::suffixes())
}

/// Resolves a name, filters and orders its endpoints, takes the first.
fn plan() -> Box<dyn FnMut()> {
    let market = market();
    let wishes = Preferences::default();
    let health: Vec<Health> = (0..8).map(|_| Health::default()).collect();
    let bucket = Bucket::of(350, Thought::None, true);
    let needs = Needs {
        input: Modalities::of(&[Modality::Text]),
        output: Modalities::of(&[Modality::Text]),
        parameters: Parameters::of(&[Parameter::Temperature, Parameter::MaxTokens]),
        text_bytes: 1_400,
        max_output: Some(400),
    };
    let mut random = 0.0;
    let mut now_ms = 1_795_000_000_000;
    Box::new(move || {
        random = (random + 0.618_033_988_75) % 1.0;
        now_ms += 1;
        let resolved = market.resolve(black_box("acme/model")).unwrap();
        let mut candidates = Vec::with_capacity(8);
        for (target, endpoint) in (0..).zip(market.endpoints(resolved.model)) {
            let provider = market.provider(endpoint.provider);
            let prices = &endpoint.prices.base;
            let offer = Offer {
                endpoint,
                provider: &provider.slug,
                tag: &endpoint.tag,
                prices,
                is_asked_for: true,
            };
            if filter::check(&offer, &needs, &wishes).is_err() {
                continue;
            }
            let health = &health[target as usize];
            candidates.push(Candidate {
                target,
                model_rank: 0,
                order_rank: None,
                service_rank: 0,
                share: bourse_routing::candidate::WHOLE,
                price: prices.prompt.unwrap().times(350) + prices.completion.unwrap().times(400),
                unstable: health.is_full(now_ms) || health.is_unstable(now_ms),
                standing: health.standing(now_ms),
                in_flight: health.in_flight(),
                expected_ms: health.expected_ms(bucket, now_ms),
                has_finished: health.has_finished(),
                cooldown_ms: health.cooldown_ms(now_ms),
                latency_ms: None,
                throughput: None,
                deprioritised: false,
                is_stuck: false,
                quality: Quality::Unknown,
            });
        }
        assert_eq!(candidates.len(), 8);
        arrange(&mut candidates, &wishes, None, Lot::single(random));
        let steps = candidates.iter().map(|c| (c.target, c.model_rank));
        let mut plan = Plan::new(steps).unwrap();
        black_box(plan.next(|_| true).unwrap());
    })
}

/// Prices of a model with caches and a tier for long prompts.
fn price_list() -> PriceList {
    let overlay: Overlay = serde_json::from_str(
        "{\"providers\":{\"p\":{\"base_url\":\"https://p.example/v1\"}},\"models\":[{\"slug\":\
         \"acme/model\",\"endpoints\":[{\"provider\":\"p\",\"upstream_model\":\"m\",\
         \"context_length\":1000000,\"price\":{\"prompt\":\"1.25\",\"completion\":\"10\",\
         \"cache_read\":\"0.125\",\"tiers\":[{\"min_prompt_tokens\":200000,\"prompt\":\"2.5\",\
         \"completion\":\"15\"}]}}]}]}",
    )
    .unwrap();
    let market = Snapshot::build(RawCatalog::default(), &[overlay]).unwrap();
    let list = market.all_endpoints().next().unwrap().prices.clone();
    assert_eq!(list.tiers.len(), 1);
    list
}

fn hold() -> Box<dyn FnMut()> {
    let list = price_list();
    let prompt = PromptFacts {
        text_bytes: 1_400,
        ..PromptFacts::default()
    };
    Box::new(move || {
        let ask = price::Bounds {
            prompt: black_box(&prompt),
            completion_max: 4_096,
            choices: 1,
            context_length: Some(1_000_000),
            ..price::Bounds::default()
        };
        black_box(price::upper_bound(black_box(&ask), &list, 55_000).unwrap());
    })
}

fn price_usage() -> Box<dyn FnMut()> {
    let list = price_list();
    let usage = Usage {
        prompt: 1_200,
        cache_read: 1_024,
        completion: 300,
        reasoning: 120,
        ..Usage::default()
    };
    Box::new(move || {
        black_box(price::price(black_box(&usage), 0, &list, 55_000).unwrap());
    })
}

fn write_usage() -> Box<dyn FnMut()> {
    let usage = Usage {
        prompt: 1_200,
        cache_read: 1_024,
        completion: 300,
        reasoning: 120,
        ..Usage::default()
    };
    let bill = Bill {
        total: Nanos(3_547_975),
        upstream_prompt: Nanos(348_000),
        upstream_completion: Nanos(3_000_000),
        estimated: false,
    };
    let mut out = Vec::with_capacity(1_024);
    Box::new(move || {
        out.clear();
        openai_chat::usage::write_usage(black_box(&usage), black_box(&bill), &mut out);
        black_box(&out);
    })
}

fn relay() -> Box<dyn FnMut()> {
    let mut relay = StreamRelay::new(&STAMP, false);
    let mut out = Vec::with_capacity(1_024);
    Box::new(move || {
        out.clear();
        relay.feed(black_box(CHUNK.as_bytes()), &mut out).unwrap();
        assert!(!out.is_empty());
        black_box(&out);
    })
}

fn reply() -> Box<dyn FnMut()> {
    let body = format!(
        "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1795000000,\"model\":\
         \"gpt-4o-mini-2024-07-18\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":\"{}\",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":20,\"completion_tokens\":150,\"total_tokens\":170,\
         \"prompt_tokens_details\":{{\"cached_tokens\":0}},\"completion_tokens_details\":\
         {{\"reasoning_tokens\":0}}}}}}",
        "The brokers agreed on a price. ".repeat(32)
    );
    Box::new(move || {
        let parts = splice_reply(black_box(body.as_bytes()), &STAMP, false).unwrap();
        assert!(parts.has_content);
        black_box(parts);
    })
}

/// The two records of an ordinary call.
fn records(n: u128) -> [Vec<u8>; 2] {
    let (model, provider, endpoint) = ("openai/gpt-4o-mini", "openai", "openai/gpt-4o-mini@openai");
    let hold = Hold {
        id: GenerationId::new(1_795_000_000, n),
        account: AccountId(1),
        key: KeyId(1),
        amount: Nanos(300_000),
        at_ms: 1_795_000_000_000,
        model,
        provider,
        endpoint,
    };
    let usage = Usage {
        prompt: 1_200,
        cache_read: 1_024,
        completion: 300,
        ..Usage::default()
    };
    let charge = price::price(&usage, 0, &price_list(), 55_000).unwrap();
    let attempt = AttemptFact {
        provider,
        endpoint,
        model,
        upstream_id: "chatcmpl-C1a2b3c4d5e6f7g8h9i0jklmnopqr",
        status: 200,
        latency_ms: 320,
        end_ms: 900,
        billed: charge.upstream_total,
        ..AttemptFact::default()
    };
    let end = Record::Settle(Settle {
        key: hold.key,
        held: hold.amount,
        paid: charge.total,
        settlement: Settlement {
            id: hold.id,
            account: hold.account,
            at_ms: hold.at_ms + 900,
            charge: charge.total,
            costs: vec![Cost {
                provider,
                amount: charge.upstream_total,
                payer: Payer::Customer,
            }],
            possible: Vec::new(),
            facts: Facts {
                model,
                provider,
                provider_name: "OpenAI",
                endpoint,
                upstream_id: attempt.upstream_id,
                finish: "stop",
                native_finish: "stop",
                user_agent: "OpenAI/Python 1.109.1",
                counts: usage.into(),
                latency_ms: 320,
                generation_ms: 580,
                attempts: vec![attempt],
                lines: charge.lines,
                ..Facts::default()
            },
        },
    });
    [Record::Hold(hold), end].map(|record| {
        let mut bytes = Vec::new();
        encode(&record, &mut bytes);
        bytes
    })
}

/// Reads and folds one call of a batch. A batch has hundreds: what is done
/// once for each is done once for 64 rounds here.
fn fold_call() -> Box<dyn FnMut()> {
    let calls: Vec<_> = (0..64).map(records).collect();
    let mut fold = Fold::default();
    let mut next = 0;
    Box::new(move || {
        let Some(call) = calls.get(next) else {
            let effects = std::mem::take(&mut fold).finish().unwrap();
            assert_eq!(effects.generations.len(), 64);
            next = 0;
            return;
        };
        for bytes in call {
            fold.push(black_box(bytes)).unwrap();
        }
        next += 1;
    })
}
