//! The records behind `fixtures/journal/records-1.txt`, which the first release's encoder wrote.

use super::super::*;

pub(super) const ID: GenerationId = GenerationId::new(1_795_000_000, 0x0123_4567_89ab_cdef_0123);

fn cost(provider: &str, amount: i64, payer: Payer) -> Cost<'_> {
    Cost {
        provider,
        amount: Nanos(amount),
        payer,
    }
}

fn facts() -> Facts<'static> {
    Facts {
        model: "openai/gpt-4o-mini",
        provider: "openai",
        provider_name: "OpenAI",
        endpoint: "openai/gpt-4o-mini@openai",
        upstream_id: "chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01",
        session_id: "s-1",
        user: "user-42",
        finish: "stop",
        native_finish: "end_turn",
        referer: "https://example.com/é",
        app: "Example",
        user_agent: "openai-python/2.8.1",
        router: "auto",
        service_tier: "default",
        api_type: ApiType::Embeddings,
        flags: Flags {
            streamed: true,
            cancelled: false,
            estimated: true,
            byok: true,
            nonsense: true,
        },
        counts: Counts::from(Usage {
            prompt: 1_000,
            cache_read: 100,
            cache_write_5m: 50,
            cache_write_1h: 25,
            prompt_audio: 10,
            completion: 2_000,
            reasoning: 300,
            completion_audio: 20,
            completion_image: 30,
            web_searches: 2,
            ..Usage::default()
        })
        .with(Count::MediaIn, 3),
        upstream_prompt: Nanos(150_000),
        upstream_completion: Nanos(1_200_000),
        cache_discount: Nanos(-7_500),
        latency_ms: 412,
        generation_ms: 7_300,
        attempts: vec![
            AttemptFact {
                provider: "azure",
                endpoint: "openai/gpt-4o-mini@azure",
                model: "openai/gpt-4o-mini",
                upstream_id: "",
                status: 503,
                latency_ms: 88,
                ..AttemptFact::default()
            },
            AttemptFact {
                provider: "openai",
                endpoint: "openai/gpt-4o-mini@openai",
                model: "openai/gpt-4o-mini",
                upstream_id: "chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01",
                status: 200,
                latency_ms: 324,
                ..AttemptFact::default()
            },
        ],
        extra: r#"{"preset_id":"p"}"#,
        ..Facts::default()
    }
}

fn settle(facts: Facts<'static>) -> Record<'static> {
    Record::Settle(Settle {
        key: KeyId(4),
        held: Nanos(9_000_000),
        paid: Nanos(1_400_000),
        settlement: Settlement {
            id: ID,
            account: AccountId(3),
            at_ms: 1_795_000_008_123,
            charge: Nanos(1_417_500),
            costs: vec![cost("openai", 1_350_000, Payer::Customer)],
            possible: vec![cost("azure", 9_000_000, Payer::House)],
            facts,
        },
    })
}

fn void(reason: VoidReason) -> Record<'static> {
    let costs = match reason {
        VoidReason::NothingDelivered => vec![cost("openai", 12_000, Payer::House)],
        _ => Vec::new(),
    };
    let possible = match reason {
        VoidReason::CallerLeft | VoidReason::Restart => {
            vec![cost("openai", 9_000_000, Payer::House)]
        }
        _ => Vec::new(),
    };
    Record::Void(Void {
        key: KeyId(4),
        held: Nanos(9_000_000),
        voiding: Voiding {
            id: ID,
            account: AccountId(3),
            at_ms: 1_795_000_008_123,
            reason,
            costs,
            possible,
            facts: Facts::default(),
        },
    })
}

/// Every kind of record, the plain ones and the full ones.
pub(super) fn all() -> Vec<(&'static str, Record<'static>)> {
    vec![
        (
            "hold",
            Record::Hold(Hold {
                id: ID,
                account: AccountId(3),
                key: KeyId(4),
                amount: Nanos(9_000_000),
                at_ms: 1_795_000_000_456,
                model: "openai/gpt-4o-mini",
                provider: "azure",
                endpoint: "openai/gpt-4o-mini@azure",
            }),
        ),
        (
            "extend",
            Record::Extend(Extend {
                id: ID,
                extra: Nanos(i64::MAX),
            }),
        ),
        (
            "dispatch",
            Record::Dispatch(Dispatch {
                id: ID,
                model: "openai/gpt-4o-mini",
                provider: "openai",
                endpoint: "openai/gpt-4o-mini@openai",
            }),
        ),
        (
            "checkpoint",
            Record::Checkpoint(Checkpoint {
                id: ID,
                charge: Nanos(700_000),
                upstream: Nanos(650_000),
                prompt: 1_000,
                completion: 900,
            }),
        ),
        ("settle-full", settle(facts())),
        (
            "settle-plain",
            settle(Facts {
                model: "a/m",
                provider: "p",
                endpoint: "e",
                ..Facts::default()
            }),
        ),
        ("void-attempts-failed", void(VoidReason::AttemptsFailed)),
        ("void-caller-left", void(VoidReason::CallerLeft)),
        ("void-nothing-delivered", void(VoidReason::NothingDelivered)),
        ("void-restart", void(VoidReason::Restart)),
        ("void-not-dispatched", void(VoidReason::NotDispatched)),
    ]
}
