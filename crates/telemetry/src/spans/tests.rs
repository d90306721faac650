use bourse_ledger::record::{Cost, Flags, Payer, Settle, Settlement, Void, VoidReason, Voiding};
use bourse_vocab::{AccountId, Counts, KeyId};

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn observer(ratio: f64) -> Observer {
    Observer {
        sampling: Sampling::ratio(ratio).unwrap(),
    }
}

fn attempt(provider: &'static str, failure: Option<FailureKind>) -> AttemptFact<'static> {
    AttemptFact {
        provider,
        endpoint: "acme/m@acme",
        model: "acme/m",
        status: if failure.is_some() { 503 } else { 200 },
        failure,
        dispatch_ms: if failure.is_some() { 0 } else { 40 },
        latency_ms: 120,
        end_ms: if failure.is_some() { 35 } else { 360 },
        billed: Nanos(7_000),
        ..AttemptFact::default()
    }
}

/// A stream that a second provider answered, 410 ms after it came.
fn settle(extra: &str) -> Settle<'_> {
    let mut counts = Counts::default();
    for (kind, number) in [
        (Count::Prompt, 100),
        (Count::Completion, 20),
        (Count::CacheRead, 60),
        (Count::CacheWrite5m, 3),
        (Count::CacheWrite1h, 4),
    ] {
        counts.set(kind, number);
    }
    Settle {
        key: KeyId(9),
        held: Nanos(50_000),
        paid: Nanos(8_400),
        settlement: Settlement {
            id: GenerationId::at_ms(1_800_000_000_000, 0x1234_5678_9abc_def0),
            account: AccountId(4),
            at_ms: 1_800_000_000_410,
            charge: Nanos(8_400),
            costs: vec![Cost {
                provider: "acme",
                amount: Nanos(7_000),
                payer: Payer::Customer,
            }],
            possible: Vec::new(),
            facts: Facts {
                model: "acme/m",
                provider: "acme",
                requested: "acme/m:floor",
                finish: "stop",
                flags: Flags {
                    streamed: true,
                    ..Flags::default()
                },
                counts,
                queue_ms: 10,
                latency_ms: 160,
                generation_ms: 240,
                attempts: vec![
                    attempt("other", Some(FailureKind::Overloaded)),
                    attempt("acme", None),
                ],
                extra,
                ..Facts::default()
            },
        },
    }
}

fn value(span: &Span, name: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|pair| pair.key == name)?;
    found.value.clone()?.value
}

#[test]
fn a_call_is_a_span_with_one_for_each_attempt_below_it() {
    let spans = observer(1.0).spans(&Record::Settle(settle("")));
    let [call, first, second] = spans.as_slice() else {
        panic!("{} spans", spans.len())
    };
    assert_eq!(call.name, "chat acme/m:floor");
    assert_eq!(call.parent_span_id, Vec::<u8>::new());
    assert_eq!(call.kind, i32::from(SpanKind::Server));
    assert_eq!(call.start_time_unix_nano, 1_800_000_000_000 * NANOS);
    assert_eq!(call.end_time_unix_nano, 1_800_000_000_410 * NANOS);
    assert_eq!(call.status, None);
    for (name, expected) in [
        (names::INPUT_TOKENS, 100),
        (names::CACHE_READ, 60),
        (names::CACHE_WRITE, 7),
        (names::COST, 8_400),
        (names::UPSTREAM_COST, 7_000),
        (names::ATTEMPTS, 2),
    ] {
        assert_eq!(value(call, name), Some(Value::IntValue(expected)), "{name}");
    }
    assert_eq!(
        value(call, names::FIRST_CHUNK),
        Some(Value::DoubleValue(0.16))
    );
    for span in [first, second] {
        assert_eq!(span.trace_id, call.trace_id);
        assert_eq!(span.parent_span_id, call.span_id);
        assert_eq!(span.kind, i32::from(SpanKind::Client));
    }
    assert_ne!(first.span_id, second.span_id);
    assert_eq!(first.start_time_unix_nano, 1_800_000_000_010 * NANOS);
    assert_eq!(first.end_time_unix_nano, 1_800_000_000_045 * NANOS);
    assert_eq!(second.start_time_unix_nano, 1_800_000_000_050 * NANOS);
    assert_eq!(second.end_time_unix_nano, call.end_time_unix_nano);
    let failed = first.status.as_ref().unwrap();
    assert_eq!(failed.code, i32::from(StatusCode::Error));
    assert_eq!(value(first, names::HTTP_STATUS), Some(Value::IntValue(503)));
    assert_eq!(second.status, None);
}

#[test]
fn a_call_that_was_answered_from_the_cache_says_whose_answer_it_is() {
    let mut kept = settle("");
    let source = GenerationId::at_ms(1_800_000_000_000, 7);
    kept.settlement.facts.attempts = Vec::new();
    kept.settlement.facts.cache_source = Some(source);
    let spans = observer(1.0).spans(&Record::Settle(kept));
    let [call] = spans.as_slice() else {
        panic!("{} spans", spans.len())
    };
    let told = value(call, names::CACHE_SOURCE);
    assert_eq!(told, Some(Value::StringValue(source.to_string())));
    let asked = observer(1.0).spans(&Record::Settle(settle("")));
    assert_eq!(value(&asked[0], names::CACHE_SOURCE), None);
}

#[test]
fn the_same_record_gives_the_same_spans() {
    let record = Record::Settle(settle(""));
    assert_eq!(observer(1.0).spans(&record), observer(1.0).spans(&record));
}

#[test]
fn a_call_with_a_parent_is_part_of_its_trace_and_traced_if_that_is_kept() {
    let extra = format!(r#"{{"metadata":{{"a":1}},"traceparent":"{PARENT}"}}"#);
    // The caller's word stands above our share.
    let spans = observer(0.0).spans(&Record::Settle(settle(&extra)));
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0].trace_id[..2], [0x4b, 0xf9]);
    assert_eq!(spans[0].parent_span_id[..2], [0x00, 0xf0]);
    let extra = extra.replace("b7-01", "b7-00");
    assert!(
        observer(1.0)
            .spans(&Record::Settle(settle(&extra)))
            .is_empty()
    );
    // A label that only mentions the word is no parent.
    let extra = r#"{"metadata":{"traceparent":"x"}}"#;
    let spans = observer(1.0).spans(&Record::Settle(settle(extra)));
    assert!(spans[0].parent_span_id.is_empty());
}

#[test]
fn calls_that_failed_or_were_refused_say_with_what() {
    let facts = Facts {
        model: "acme/m",
        failure: Some(FailureKind::Timeout),
        attempts: vec![attempt("acme", Some(FailureKind::Timeout))],
        ..Facts::default()
    };
    let id = GenerationId::at_ms(1_800_000_000_000, 5);
    let void = Record::Void(Void {
        key: KeyId(1),
        held: Nanos(1),
        voiding: Voiding {
            id,
            account: AccountId(1),
            at_ms: 1_800_000_000_500,
            reason: VoidReason::AttemptsFailed,
            costs: Vec::new(),
            possible: Vec::new(),
            facts,
        },
    });
    let refused = Record::Refused(Refused {
        id,
        account: AccountId(1),
        key: KeyId(1),
        at_ms: 1_800_000_000_001,
        failure: FailureKind::PaymentRequired,
        requested: "",
        app: "",
        unrecorded: 0,
    });
    for (record, expected, name) in [
        (void, FailureKind::Timeout, "chat acme/m"),
        (refused, FailureKind::PaymentRequired, "chat"),
    ] {
        let spans = observer(1.0).spans(&record);
        let error = Value::StringValue(expected.error_type().to_owned());
        assert_eq!(value(&spans[0], names::ERROR_TYPE), Some(error));
        assert_eq!(spans[0].name, name);
        assert_eq!(
            spans[0].status.as_ref().unwrap().code,
            i32::from(StatusCode::Error)
        );
    }
}

#[test]
fn what_a_collector_reads_back_is_what_was_meant() {
    let spans = observer(1.0).spans(&Record::Settle(settle("")));
    let body = encode(spans.clone(), "shop", "1.2.3", "node-1");
    let read = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    let of_resource = &read.resource_spans[0];
    assert_eq!(of_resource.scope_spans[0].spans, spans);
    let service = &of_resource.resource.as_ref().unwrap().attributes[0];
    assert_eq!(service.key, "service.name");
}
