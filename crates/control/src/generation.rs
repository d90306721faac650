//! `GET /generation`: what one call was and what it cost.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bourse_ledger::Record;
use bourse_ledger::fold::GenerationRow;
use bourse_ledger::record::{AttemptFact, Facts, Flags, decode};
use bourse_vocab::{AccountId, Failure, GenerationId, Nanos};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::Args;
use crate::auth::Caller;
use crate::error::{Answer, Refused, invalid, not_found};
use crate::route::{Access, Route};
use crate::schema::{
    Operation, boolean, data, dollars, integer, list, named, null, nullable, number, object, text,
};
use crate::time::iso;
use crate::{Desk, Shared};

/// A record reaches the store within little more than a second of the call's
/// end. Somebody who asks for a call younger than this is made to wait.
const YOUNG_SECONDS: u64 = 5;
/// How long a young call is waited for.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// How often the store is asked meanwhile.
const WAIT_STEP: Duration = Duration::from_millis(100);

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/generation",
        Access::AnyKey,
        show,
        Operation::new(
            "Generations",
            "Shows a finished call",
            data(named("Generation")),
        )
        .about("Any key of the account that made the call may ask.")
        .required("id", "As in the X-Generation-Id header", text()),
    )]
}

fn no_such_generation() -> Refused {
    not_found("There is no such generation")
}

async fn show(
    State(desk): State<Shared>,
    Caller(principal): Caller,
    args: Args,
) -> Answer<Response> {
    let id = args
        .text("id")
        .ok_or_else(|| invalid("id: must be given"))?;
    let id: GenerationId = id.parse().map_err(|_| no_such_generation())?;
    let row = find(&desk, principal.account, id).await?;
    let record =
        decode(&row.record).map_err(|error| Refused(Failure::server(error.to_string())))?;
    Ok(answer(&row, &record))
}

/// Finds a call of the account. One of another account is waited for like
/// one that does not exist: not even the time it takes tells them apart.
async fn find(desk: &Desk, account: AccountId, id: GenerationId) -> Answer<GenerationRow> {
    let store = desk.office.store();
    let now = desk.office.now_ms() / 1000;
    let is_young = now.saturating_sub(id.unix_seconds()) < YOUNG_SECONDS;
    let give_up = tokio::time::Instant::now() + WAIT_MAX;
    loop {
        let row = store.generation(id).await?;
        if let Some(row) = row.filter(|row| row.account == account) {
            return Ok(row);
        }
        if !is_young || tokio::time::Instant::now() >= give_up {
            return Err(no_such_generation());
        }
        tokio::time::sleep(WAIT_STEP).await;
    }
}

/// One try, as `provider_responses` lists it.
#[derive(Debug, Serialize)]
struct ProviderResponse<'a> {
    id: &'a str,
    endpoint_id: &'a str,
    model_permaslug: &'a str,
    provider_name: &'a str,
    status: Option<u16>,
    latency: u32,
    is_byok: bool,
}

impl<'a> ProviderResponse<'a> {
    fn of(attempt: &AttemptFact<'a>, is_byok: bool) -> Self {
        Self {
            id: attempt.upstream_id,
            endpoint_id: attempt.endpoint,
            model_permaslug: attempt.model,
            provider_name: attempt.provider,
            status: (attempt.status > 0).then_some(attempt.status),
            latency: attempt.latency_ms,
            is_byok,
        }
    }
}

/// A finished call (OpenRouter's API document, October 2026). Amounts are
/// what the customer paid. Tokens are counted once, by the provider:
/// `tokens_*` and `native_tokens_*` are the same.
#[derive(Debug, Serialize)]
struct Shape<'a> {
    id: String,
    upstream_id: Option<&'a str>,
    request_id: Option<()>,
    session_id: Option<&'a str>,
    created_at: String,
    model: &'a str,
    provider_name: Option<&'a str>,
    provider_responses: Option<Vec<ProviderResponse<'a>>>,
    router: Option<&'a str>,
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
    num_media_completion: Option<u32>,
    num_input_audio_prompt: Option<u32>,
    num_search_results: Option<u32>,
    num_fetches: Option<u32>,
    web_search_engine: Option<()>,
    usage: Nanos,
    total_cost: Nanos,
    upstream_inference_cost: Option<Nanos>,
    cache_discount: Option<Nanos>,
    is_byok: bool,
    latency: u32,
    generation_time: u32,
    moderation_latency: Option<u32>,
    service_tier: Option<&'a str>,
    data_region: &'static str,
    app_id: Option<()>,
    origin: &'a str,
    http_referer: Option<&'a str>,
    user_agent: Option<&'a str>,
    external_user: Option<&'a str>,
    workspace_id: Option<()>,
    response_cache_source_id: Option<()>,
    /// Ours: some number was counted here, as the provider reported none.
    is_estimated: bool,
    #[serde(flatten)]
    extra: BTreeMap<String, Box<RawValue>>,
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

fn answer(row: &GenerationRow, record: &Record<'_>) -> Response {
    #[derive(Serialize)]
    struct Shown<'a> {
        data: Shape<'a>,
    }
    let voided;
    let facts = match record {
        Record::Settle(settle) => &settle.settlement.facts,
        Record::Void(void) => {
            voided = facts_of_void(row, &void.voiding.facts);
            &voided
        }
        _ => {
            voided = facts_of_void(row, &Facts::default());
            &voided
        }
    };
    let data = shape(row, facts);
    Json(Shown { data }).into_response()
}

fn shape<'a>(row: &'a GenerationRow, facts: &'a Facts<'a>) -> Shape<'a> {
    let Flags {
        streamed,
        cancelled,
        estimated,
        byok,
        ..
    } = facts.flags;
    let provider = stated(facts.provider_name).or(stated(facts.provider));
    let attempts = facts.attempts.iter();
    let usage = facts.counts.usage();
    Shape {
        id: row.id.to_string(),
        upstream_id: stated(facts.upstream_id),
        request_id: None,
        session_id: stated(facts.session_id),
        created_at: iso(row.created_at_ms),
        model: facts.model,
        provider_name: provider,
        provider_responses: (!facts.attempts.is_empty()).then(|| {
            attempts
                .map(|attempt| ProviderResponse::of(attempt, byok))
                .collect()
        }),
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
        num_media_completion: None,
        num_input_audio_prompt: None,
        num_search_results: None,
        num_fetches: None,
        web_search_engine: None,
        usage: row.paid,
        total_cost: row.paid,
        // Documented as only known for the customer's own provider keys;
        // otherwise it is what we pay, which is nobody else's business.
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
        workspace_id: None,
        response_cache_source_id: None,
        is_estimated: estimated,
        extra: serde_json::from_str(facts.extra).unwrap_or_default(),
    }
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let attempt = object([
        ("id", text()),
        ("endpoint_id", text()),
        ("model_permaslug", text()),
        ("provider_name", text()),
        ("status", nullable(integer())),
        ("latency", number()),
        ("is_byok", boolean()),
    ]);
    let mut members = vec![
        ("id", text()),
        ("created_at", text()),
        ("model", text()),
        ("provider_responses", nullable(list(attempt))),
        ("api_type", text()),
        ("streamed", boolean()),
        ("cancelled", boolean()),
        ("usage", dollars()),
        ("total_cost", dollars()),
        ("upstream_inference_cost", nullable(dollars())),
        ("cache_discount", nullable(dollars())),
        ("is_byok", boolean()),
        ("latency", number()),
        ("generation_time", number()),
        ("data_region", text()),
        ("origin", text()),
        ("is_estimated", boolean()),
    ];
    for name in [
        "upstream_id",
        "session_id",
        "provider_name",
        "router",
        "finish_reason",
        "native_finish_reason",
        "service_tier",
        "http_referer",
        "user_agent",
        "external_user",
    ] {
        members.push((name, nullable(text())));
    }
    for name in [
        "tokens_prompt",
        "tokens_completion",
        "native_tokens_prompt",
        "native_tokens_completion",
        "native_tokens_reasoning",
        "native_tokens_cached",
        "native_tokens_completion_images",
        "num_media_prompt",
    ] {
        members.push((name, integer()));
    }
    for name in [
        "request_id",
        "preset_id",
        "num_media_completion",
        "num_input_audio_prompt",
        "num_search_results",
        "num_fetches",
        "web_search_engine",
        "moderation_latency",
        "app_id",
        "workspace_id",
        "response_cache_source_id",
    ] {
        members.push((name, null()));
    }
    vec![("Generation", object(members))]
}
