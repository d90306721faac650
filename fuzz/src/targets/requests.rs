//! Requests of clients: read, planned, and written for every provider.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bourse_catalog::{Overlay, RawCatalog, Snapshot};
use bourse_dataplane::endpoints::{ENDPOINTS, Endpoint, Incoming, Rest, Scanned};
use bourse_dataplane::identity::{Caller, Identity};
use bourse_dataplane::market::{Market, Memory, ProviderSetup, Target as Offer};
use bourse_dataplane::phases::plan::{Wanted, plan};
use bourse_dataplane::way::Way;
use bourse_net::Http2;
use bourse_providers::{Credential, Key};
use bourse_routing::arrange::Lot;
use bourse_vocab::chat::{Efforts, Loss};
use bourse_vocab::json::{self, Map, Value};
use bourse_vocab::{
    AccountId, Failure, FailureKind, Format, Operation, ServiceTier, StoreId, TierWish,
};
use bourse_wire::anthropic::passthrough as anthropic;
use bourse_wire::gemini::passthrough as gemini;
use bourse_wire::json::Scanner;
use bourse_wire::openai_chat::passthrough::{Envelope, needs_rewrite, splice_request};
use bourse_wire::{Dialect, WriteTarget, codec};
use bytes::Bytes;

use super::{STAMP, Target, calls, fixtures, is_callers, is_json};
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};
use canonical::{canonical_request, order};

// The suite that compares the roads over fixtures has it; two rules for what is
// equal would be two truths.
// A test's file: an index that is not there ends it, as it should.
#[path = "../../../crates/providers/tests/differential/canonical.rs"]
#[allow(clippy::indexing_slicing)]
mod canonical;

/// Bodies of every endpoint, on their way to every provider.
pub struct Requests;

/// What every provider of the market offers.
const MODEL: &str = "acme/m";
/// So many providers are written to for one input: all would take most of the
/// time for the same few formats.
const TARGETS_EACH: usize = 3;
/// The first byte of an input that is for chat completions: its endpoint's place.
const CHAT: u8 = b'0';

/// Requests of endpoints that have no fixtures, beside the texts.
const OTHERS: [(&str, &str); 16] = [
    (
        "/v1/embeddings",
        r#"{"model":"acme/m","input":["one","two\u00e9"],"dimensions":2,"encoding_format":"base64","input_type":"search_query","user":"alice","provider":{"only":["x"]},"session_id":"s","top_p":1}"#,
    ),
    (
        "/v1/embeddings",
        r#"{"model":"acme/m","input":[[1,2],[3]]}"#,
    ),
    (
        "/v1/embeddings",
        r#"{"model":"acme/m","input":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#,
    ),
    (
        "/v1/models/{model}:embedContent",
        r#"{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2}"#,
    ),
    (
        "/v1/models/{model}:embedContent",
        r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"one"}]},"title":"t"}]}"#,
    ),
    (
        "/v1/images/generations",
        r#"{"model":"acme/m","prompt":"a \u00e9 cat","n":2,"size":"1536x1024","quality":"high","background":"opaque","moderation":"low","output_format":"jpeg","output_compression":80,"seed":7,"style":"vivid","user":"alice","provider":{"only":["x"]},"wit":1}"#,
    ),
    (
        "/v1/images",
        r#"{"model":"acme/m","prompt":"cat","aspect_ratio":"16:9","resolution":"1K"}"#,
    ),
    (
        "/v1/rerank",
        r#"{"model":"acme/m","query":"which\u003f","documents":["one",{"text":"two","image":"https://x.example/1.png"},"three"],"top_n":2,"provider":{"only":["x"]},"user":"alice","wit":1}"#,
    ),
    (
        "/v1/audio/speech",
        r#"{"model":"acme/m","input":"hello","voice":"v","response_format":"mp3","speed":1.25,"instructions":"slow","stream_format":"sse"}"#,
    ),
    (
        "/v1/audio/transcriptions",
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"},"language":"en","temperature":0.5,"response_format":"verbose_json","timestamp_granularities":["word"],"prompt":"p"}"#,
    ),
    (
        "/v1/audio/translations",
        r#"{"model":"acme/m","input_audio":{"data":"UklGRgAAAABXQVZF","format":"wav"},"response_format":"srt"}"#,
    ),
    (
        "/v1/models/{model}:generateContent",
        r#"{"contents":[{"role":"user","parts":[{"text":"q"},{"inlineData":{"mimeType":"image/png","data":"AAAA"},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}}]}],"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"maxOutputTokens":9,"temperature":0.70,"candidateCount":2,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"includeThoughts":true,"thinkingBudget":400}},"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}"#,
    ),
    (
        "/v1/models/{model}:generateContent",
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"AAAA"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}}]}],"system_instruction":{"parts":{"text":"s"}},"generation_config":{"max_output_tokens":9,"stop_sequences":["x"]}}"#,
    ),
    (
        "/v1/models/{model}:streamGenerateContent",
        r#"{"contents":{"parts":[{"text":"q"}]},"models":["acme/n"],"provider":{"sort":"price"},"cachedContent":null,"labels":{"a":"b"},"serviceTier":"flex"}"#,
    ),
    (
        "/v1/responses",
        r#"{"model":"acme/m","input":[{"role":"user","content":[{"type":"input_text","text":"q"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"r"},{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"E"}],"instructions":"s","tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],"tool_choice":{"type":"function","name":"f"},"reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"json_schema","name":"n","schema":{"a":1}},"verbosity":"low"},"include":["reasoning.encrypted_content"],"store":false,"max_output_tokens":99,"truncation":"auto","stream":true}"#,
    ),
    (
        "/v1/messages",
        r#"{"model":"acme/m","max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"S"},{"type":"tool_use","id":"t","name":"f","input":{"b":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"thinking":{"type":"enabled","budget_tokens":1024},"metadata":{"user_id":"u"},"service_tier":"auto","stop_sequences":["x"],"top_k":4}"#,
    ),
];

const TEXTS: [&str; 3] = [
    r#"{"model":"acme/m","prompt":"Say hi","max_tokens":5,"stream":true,"stop":["x"],"logprobs":2,"echo":false}"#,
    r#"{"model":"acme/m:floor","prompt":["a","b"],"suffix":"z","n":2,"temperature":0.5}"#,
    r#"{"models":["acme/m","acme/n"],"prompt":"x","provider":{"sort":"price","only":["openai"],"max_price":{"prompt":1}},"usage":{"include":true}}"#,
];
const CHATS: [&str; 4] = [
    r#"{"model":"acme/m","messages":[{"role":"user","content":"q"}],"provider":{"order":["openai","anthropic"],"allow_fallbacks":false,"quantizations":["fp8"],"data_collection":"deny","require_parameters":true},"reasoning":{"effort":"high","max_tokens":400},"user":"u","metadata":{"a":"b"},"session_id":"s","plugins":[],"transforms":["middle-out"]}"#,
    r#"{"model":"acme/m:nitro","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}}]}],"modalities":["text","image"],"n":2,"logit_bias":{"50256":-100},"seed":7.0,"stop":["x","y"]}"#,
    r#"{"model":"acme/m","messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":null,"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1","index":0}],"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"b\":1}"}}]},{"role":"tool","tool_call_id":"call_1","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"b":{"type":"integer"}}},"strict":true}}],"tool_choice":"required","parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"z":-0,"a":10.0}}}}"#,
    r#"{"model":"acme/m","messages":[{"role":"developer","content":"s"},{"role":"user","name":"ada","content":"q"}],"max_completion_tokens":9,"temperature":0.70,"top_p":1,"top_k":4,"min_p":0.10,"frequency_penalty":1,"repetition_penalty":1.10,"verbosity":"low","service_tier":"default","prompt_cache_key":"k","stream":true,"stream_options":{"include_usage":true},"x_vendor":{"b":1,"a":[1e400]}}"#,
];

impl Target for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn held_to(&self) -> &'static str {
        "a request is written as JSON for every provider or refused with a status below 500; bytes and vocabulary say the same"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut seeds: Vec<Vec<u8>> = TEXTS
            .iter()
            .map(|text| [&[first_of("/v1/completions")], text.as_bytes()].concat())
            .collect();
        let others = OTHERS.iter();
        seeds.extend(others.map(|(path, body)| [&[first_of(path)], body.as_bytes()].concat()));
        seeds.extend(CHATS.iter().map(|text| [&[CHAT], text.as_bytes()].concat()));
        for (format, body) in fixtures(".request.json")? {
            let path = match format {
                Format::OpenAiChat => "/v1/chat/completions",
                Format::Anthropic => "/v1/messages",
                Format::OpenAiResponses => "/v1/responses",
                // The address names the model.
                Format::Gemini => {
                    let first = first_of("/v1/models/{model}:generateContent");
                    seeds.push([&[first], body.as_slice()].concat());
                    continue;
                }
                Format::Bedrock | Format::Ollama | Format::Cohere => continue,
            };
            seeds.push([&[first_of(path)], named(&body).as_slice()].concat());
        }
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let (first, body) = input.split_first().unwrap_or((&CHAT, &[]));
        let number = usize::from(first.wrapping_sub(b'0')) % ENDPOINTS.len();
        let Some(endpoint) = ENDPOINTS.get(number).copied() else {
            return Err("no such endpoint".to_owned());
        };
        let mut chance = Chance::new(of_bytes(input));
        let mut sign = Sign::default();
        match read(endpoint, body, &mut chance) {
            Err(failure) => {
                is_callers(&failure)?;
                sign.failure(&failure);
            }
            Ok(incoming) => {
                // Control characters, escapes and the range of numbers are left
                // to the parsers behind us (decision 7).
                let is_json = json::parse(body).is_ok();
                planned_and_written(endpoint, &incoming, is_json, &mut chance, &mut sign)?;
            }
        }
        limits_agree(endpoint.path(), body)?;
        if *first == CHAT {
            on_both_roads(body, &mut chance, &mut sign)?;
        }
        Ok(sign.get())
    }
}

/// The byte that stands for an endpoint.
fn first_of(path: &str) -> u8 {
    let place = ENDPOINTS.iter().position(|one| one.path() == path);
    CHAT.wrapping_add(
        place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or(0),
    )
}

/// Where a request for an endpoint goes.
fn address(endpoint: &dyn Endpoint, body: &[u8]) -> String {
    let path = endpoint.path().replace("{model}", MODEL);
    let is_batch = body.windows(10).any(|part| part == b"\"requests\"");
    match is_batch {
        true => path.replace("embedContent", "batchEmbedContents"),
        false => path,
    }
}

/// A fixture's body for the one model that there is.
fn named(body: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(mut members)) = json::parse(body) else {
        return body.to_vec();
    };
    members.insert("model".to_owned(), MODEL.into());
    Value::Object(members).to_string().into_bytes()
}

/// Every provider that there is, each with one offer of the model.
static MARKET: LazyLock<Result<Market, String>> = LazyLock::new(market);

fn market() -> Result<Market, String> {
    let mut endpoints = Vec::new();
    let mut listed = BTreeMap::new();
    for provider in chatting() {
        let slug = provider.slug();
        listed.insert(
            slug,
            serde_json::json!({"base_url": "https://x.example/v1"}),
        );
        endpoints.push(serde_json::json!({
            "provider": slug,
            "upstream_model": "m",
            "price": {"prompt": "1", "completion": "2"},
        }));
    }
    let model = |slug: &str| serde_json::json!({"slug": slug, "context_length": 100_000, "max_output": 8_000, "endpoints": endpoints});
    let overlay =
        serde_json::json!({"providers": listed, "models": [model(MODEL), model("acme/n")]});
    let overlay: Overlay = serde_json::from_value(overlay).map_err(|error| error.to_string())?;
    let catalog = Snapshot::build(RawCatalog::default(), &[overlay])
        .map_err(|problems| format!("{problems:?}"))?
        .with_sort_suffixes(bourse_routing::strategies::suffixes());
    let setups = chatting().map(|provider| ProviderSetup {
        on_disconnect: provider.on_disconnect(),
        provider: Arc::new(provider),
        credentials: vec![Credential::bearer(Key::new("sk")).into()],
        base_url: "https://x.example/v1".to_owned(),
        http2: Http2::Never,
        private_urls: false,
        via: None,
        simulated: false,
    });
    let (market, problems) =
        Market::build(Arc::new(catalog), setups.collect(), 0, &Memory::default());
    match problems.is_empty() {
        true => Ok(market),
        false => Err(format!("{problems:?}")),
    }
}

/// The providers that chat: those that do not are asked by [`OTHER_WAYS`].
fn chatting() -> impl Iterator<Item = &'static dyn bourse_providers::Provider> {
    bourse_providers::all().filter(|provider| {
        let mut interfaces = provider.interfaces("").iter();
        interfaces.any(|one| one.operation == Operation::Chat)
    })
}

/// Ways by the path of an endpoint.
type Ways = BTreeMap<&'static str, Vec<Arc<Way>>>;

/// Ways for those endpoints whose models the market does not have, by path.
static OTHER_WAYS: LazyLock<Result<Ways, String>> = LazyLock::new(|| {
    let others = ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.interface() != bourse_catalog::Interface::Chat);
    others
        .map(|endpoint| Ok((endpoint.path(), calls::ways(*endpoint)?)))
        .collect()
});

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::of(StoreId([1; 16])));

fn read(endpoint: &dyn Endpoint, body: &[u8], chance: &mut Chance) -> Result<Incoming, Failure> {
    let mut scanner = Scanner::new();
    let mut segments = Vec::new();
    for piece in chance.pieces(body) {
        scanner.push(piece)?;
        segments.push(Bytes::copy_from_slice(piece));
    }
    let scanned = Scanned {
        outline: scanner.finish()?,
        segments,
    };
    let request = http::Request::post(address(endpoint, body)).body(());
    let request = request.map_err(|error| Failure::server(error.to_string()))?;
    let (head, ()) = request.into_parts();
    endpoint.read(&head, scanned, Caller::new(&IDENTITY, AccountId(1)))
}

fn planned_and_written(
    endpoint: &dyn Endpoint,
    incoming: &Incoming,
    must_be_json: bool,
    chance: &mut Chance,
    sign: &mut Sign,
) -> Result<(), String> {
    let ask = &incoming.ask;
    let market = MARKET.as_ref().map_err(Clone::clone)?;
    let wanted = Wanted::of(ask, endpoint, false, Lot::single(0.5), 1);
    let targets: Vec<Arc<Offer>> = match plan(market, &wanted, None) {
        Ok(plan) => plan.targets().cloned().collect(),
        Err(failure) => {
            is_callers(&failure)?;
            sign.failure(&failure);
            // What would be written is looked at all the same.
            market.targets().to_vec()
        }
    };
    sign.count(targets.len());
    let others = OTHER_WAYS.as_ref().map_err(Clone::clone)?;
    let others = others.get(endpoint.path()).map_or(&[][..], Vec::as_slice);
    for _ in 0..TARGETS_EACH {
        let target = chance.pick(&targets);
        let way = target.and_then(|target| target.way(|way| endpoint.rank(way)));
        let Some(way) = way.or_else(|| chance.pick(others)) else {
            continue;
        };
        let named = || target.map_or("nobody", |target| &*target.provider.slug);
        let to = WriteTarget {
            model: "up",
            max_output: Some(8_000),
            limit: chance.one_in(2).then_some(777),
            efforts: way.efforts,
            tier: wish(chance),
            dialect: &way.dialect,
        };
        match incoming.request.write(way, &to) {
            Err(failure) => {
                is_callers(&failure)?;
                sign.failure(&failure);
            }
            Ok(prepared) => {
                let body: Vec<u8> = prepared
                    .body
                    .iter()
                    .flat_map(|piece| piece.to_vec())
                    .collect();
                // Forms have a target of their own.
                let is_form = matches!(
                    way.operation,
                    Operation::Transcription(_) | Operation::Translation(_)
                );
                if must_be_json && !is_form {
                    is_json(&format!("a request for {}", named()), &body)?;
                }
                prepared
                    .losses
                    .iter()
                    .for_each(|loss| sign.text(&loss.field));
            }
        }
        if must_be_json && incoming.request.writer(&STAMP).is_some() {
            gone_on_with(incoming, way, &to)?;
        }
    }
    Ok(())
}

/// A request for the rest of an answer, where there can be one.
fn gone_on_with(incoming: &Incoming, way: &Way, to: &WriteTarget<'_>) -> Result<(), String> {
    let rest = Rest {
        said: "so far, \"so\" good\n",
        max_tokens: Some(5),
    };
    let Ok(written) = incoming.request.write_rest(way, to, &rest) else {
        return Ok(());
    };
    let pieces = written.prepared.body.iter();
    let body: Vec<u8> = pieces.flat_map(|piece| piece.to_vec()).collect();
    is_json("a request for the rest", &body)
}

/// What the money for a request is set aside by is the same on both roads of
/// the formats whose requests are spliced.
fn limits_agree(path: &str, body: &[u8]) -> Result<(), String> {
    let Ok(outline) = bourse_wire::json::scan(body) else {
        return Ok(());
    };
    let segments = [Bytes::copy_from_slice(body)];
    let (format, spliced) = match path {
        "/v1/messages" => {
            let read = anthropic::Envelope::read(outline, &segments);
            let limits = read.map(|envelope| (envelope.max_tokens, None));
            (Format::Anthropic, limits)
        }
        "/v1/models/{model}:generateContent" => {
            let read = gemini::Envelope::read(outline, &segments);
            let limits = read.map(|read| (read.config.max_tokens, read.config.answers));
            (Format::Gemini, limits)
        }
        _ => return Ok(()),
    };
    let Ok(request) = codec(format).read_request(body) else {
        return Ok(());
    };
    let words = match format {
        Format::Gemini => (request.max_tokens, request.sampling.n),
        _ => (request.max_tokens, None),
    };
    match spliced {
        Ok(bytes) if bytes != words => Err(format!(
            "the roads have other limits\nbytes {bytes:?}\nwords {words:?}"
        )),
        _ => Ok(()),
    }
}

/// What a target is asked for: planning has made the caller's wish into it.
fn wish(chance: &mut Chance) -> TierWish {
    let wishes = [
        TierWish::None,
        TierWish::Auto,
        TierWish::Standard,
        TierWish::Tier(ServiceTier::Flex),
        TierWish::Tier(ServiceTier::Priority),
    ];
    chance.pick(&wishes).copied().unwrap_or_default()
}

/// What arrives must not depend on the road.
fn on_both_roads(body: &[u8], chance: &mut Chance, sign: &mut Sign) -> Result<(), String> {
    let segments = [Bytes::copy_from_slice(body)];
    let bytes = bourse_wire::json::scan(body)
        .map_err(Failure::from)
        .and_then(|outline| Envelope::read(outline, &segments));
    let words = codec(Format::OpenAiChat).read_request(body);
    let (envelope, request) = match (bytes, words) {
        // Where chats are read, a prompt without messages is refused.
        (Ok(envelope), _) if envelope.is_prompt() => return Ok(()),
        (Ok(envelope), Ok(request)) => (envelope, request),
        // What is wrong inside a message only the vocabulary sees, and what
        // parsers read otherwise only the scanner does.
        (_, Err(failure)) | (Err(failure), Ok(_)) => {
            sign.failure(&failure);
            return match failure.kind {
                FailureKind::InvalidRequest | FailureKind::PayloadTooLarge => Ok(()),
                _ => Err(format!("refused as another kind\n{failure:?}")),
            };
        }
    };
    for _ in 0..TARGETS_EACH {
        let Some(dialect) = chance.pick(&DIALECTS).copied() else {
            break;
        };
        let target = WriteTarget {
            model: "up",
            max_output: Some(8_000),
            limit: chance.one_in(2).then_some(777),
            efforts: Efforts::default(),
            tier: wish(chance),
            dialect,
        };
        let written = match codec(Format::OpenAiChat).write_request(&request, &target) {
            Ok(written) => written,
            Err(failure) => {
                is_callers(&failure)?;
                continue;
            }
        };
        if needs_rewrite(dialect, envelope.features()) {
            continue;
        }
        let (pieces, losses) = splice_request(&envelope, &segments, &target);
        same(&pieces.concat(), &losses, &written)?;
    }
    Ok(())
}

fn same(spliced: &[u8], losses: &[Loss], written: &bourse_wire::Written) -> Result<(), String> {
    let canonical = |body: &[u8]| {
        let body = filled(json::parse(body).ok()?);
        canonical_request(body.to_string().as_bytes()).map(filled)
    };
    let (Some(bytes), Some(words)) = (canonical(spliced), canonical(&written.body)) else {
        return Err(format!(
            "a request is no object\nbytes {}\nwords {}",
            String::from_utf8_lossy(spliced),
            String::from_utf8_lossy(&written.body)
        ));
    };
    if is_of_the_older_form(&bytes) {
        return Ok(());
    }
    if bytes != words || order(&bytes) != order(&words) {
        return Err(format!(
            "the roads differ in {}\nbytes {bytes}\nwords {words}",
            difference(&bytes, &words)
        ));
    }
    let fields = |losses: &[Loss]| -> BTreeSet<String> {
        // The two names of a mark in the cache.
        let named = |field: &str| match field {
            "prompt_cache_breakpoint" => "cache_control".to_owned(),
            other => other.to_owned(),
        };
        losses.iter().map(|loss| named(&loss.field)).collect()
    };
    if fields(losses) != fields(&written.losses) {
        return Err(format!(
            "the roads lose otherwise\nbytes {losses:?}\nwords {:?}",
            written.losses
        ));
    }
    Ok(())
}

/// Counts, for which `-0` and `3.0` are other spellings of 0 and 3.
const COUNTS: [&str; 4] = ["n", "seed", "top_k", "top_logprobs"];

/// With what the format requires and the caller left out, as the vocabulary
/// fills it in: members, and the objects around a picture's address and a bare
/// text. Where bytes pass, the provider is asked to refuse it.
fn filled(mut body: Value) -> Value {
    for name in COUNTS {
        let number = body.get(name).and_then(Value::as_number);
        let whole = number.and_then(|number| i64::try_from(number.as_whole()?).ok());
        if let (Some(whole), Some(members)) = (whole, body.as_object_mut()) {
            members.insert(name.to_owned(), whole.into());
        }
    }
    // To speak in no way at all is asked by mistake.
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, value| {
            name != "modalities" || value.as_array().is_none_or(|all| !all.is_empty())
        });
    }
    if let Some(format) = body.get_mut("response_format")
        && let Some(Value::Object(schema)) = format.get_mut("json_schema")
    {
        fill(schema, "schema", Value::Object(Map::new()));
    }
    let tools = body.get_mut("tools").and_then(Value::as_array_mut);
    for tool in tools.into_iter().flatten() {
        if let Value::Object(tool) = tool
            && tool.contains_key("function")
        {
            fill(tool, "type", "function".into());
        }
    }
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    for message in messages.into_iter().flatten() {
        if let Value::Object(message) = message
            && !message.contains_key("tool_calls")
        {
            fill(message, "content", "".into());
        }
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten() {
            if let Some(Value::Object(function)) = call.get_mut("function") {
                fill(function, "arguments", "{}".into());
                if let Value::Object(call) = call {
                    fill(call, "type", "function".into());
                }
            }
        }
        let parts = message.get_mut("content").and_then(Value::as_array_mut);
        for part in parts.into_iter().flatten() {
            if let Value::String(_) = part {
                *part = bourse_vocab::json!({"type": "text", "text": part.clone()});
            }
            for name in ["image_url", "video_url"] {
                if let Some(url @ Value::String(_)) = part.get_mut(name) {
                    *url = bourse_vocab::json!({"url": url.clone()});
                }
            }
        }
    }
    body
}

/// Whether the request says `functions` for tools: bytes of it are passed on,
/// and the vocabulary, where it must be, makes tools of it.
fn is_of_the_older_form(body: &Value) -> bool {
    let speaks = |object: &Value| object.get("function_call").is_some();
    let messages = body.get("messages").and_then(Value::as_array);
    let is_older = |message: &Value| {
        speaks(message) || message.get("role").is_some_and(|role| *role == "function")
    };
    let mut messages = messages.into_iter().flatten();
    body.get("functions").is_some() || speaks(body) || messages.any(is_older)
}

fn fill(object: &mut Map, name: &str, value: Value) {
    if object.get(name).is_none_or(Value::is_null) {
        object.insert(name.to_owned(), value);
    }
}

/// The first member that differs.
fn difference(bytes: &Value, words: &Value) -> String {
    let names = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys().cloned())
            .collect()
    };
    let all = names(bytes).into_iter().chain(names(words));
    all.into_iter()
        .find(|name| bytes.get(name) != words.get(name))
        .unwrap_or_else(|| "their order".to_owned())
}

/// The dialects of every provider that speaks the format, each once.
static DIALECTS: LazyLock<Vec<&'static Dialect>> = LazyLock::new(|| {
    let mut found = vec![&Dialect::PLAIN];
    for provider in bourse_providers::all() {
        let interfaces = provider.interfaces("");
        if interfaces
            .iter()
            .all(|one| one.format != Format::OpenAiChat)
        {
            continue;
        }
        for dialect in provider.dialects(Format::OpenAiChat) {
            if !found.contains(&dialect) {
                found.push(dialect);
            }
        }
    }
    found
});
