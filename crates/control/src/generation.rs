//! `GET /generation`: what one call was and what it cost.

use std::collections::BTreeMap;
use std::time::Duration;

use bourse_ledger::GenerationRow;
use bourse_ledger::Record;
use bourse_ledger::record::{AttemptFact, Facts, Flags, decode};
use bourse_vocab::{AccountId, Count, Failure, GenerationId, Nanos, Quality, Reason, ServiceTier};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::access::Caller;
use crate::args::Args;
use crate::error::{Refused, Result, invalid, not_found};
use crate::key::WORKSPACE;
use crate::reply::{Data, Written};
use crate::route::{Operation, Route};
use crate::schema::{Dollars, Null, inline};
use crate::state::{ControlState, Shared};
use crate::time::iso;

/// A record reaches the store within little more than a second of the call's
/// end. A caller that asks for a call younger than this is made to wait.
const YOUNG_SECONDS: u64 = 5;
/// Pauses between looking for a young call, 3.1 seconds together. They grow,
/// because each look takes one of the store's few connections.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1_600),
];

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/generation",
        Operation::new("Generations", "Shows a finished call")
            .about("Any key of the account that made the call may ask.")
            .required(
                "id",
                "As in the X-Generation-Id header",
                &inline::<String>(),
            ),
        show,
    )]
}

fn no_such_generation() -> Refused {
    not_found("There is no such generation")
}

async fn show(
    state: Shared,
    caller: Caller,
    args: Args,
) -> Result<Written<Data<GenerationBody<'static>>>> {
    let id = args
        .text("id")
        .ok_or_else(|| invalid("id: must be given"))?;
    let id: GenerationId = id.parse().map_err(|_| no_such_generation())?;
    let row = find(&state, caller.principal().account, id).await?;
    let record =
        decode(&row.record).map_err(|error| Refused(Failure::server(error.to_string())))?;
    let voided;
    let facts = match &record {
        Record::Settle(settle) => &settle.settlement.facts,
        Record::Void(void) => {
            voided = facts_of_void(&row, &void.voiding.facts);
            &voided
        }
        _ => {
            voided = facts_of_void(&row, &Facts::default());
            &voided
        }
    };
    let mut data = body(&row, facts);
    let of_key = match data.external_user {
        Some(_) => None,
        None => external_user(&state, &row).await?,
    };
    data.external_user = data.external_user.or(of_key.as_deref());
    Written::of(&Data { data })
}

/// Whose the key is that made the call, for whoever made that key; asked where
/// the call named no user of its own.
async fn external_user(state: &ControlState, row: &GenerationRow) -> Result<Option<String>> {
    let keys = state.backend.store().keys_by_id(&[row.key]).await?;
    let external = keys.into_iter().next().and_then(|key| key.key.external);
    Ok(external.map(|external| external.user))
}

/// Finds a call of the account. One of another account is waited for like
/// one that does not exist: not even the time it takes tells them apart.
async fn find(state: &ControlState, account: AccountId, id: GenerationId) -> Result<GenerationRow> {
    let store = state.backend.store();
    let now = state.backend.now_ms() / 1000;
    let is_young = now.saturating_sub(id.unix_seconds()) < YOUNG_SECONDS;
    let mut pauses = PAUSES.into_iter().filter(|_| is_young);
    loop {
        let row = store.generation(id).await?;
        if let Some(row) = row.filter(|row| row.account == account) {
            return Ok(row);
        }
        let pause = pauses.next().ok_or_else(no_such_generation)?;
        tokio::time::sleep(pause).await;
    }
}

/// An attempt at a provider.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct ProviderResponse<'a> {
    id: &'a str,
    endpoint_id: &'a str,
    model_permaslug: &'a str,
    provider_name: &'a str,
    status: Option<u16>,
    /// Why it failed, in one word: dns, connect, tls, timeout, unauthorized, unpaid, rate_limited, 5xx, 4xx, cut, malformed, not_called
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    latency: u32,
    is_byok: bool,
    /// Which was asked for; the generation's `service_tier` is what served
    #[serde(skip_serializing_if = "Option::is_none")]
    routed_service_tier: Option<&'static str>,
}

impl<'a> ProviderResponse<'a> {
    fn of(attempt: &AttemptFact<'a>, is_byok: bool) -> Self {
        Self {
            id: attempt.upstream_id,
            endpoint_id: attempt.endpoint,
            model_permaslug: attempt.model,
            provider_name: attempt.provider,
            status: (attempt.status > 0).then_some(attempt.status),
            reason: attempt.reason.map(Reason::name),
            latency: attempt.latency_ms,
            is_byok,
            // Behind the last slash of an endpoint that sells one.
            routed_service_tier: attempt
                .endpoint
                .rsplit('/')
                .next()
                .and_then(ServiceTier::by_name)
                .map(ServiceTier::name),
        }
    }
}

/// A finished call. Amounts are what the customer paid. Tokens are counted
/// once, by the provider: tokens_* and native_tokens_* are the same.
// OpenRouter's API document, October 2026.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Generation")]
struct GenerationBody<'a> {
    id: String,
    upstream_id: Option<&'a str>,
    /// What groups the generations of one request: each makes one here
    #[schemars(with = "Null")]
    request_id: Option<()>,
    session_id: Option<&'a str>,
    created_at: String,
    model: &'a str,
    provider_name: Option<&'a str>,
    provider_responses: Option<Vec<ProviderResponse<'a>>>,
    router: Option<&'a str>,
    #[schemars(with = "Null")]
    preset_id: Option<()>,
    api_type: &'static str,
    streamed: bool,
    cancelled: bool,
    finish_reason: Option<&'a str>,
    native_finish_reason: Option<&'a str>,
    tokens_prompt: u64,
    tokens_completion: u64,
    native_tokens_prompt: u64,
    native_tokens_completion: u64,
    native_tokens_reasoning: u64,
    native_tokens_cached: u64,
    native_tokens_completion_images: u64,
    num_media_prompt: u32,
    #[schemars(with = "Null")]
    num_media_completion: Option<u64>,
    #[schemars(with = "Null")]
    num_input_audio_prompt: Option<()>,
    #[schemars(with = "Null")]
    num_search_results: Option<()>,
    #[schemars(with = "Null")]
    num_fetches: Option<()>,
    #[schemars(with = "Null")]
    web_search_engine: Option<()>,
    #[schemars(with = "Dollars")]
    usage: Nanos,
    #[schemars(with = "Dollars")]
    total_cost: Nanos,
    #[schemars(with = "Option<Dollars>")]
    upstream_inference_cost: Option<Nanos>,
    #[schemars(with = "Option<Dollars>")]
    cache_discount: Option<Nanos>,
    is_byok: bool,
    latency: u32,
    generation_time: u32,
    #[schemars(with = "Null")]
    moderation_latency: Option<()>,
    service_tier: Option<&'a str>,
    data_region: &'static str,
    #[schemars(with = "Null")]
    app_id: Option<()>,
    origin: &'a str,
    http_referer: Option<&'a str>,
    user_agent: Option<&'a str>,
    external_user: Option<&'a str>,
    workspace_id: &'static str,
    response_cache_source_id: Option<String>,
    /// Whether some number was counted here, as the provider reported none
    is_estimated: bool,
    /// How many tools the answer calls
    tool_calls: u64,
    /// How many of these calls are bad
    bad_tool_calls: u64,
    /// What is wrong with any of them: invalid_json, unknown_name, schema_mismatch
    tool_errors: Vec<&'static str>,
    /// What the endpoint was held to be for calls with tools: good,
    /// insufficient_data or deprioritised
    tool_quality: Option<&'static str>,
    /// Why it was deprioritised: throughput, tool_calls
    tool_quality_why: &'static [&'static str],
    #[serde(flatten)]
    #[schemars(skip)]
    extra: BTreeMap<String, Box<RawValue>>,
}

/// The attempts, if there were any.
fn provider_responses<'a>(facts: &Facts<'a>, byok: bool) -> Option<Vec<ProviderResponse<'a>>> {
    let attempts = facts.attempts.iter();
    let responses: Vec<_> = attempts
        .map(|one| ProviderResponse::of(one, byok))
        .collect();
    (!responses.is_empty()).then_some(responses)
}

/// What is wrong with tool calls, by the bits of a record.
fn tool_errors(bits: u8) -> Vec<&'static str> {
    const ERRORS: [(u8, &str); 3] = [
        (1, "invalid_json"),
        (2, "unknown_name"),
        (4, "schema_mismatch"),
    ];
    let found = ERRORS.iter().filter(|(bit, _)| bits & bit > 0);
    found.map(|(_, name)| *name).collect()
}

fn stated(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// What is known of a call that was voided. Where its record says nothing (it
/// was written by the first release, or the client left early), its row does.
fn facts_of_void<'a>(row: &'a GenerationRow, facts: &Facts<'a>) -> Facts<'a> {
    let or = |told: &'a str, known: &'a str| if told.is_empty() { known } else { told };
    Facts {
        model: or(facts.model, &row.model),
        provider: or(facts.provider, &row.provider),
        endpoint: or(facts.endpoint, &row.endpoint),
        finish: or(facts.finish, "error"),
        ..facts.clone()
    }
}

fn body<'a>(row: &'a GenerationRow, facts: &'a Facts<'a>) -> GenerationBody<'a> {
    let Flags {
        streamed,
        cancelled,
        estimated,
        byok,
        ..
    } = facts.flags;
    let provider = stated(facts.provider_name).or(stated(facts.provider));
    let usage = facts.counts.usage();
    GenerationBody {
        id: row.id.to_string(),
        upstream_id: stated(facts.upstream_id),
        request_id: None,
        session_id: stated(facts.session_id),
        created_at: iso(row.created_at_ms),
        model: facts.model,
        provider_name: provider,
        provider_responses: provider_responses(facts, byok),
        router: stated(facts.router),
        preset_id: None,
        api_type: facts.api_type.name(),
        streamed,
        cancelled,
        finish_reason: stated(facts.finish),
        native_finish_reason: stated(facts.native_finish),
        tokens_prompt: usage.prompt,
        tokens_completion: usage.completion,
        native_tokens_prompt: usage.prompt,
        native_tokens_completion: usage.completion,
        native_tokens_reasoning: usage.reasoning,
        native_tokens_cached: usage.cache_read,
        native_tokens_completion_images: usage.completion_image,
        num_media_prompt: facts.media_prompt(),
        num_media_completion: (usage.units.pictures > 0).then_some(usage.units.pictures),
        num_input_audio_prompt: None,
        num_search_results: None,
        num_fetches: None,
        web_search_engine: None,
        usage: row.paid,
        total_cost: row.paid,
        // Documented as only known for the customer's own provider keys;
        // otherwise it is what the operator pays, which is not published.
        upstream_inference_cost: byok.then_some(row.upstream),
        cache_discount: (facts.cache_discount != Nanos::ZERO).then_some(facts.cache_discount),
        is_byok: byok,
        latency: facts.latency_ms,
        generation_time: facts.generation_ms,
        moderation_latency: None,
        service_tier: stated(facts.service_tier),
        data_region: "global",
        app_id: None,
        origin: facts.referer,
        http_referer: stated(facts.referer),
        user_agent: stated(facts.user_agent),
        external_user: stated(facts.user),
        workspace_id: WORKSPACE,
        response_cache_source_id: facts.cache_source.map(|source| source.to_string()),
        is_estimated: estimated,
        tool_calls: facts.counts.get(Count::ToolCalls),
        bad_tool_calls: facts.counts.get(Count::BadToolCalls),
        tool_errors: tool_errors(facts.tool_errors),
        tool_quality: facts.quality.map(|quality| quality.tier().name()),
        tool_quality_why: facts.quality.map(Quality::why).unwrap_or_default(),
        extra: serde_json::from_str(facts.extra).unwrap_or_default(),
    }
}
