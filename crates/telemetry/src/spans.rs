//! From a record to spans: one for the call, one for each attempt.

use bourse_ledger::record::{AttemptFact, Facts, Record, Refused};
use bourse_vocab::trace::{Parent, span_id};
use bourse_vocab::{Count, FailureKind, GenerationId, Nanos};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::ended::{Ended, operation};
use crate::names;
use crate::sampling::Sampling;

/// Most spans of one call: its own, and one for each attempt, of which there
/// are fewer than these.
pub const SPANS_MAX: usize = 65;

/// Nanoseconds in a millisecond.
const NANOS: u64 = 1_000_000;

/// Makes spans of records.
#[derive(Debug, Clone, Copy)]
pub struct Observer {
    /// Which calls are traced.
    pub sampling: Sampling,
}

impl Observer {
    /// The spans of a record: none if it is not the end of a call, or if the
    /// call is not sampled. The first is the call's own.
    #[must_use]
    pub fn spans(&self, record: &Record<'_>) -> Vec<Span> {
        match record {
            Record::Refused(refused) => self.refused(refused),
            other => Ended::of(other).map_or_else(Vec::new, |call| self.ended(&call)),
        }
    }

    fn ended(&self, call: &Ended<'_>) -> Vec<Span> {
        let facts = call.facts;
        let Some((trace, parent)) = self.place(call.id, facts.extra) else {
            return Vec::new();
        };
        let own = span_id(call.id, 0);
        let start_ms = call.began_ms();
        let mut spans = Vec::with_capacity(facts.attempts.len().saturating_add(1));
        spans.push(Span {
            trace_id: trace.to_vec(),
            span_id: own.to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |span| span.to_vec()),
            name: format!("{} {}", operation(facts), call.requested()),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: start_ms.saturating_mul(NANOS),
            end_time_unix_nano: call.at_ms.max(start_ms).saturating_mul(NANOS),
            attributes: of_call(call),
            status: status(call.failure.map(FailureKind::error_type)),
            ..Span::default()
        });
        let dispatched_ms = start_ms.saturating_add(u64::from(facts.queue_ms));
        for (place, attempt) in facts.attempts.iter().enumerate().take(SPANS_MAX - 1) {
            spans.push(of_attempt(
                (place, attempt),
                facts,
                (trace, own, call.id),
                dispatched_ms,
            ));
        }
        spans
    }

    fn refused(&self, refused: &Refused<'_>) -> Vec<Span> {
        let Some((trace, parent)) = self.place(refused.id, "") else {
            return Vec::new();
        };
        let failure = refused.failure.error_type();
        let mut attributes = Attributes::default();
        attributes.text(names::OPERATION, "chat");
        attributes.text(names::REQUEST_MODEL, refused.requested);
        attributes.text(names::APP, refused.app);
        attributes.number(names::ACCOUNT, refused.account.0);
        attributes.number(names::KEY, refused.key.0);
        attributes.text(names::ERROR_TYPE, failure);
        attributes.text(names::RESPONSE_ID, &refused.id.to_string());
        vec![Span {
            trace_id: trace.to_vec(),
            span_id: span_id(refused.id, 0).to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |span| span.to_vec()),
            name: format!("chat {}", refused.requested).trim_end().to_owned(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: refused.at_ms.saturating_mul(NANOS),
            end_time_unix_nano: refused.at_ms.saturating_mul(NANOS),
            attributes: attributes.0,
            status: status(Some(failure)),
            ..Span::default()
        }]
    }

    /// The trace that a call is part of and its caller's span, if it is to be
    /// traced.
    fn place(&self, id: GenerationId, extra: &str) -> Option<([u8; 16], Option<[u8; 8]>)> {
        match parent_in(extra) {
            Some(parent) => parent.sampled.then_some((parent.trace, Some(parent.span))),
            None => {
                let trace = id.to_bits().to_be_bytes();
                self.sampling.keeps(trace).then_some((trace, None))
            }
        }
    }
}

/// The caller's span, which the record keeps with the caller's labels.
fn parent_in(extra: &str) -> Option<Parent> {
    if !extra.contains("\"traceparent\"") {
        return None;
    }
    let labels: serde_json::Value = serde_json::from_str(extra).ok()?;
    Parent::read(labels.get("traceparent")?.as_str()?)
}

fn status(failure: Option<&str>) -> Option<Status> {
    failure.map(|failure| Status {
        message: failure.to_owned(),
        code: StatusCode::Error.into(),
    })
}

fn of_call(call: &Ended<'_>) -> Vec<KeyValue> {
    let facts = call.facts;
    let mut attributes = Attributes::default();
    attributes.text(names::OPERATION, operation(facts));
    attributes.text(names::PROVIDER, facts.provider);
    attributes.text(names::REQUEST_MODEL, call.requested());
    attributes.flag(names::REQUEST_STREAM, facts.flags.streamed);
    attributes.text(names::RESPONSE_MODEL, facts.model);
    attributes.text(names::RESPONSE_ID, &call.id.to_string());
    attributes.list(names::FINISH_REASONS, facts.finish);
    if facts.flags.streamed && facts.latency_ms > 0 {
        attributes.seconds(names::FIRST_CHUNK, facts.latency_ms);
    }
    attributes.text(names::CONVERSATION, facts.session_id);
    for (name, kind) in [
        (names::INPUT_TOKENS, Count::Prompt),
        (names::OUTPUT_TOKENS, Count::Completion),
        (names::CACHE_READ, Count::CacheRead),
        (names::REASONING, Count::Reasoning),
    ] {
        attributes.count(name, facts.counts.get(kind));
    }
    let written = [Count::CacheWrite5m, Count::CacheWrite1h].map(|kind| facts.counts.get(kind));
    attributes.count(
        names::CACHE_WRITE,
        written.into_iter().fold(0, u64::saturating_add),
    );
    attributes.flag(names::ESTIMATED, facts.flags.estimated);
    attributes.flag(names::CANCELLED, facts.flags.cancelled);
    attributes.nanos(names::COST, call.paid);
    attributes.nanos(names::UPSTREAM_COST, call.upstream);
    attributes.number(names::ACCOUNT, call.account);
    attributes.number(names::KEY, call.key);
    attributes.text(names::ENDPOINT, facts.endpoint);
    attributes.text(names::APP, facts.app);
    attributes.text(names::USER_AGENT, facts.user_agent);
    attributes.number(names::ATTEMPTS, facts.attempts.len() as u64);
    attributes.number(names::QUEUE, u64::from(facts.queue_ms));
    if let Some(source) = facts.cache_source {
        attributes.text(names::CACHE_SOURCE, &source.to_string());
    }
    let failure = call.failure.map(FailureKind::error_type);
    attributes.text(names::ERROR_TYPE, failure.unwrap_or_default());
    attributes.0
}

fn of_attempt(
    (place, attempt): (usize, &AttemptFact<'_>),
    facts: &Facts<'_>,
    (trace, parent, id): ([u8; 16], [u8; 8], GenerationId),
    dispatched_ms: u64,
) -> Span {
    let number = (place as u64).saturating_add(1);
    let failure = attempt.failure.map(FailureKind::error_type);
    let mut attributes = Attributes::default();
    attributes.text(names::OPERATION, operation(facts));
    attributes.text(names::PROVIDER, attempt.provider);
    attributes.text(names::REQUEST_MODEL, attempt.model);
    attributes.text(names::ENDPOINT, attempt.endpoint);
    attributes.number(names::ATTEMPT, number);
    attributes.count(names::HTTP_STATUS, u64::from(attempt.status));
    attributes.text(names::UPSTREAM_ID, attempt.upstream_id);
    attributes.text(names::UPSTREAM_REQUEST, attempt.request_id);
    attributes.nanos(names::UPSTREAM_COST, attempt.billed);
    if facts.flags.streamed && failure.is_none() && attempt.latency_ms > 0 {
        attributes.seconds(names::FIRST_CHUNK, attempt.latency_ms);
    }
    attributes.text(names::ERROR_TYPE, failure.unwrap_or_default());
    let start_ms = dispatched_ms.saturating_add(u64::from(attempt.dispatch_ms));
    let end_ms = start_ms.saturating_add(u64::from(attempt.end_ms));
    Span {
        trace_id: trace.to_vec(),
        span_id: span_id(id, number).to_vec(),
        parent_span_id: parent.to_vec(),
        name: format!("{} {}", operation(facts), attempt.model),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: start_ms.saturating_mul(NANOS),
        end_time_unix_nano: end_ms.saturating_mul(NANOS),
        attributes: attributes.0,
        status: status(failure),
        ..Span::default()
    }
}

/// Attributes that are being put together. What a record does not say is left
/// out.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn put(&mut self, name: &str, value: Value) {
        self.0.push(KeyValue {
            key: name.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, Value::StringValue(text.to_owned()));
        }
    }

    fn list(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let value = Value::StringValue(text.to_owned());
            let values = vec![AnyValue { value: Some(value) }];
            self.put(name, Value::ArrayValue(ArrayValue { values }));
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.put(name, Value::IntValue(number));
    }

    fn count(&mut self, name: &str, number: u64) {
        if number > 0 {
            self.number(name, number);
        }
    }

    fn nanos(&mut self, name: &str, amount: Nanos) {
        self.put(name, Value::IntValue(amount.0));
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.put(name, Value::BoolValue(true));
        }
    }

    fn seconds(&mut self, name: &str, ms: u32) {
        self.put(name, Value::DoubleValue(f64::from(ms) / 1000.0));
    }
}

/// Spans as the body of one request to a collector (OTLP 1.10, "Binary
/// Protobuf Encoding"), with what is the same for all of them.
#[must_use]
pub fn encode(spans: Vec<Span>, service: &str, version: &str, instance: &str) -> Vec<u8> {
    let mut of_resource = Attributes::default();
    of_resource.text("service.name", service);
    of_resource.text("service.version", version);
    of_resource.text("service.instance.id", instance);
    let scope = InstrumentationScope {
        name: "bourse".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: of_resource.0,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

#[cfg(test)]
mod tests;
