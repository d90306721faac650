use proptest::prelude::*;

use super::*;

const TEXTS: [&str; 5] = ["", "openai", "openai/gpt-5", "é✓🦀", "a b\"c\n"];

fn a_text() -> impl Strategy<Value = &'static str> {
    (0..TEXTS.len()).prop_map(|i| TEXTS[i])
}

fn an_id() -> impl Strategy<Value = GenerationId> {
    any::<u128>().prop_map(GenerationId::from_bits)
}

fn an_amount() -> impl Strategy<Value = Nanos> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(0)].prop_map(Nanos)
}

fn some_costs() -> impl Strategy<Value = Vec<Cost<'static>>> {
    let cost = (a_text(), an_amount(), any::<bool>()).prop_map(|(provider, amount, house)| Cost {
        provider,
        amount,
        payer: if house { Payer::House } else { Payer::Customer },
    });
    proptest::collection::vec(cost, 0..4)
}

fn some_facts() -> impl Strategy<Value = Facts<'static>> {
    let texts = proptest::collection::vec(a_text(), 16);
    let counts = proptest::collection::vec(any::<u64>(), 10);
    let small = proptest::collection::vec(any::<u32>(), 4);
    let amounts = proptest::collection::vec(an_amount(), 3);
    (
        texts,
        counts,
        small,
        amounts,
        any::<[bool; 6]>(),
        any::<u16>(),
    )
        .prop_map(|(t, c, s, a, b, status)| Facts {
            model: t[0],
            provider: t[1],
            provider_name: t[2],
            endpoint: t[3],
            upstream_id: t[4],
            session_id: t[5],
            user: t[6],
            finish: t[7],
            native_finish: t[8],
            referer: t[9],
            app: t[10],
            user_agent: t[11],
            router: t[12],
            service_tier: t[13],
            api_type: if b[0] {
                ApiType::Embeddings
            } else {
                ApiType::Completions
            },
            flags: Flags {
                streamed: b[1],
                cancelled: b[2],
                estimated: b[3],
                byok: b[4],
                nonsense: b[5],
            },
            usage: Usage {
                prompt: c[0],
                cache_read: c[1],
                cache_write_5m: c[2],
                cache_write_1h: c[3],
                prompt_audio: c[4],
                completion: c[5],
                reasoning: c[6],
                completion_audio: c[7],
                completion_image: c[8],
                web_searches: c[9],
            },
            upstream_prompt: a[0],
            upstream_completion: a[1],
            cache_discount: a[2],
            media_prompt: s[0],
            latency_ms: s[1],
            generation_ms: s[2],
            attempts: vec![
                AttemptFact {
                    provider: t[14],
                    endpoint: t[15],
                    model: t[0],
                    upstream_id: t[1],
                    status,
                    latency_ms: s[3],
                };
                usize::from(status % 3)
            ],
            extra: t[2],
        })
}

fn a_record() -> impl Strategy<Value = Record<'static>> {
    let ids = (any::<u64>(), any::<u64>(), any::<u64>());
    prop_oneof![
        (an_id(), ids, an_amount(), a_text(), a_text(), a_text()).prop_map(
            |(id, (account, key, at_ms), amount, model, provider, endpoint)| {
                let (account, key) = (AccountId(account), KeyId(key));
                Record::Hold(Hold {
                    id,
                    account,
                    key,
                    amount,
                    at_ms,
                    model,
                    provider,
                    endpoint,
                })
            }
        ),
        (an_id(), an_amount()).prop_map(|(id, extra)| Record::Extend(Extend { id, extra })),
        (an_id(), a_text(), a_text(), a_text()).prop_map(|(id, model, provider, endpoint)| {
            Record::Dispatch(Dispatch {
                id,
                model,
                provider,
                endpoint,
            })
        }),
        (
            an_id(),
            an_amount(),
            an_amount(),
            any::<u64>(),
            any::<u64>()
        )
            .prop_map(|(id, charge, upstream, prompt, completion)| {
                Record::Checkpoint(Checkpoint {
                    id,
                    charge,
                    upstream,
                    prompt,
                    completion,
                })
            }),
        (
            an_id(),
            ids,
            [an_amount(), an_amount(), an_amount()],
            some_costs(),
            some_costs(),
            some_facts()
        )
            .prop_map(
                |(id, (account, key, at_ms), [held, charge, paid], costs, possible, facts)| {
                    let account = AccountId(account);
                    let settlement = Settlement {
                        id,
                        account,
                        at_ms,
                        charge,
                        costs,
                        possible,
                        facts,
                    };
                    Record::Settle(Settle {
                        key: KeyId(key),
                        held,
                        paid,
                        settlement,
                    })
                }
            ),
        (
            an_id(),
            ids,
            an_amount(),
            0usize..5,
            some_costs(),
            some_costs()
        )
            .prop_map(
                |(id, (account, key, at_ms), held, reason, costs, possible)| {
                    let reason = [
                        VoidReason::AttemptsFailed,
                        VoidReason::CallerLeft,
                        VoidReason::NothingDelivered,
                        VoidReason::Restart,
                        VoidReason::NotDispatched,
                    ][reason];
                    let account = AccountId(account);
                    let voiding = Voiding {
                        id,
                        account,
                        at_ms,
                        reason,
                        costs,
                        possible,
                    };
                    Record::Void(Void {
                        key: KeyId(key),
                        held,
                        voiding,
                    })
                }
            ),
    ]
}

fn bytes_of(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_record_survives_encoding_and_decoding(record in a_record()) {
        let bytes = bytes_of(&record);
        prop_assert_eq!(decode(&bytes), Ok(record));
    }

    #[test]
    fn a_record_cut_anywhere_or_followed_by_anything_is_refused(
        record in a_record(), cut in any::<prop::sample::Index>()
    ) {
        let mut bytes = bytes_of(&record);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0u8..8) {
        let _ = decode(&bytes);
        if bytes.len() > 2 {
            bytes[0] = VERSION;
            bytes[1] = kind;
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_another_record(
        record in a_record(), at in any::<prop::sample::Index>(), to: u8
    ) {
        let mut bytes = bytes_of(&record);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = decode(&bytes);
    }
}

#[test]
fn texts_are_cut_at_a_character_and_long_extras_left_out() {
    let long = "é".repeat(TEXT_BYTES_MAX);
    let extra = "x".repeat(EXTRA_BYTES_MAX + 1);
    let facts = Facts {
        user_agent: &long,
        extra: &extra,
        ..Facts::default()
    };
    let settlement = Settlement {
        id: GenerationId::new(1, 1),
        account: AccountId(1),
        at_ms: 0,
        charge: Nanos(1),
        costs: Vec::new(),
        possible: Vec::new(),
        facts,
    };
    let mut bytes = Vec::new();
    encode_settle(KeyId(1), Nanos(1), Nanos(1), &settlement, &mut bytes);
    let Ok(Record::Settle(read)) = decode(&bytes) else {
        panic!("not a settlement")
    };
    assert_eq!(read.settlement.facts.user_agent.len(), TEXT_BYTES_MAX);
    assert_eq!(read.settlement.facts.extra, "");
}

#[test]
fn the_two_records_of_a_plain_call_are_small() {
    let id = GenerationId::new(1_795_000_000, u128::MAX);
    let hold = Record::Hold(Hold {
        id,
        account: AccountId(1),
        key: KeyId(1),
        amount: Nanos(10_000_000),
        at_ms: 1_795_000_000_000,
        model: "openai/gpt-5-mini",
        provider: "openai",
        endpoint: "openai/gpt-5-mini@openai",
    });
    assert!(bytes_of(&hold).len() < 100, "{}", bytes_of(&hold).len());
}
