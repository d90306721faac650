use bourse_vocab::{
    AccountId, Count, Counts, FailureKind, KeyId, Nanos, NodeId, PicosPerUnit, Usage,
};
use proptest::prelude::*;

use super::bytes::Writer;
use super::*;
use crate::price::Line;
use crate::record::tags::{self, field};
use crate::record::{
    ApiType, AttemptFact, CHECKPOINTS_MAX, Checkpoint, Cost, Dispatch, EXTRA_BYTES_MAX, Extend,
    Facts, Flags, Hold, Payer, Refused, Settle, Settlement, TEXT_BYTES_MAX, Void, VoidReason,
    Voiding,
};

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

fn some_counts() -> impl Strategy<Value = Counts> {
    proptest::collection::vec((0..Count::ALL.len(), any::<u64>()), 0..6).prop_map(|pairs| {
        let mut counts = Counts::default();
        for (kind, number) in pairs {
            counts.set(Count::ALL[kind], number);
        }
        counts
    })
}

fn a_failure() -> impl Strategy<Value = Option<FailureKind>> {
    proptest::option::of((0..FailureKind::ALL.len()).prop_map(|kind| FailureKind::ALL[kind]))
}

fn an_attempt() -> impl Strategy<Value = AttemptFact<'static>> {
    (
        proptest::collection::vec(a_text(), 5),
        any::<[u32; 4]>(),
        any::<u16>(),
        a_failure(),
        an_amount(),
        any::<bool>(),
    )
        .prop_map(|(t, ms, status, failure, billed, house)| AttemptFact {
            provider: t[0],
            endpoint: t[1],
            model: t[2],
            upstream_id: t[3],
            request_id: t[4],
            status,
            failure,
            reason: failure
                .and_then(|failure| bourse_vocab::Reason::by_number(failure.number() % 13)),
            dispatch_ms: ms[0],
            head_ms: ms[1],
            latency_ms: ms[2],
            end_ms: ms[3],
            billed,
            payer: if house { Payer::House } else { Payer::Customer },
        })
}

/// Lines as they are read: without amounts.
fn some_lines() -> impl Strategy<Value = Vec<Line>> {
    let number = prop_oneof![(0u64..40), any::<u64>()];
    let line = (number, any::<u64>(), any::<u64>()).prop_map(|(number, units, price)| Line {
        item: tags::item(number),
        units,
        price: PicosPerUnit::new(price),
        amount: Nanos::ZERO,
    });
    proptest::collection::vec(line, 0..5)
}

fn some_facts() -> impl Strategy<Value = Facts<'static>> {
    let texts = proptest::collection::vec(a_text(), 16);
    let amounts = [an_amount(), an_amount(), an_amount(), an_amount()];
    let attempts = proptest::collection::vec(an_attempt(), 0..4);
    (
        texts,
        some_counts(),
        any::<[u32; 3]>(),
        amounts,
        any::<[bool; 6]>(),
        (
            a_failure(),
            any::<u64>(),
            proptest::option::of(an_id()),
            any::<u8>(),
        ),
        attempts,
        some_lines(),
    )
        .prop_map(
            |(t, counts, ms, a, b, (failure, price_book, cache_source, tools), attempts, lines)| {
                Facts {
                    model: t[0],
                    provider: t[1],
                    provider_name: t[2],
                    endpoint: t[3],
                    requested: t[4],
                    upstream_id: t[5],
                    session_id: t[6],
                    user: t[7],
                    finish: t[8],
                    native_finish: t[9],
                    referer: t[10],
                    app: t[11],
                    user_agent: t[12],
                    router: t[13],
                    service_tier: t[14],
                    api_type: ApiType::by_number(u64::from(ms[0] % 8)),
                    flags: Flags {
                        streamed: b[1],
                        cancelled: b[2],
                        estimated: b[3],
                        byok: b[4],
                        nonsense: b[5],
                    },
                    failure,
                    counts,
                    upstream_prompt: a[0],
                    upstream_completion: a[1],
                    cache_discount: a[2],
                    told_cost: a[3],
                    queue_ms: ms[0],
                    latency_ms: ms[1],
                    generation_ms: ms[2],
                    attempts,
                    price_book,
                    lines,
                    extra: t[15],
                    cache_source,
                    tool_errors: tools,
                    quality: bourse_vocab::Quality::by_number((tools % 7).into()),
                }
            },
        )
}

fn a_checkpoint() -> impl Strategy<Value = Checkpoint> {
    let amounts = (an_amount(), an_amount());
    (an_id(), amounts, any::<u64>(), any::<u64>()).prop_map(
        |(id, (charge, upstream), prompt, completion)| Checkpoint {
            id,
            charge,
            upstream,
            prompt,
            completion,
        },
    )
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
        a_checkpoint().prop_map(Record::Checkpoint),
        proptest::collection::vec(a_checkpoint(), 1..9).prop_map(Record::Checkpoints),
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
            some_costs(),
            some_facts()
        )
            .prop_map(
                |(id, (account, key, at_ms), held, reason, costs, possible, facts)| {
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
                        facts,
                    };
                    Record::Void(Void {
                        key: KeyId(key),
                        held,
                        voiding,
                    })
                }
            ),
        (
            an_id(),
            ids,
            0..FailureKind::ALL.len(),
            a_text(),
            a_text(),
            any::<u64>()
        )
            .prop_map(
                |(id, (account, key, at_ms), failure, requested, app, unrecorded)| {
                    Record::Refused(Refused {
                        id,
                        account: AccountId(account),
                        key: KeyId(key),
                        at_ms,
                        failure: FailureKind::ALL[failure],
                        requested,
                        app,
                        unrecorded,
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
    fn a_record_survives_encoding_and_decoding(record in a_record(), node in 1u16..1_024) {
        let mut bytes = Vec::new();
        encode_as(NodeId(node), &record, &mut bytes);
        prop_assert_eq!(node_of(&bytes), Ok(NodeId(node)));
        prop_assert_eq!(decode(&bytes), Ok(record));
    }

    #[test]
    fn the_books_read_of_a_record_what_whoever_reads_all_of_it_does(
        record in a_record(), node in 1u16..1_024
    ) {
        let mut bytes = Vec::new();
        encode_as(NodeId(node), &record, &mut bytes);
        let whole = decode(&bytes).unwrap();
        let calls = match &whole {
            Record::Hold(hold) => Calls::Begins(hold.id),
            Record::Refused(_) => Calls::None,
            Record::Checkpoints(list) => Calls::Several(list.clone()),
            other => Calls::Continues(other.id()),
        };
        prop_assert_eq!(calls_of(&bytes).unwrap(), calls);
        let ends = matches!(whole, Record::Settle(_) | Record::Void(_) | Record::Refused(_));
        prop_assert_eq!(is_end(&bytes), ends);
        let failed = match &whole {
            Record::Settle(settle) => {
                let facts = &settle.settlement.facts;
                facts.failure.is_some() || facts.attempts.iter().any(|one| one.failure.is_some())
            }
            _ => ends,
        };
        prop_assert_eq!(is_end_with_failure(&bytes), failed);
        prop_assert_eq!(decode_booking(&bytes).unwrap(), Booking::from(whole));
    }

    #[test]
    fn a_record_cut_at_any_byte_or_followed_by_anything_is_refused(record in a_record()) {
        let mut bytes = bytes_of(&record);
        for cut in 0..bytes.len() {
            let refused = decode(&bytes[..cut]);
            prop_assert!(matches!(refused, Err(DecodeError::Cut(_))), "{cut}: {refused:?}");
        }
        bytes.push(0);
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn fields_that_are_not_known_are_stepped_over(
        record in a_record(), tag in 51u64..1_000_000, number: u64, text in a_text()
    ) {
        let mut bytes = bytes_of(&record);
        bytes.pop();
        let mut writer = Writer { out: &mut bytes };
        writer.always(tag, number);
        writer.text_always(tag, text);
        writer.end();
        prop_assert_eq!(decode(&bytes), Ok(record));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..400), version in 0u8..4, kind in 0u8..10
    ) {
        read_twice(&bytes);
        if bytes.len() > 2 {
            bytes[0] = version;
            bytes[1] = kind;
            read_twice(&bytes);
            let _ = node_of(&bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_another_record(
        record in a_record(), at in any::<prop::sample::Index>(), to: u8
    ) {
        let mut bytes = bytes_of(&record);
        let at = at.index(bytes.len());
        bytes[at] = to;
        read_twice(&bytes);
    }
}

/// Whatever is a record is one to the books too, and the same.
fn read_twice(bytes: &[u8]) {
    let booking = decode_booking(bytes);
    if let Ok(whole) = decode(bytes) {
        assert_eq!(booking, Ok(Booking::from(whole)));
    }
    let _ = calls_of(bytes);
    let _ = is_end_with_failure(bytes);
}

/// A hold with a field made by `write` in the place of its last.
fn with_field(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = bytes_of(&Record::Extend(Extend {
        id: GenerationId::new(1, 1),
        extra: Nanos(7),
    }));
    bytes.pop();
    let mut writer = Writer { out: &mut bytes };
    write(&mut writer);
    writer.end();
    bytes
}

#[test]
fn counts_payers_and_items_of_a_later_server_are_stepped_over_or_kept() {
    for (tag, pairs) in [
        (field::COUNTS, [99, 5, 1, 6]),
        (field::PAYERS, [77, 5, 1, 6]),
    ] {
        let bytes = with_field(|w| w.within(tag, |w| pairs.iter().for_each(|n| w.plain(*n))));
        assert!(decode(&bytes).is_ok());
    }
    // A line that is not understood still costs what it costs.
    let lines = [Line {
        item: tags::item(99),
        units: 3,
        price: PicosPerUnit::new(2_000),
        amount: Nanos::ZERO,
    }];
    let charge = crate::price::Charge::recompute(&lines).unwrap();
    assert_eq!((charge.total, charge.upstream_total), (Nanos(6), Nanos(6)));
}

#[test]
fn what_cannot_be_read_is_named_with_its_remedy() {
    let mut later = with_field(|_| ());
    later[0] = 3;
    let error = decode(&later).unwrap_err();
    assert_eq!(error, DecodeError::Version(3));
    assert!(
        error.to_string().contains("version 3") && error.to_string().contains("start that version")
    );
    let mut unknown = with_field(|_| ());
    unknown[1] = 200;
    let error = decode(&unknown).unwrap_err();
    assert_eq!(error, DecodeError::Kind(200));
    // A list that ends in the middle of an entry.
    for (tag, name) in [
        (field::COST, "cost"),
        (field::ATTEMPT, "attempt"),
        (field::LINE, "line"),
        (field::STREAM, "stream"),
        (field::COUNTS, "counts"),
        (field::PAYERS, "payers"),
    ] {
        let cut = with_field(|w| w.within(tag, |w| w.out.push(0x83)));
        let error = decode(&cut).unwrap_err();
        assert_eq!(error, DecodeError::Cut(name));
        assert!(error.to_string().contains("backup"), "{error}");
    }
    // More entries than any call has, and fields of the wrong kind.
    let crowd = with_field(|w| {
        for _ in 0..=crate::record::LIST_MAX {
            w.within(field::COST, |w| w.number(2, 1));
        }
    });
    assert_eq!(decode(&crowd), Err(DecodeError::Field("costs")));
    let number = with_field(|w| w.always(field::MODEL, 1));
    assert_eq!(decode(&number), Err(DecodeError::Field("model")));
    let text = with_field(|w| w.text(field::AT_MS, "noon"));
    assert_eq!(decode(&text), Err(DecodeError::Field("at")));
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
    let settled = Record::Settle(Settle {
        key: KeyId(1),
        held: Nanos(1),
        paid: Nanos(1),
        settlement: settlement(facts),
    });
    let bytes = bytes_of(&settled);
    let Ok(Record::Settle(read)) = decode(&bytes) else {
        panic!("not a settlement")
    };
    assert_eq!(read.settlement.facts.user_agent.len(), TEXT_BYTES_MAX);
    assert_eq!(read.settlement.facts.extra, "");
}

fn settlement(facts: Facts<'_>) -> Settlement<'_> {
    Settlement {
        id: GenerationId::new(1_795_000_000, u128::MAX),
        account: AccountId(3),
        at_ms: 1_795_000_008_123,
        charge: Nanos(1_417_500),
        costs: vec![Cost {
            provider: "openai",
            amount: Nanos(1_350_000),
            payer: Payer::Customer,
        }],
        possible: Vec::new(),
        facts,
    }
}

/// An ordinary call's end, with everything that is known of one.
fn ordinary() -> Record<'static> {
    let prices = bourse_catalog::PriceList {
        base: bourse_catalog::Prices {
            prompt: Some(PicosPerUnit::new(150_000)),
            completion: Some(PicosPerUnit::new(600_000)),
            ..bourse_catalog::Prices::default()
        },
        ..bourse_catalog::PriceList::default()
    };
    let usage = Usage {
        prompt: 1_000,
        completion: 2_000,
        ..Usage::default()
    };
    let charge = crate::price::price(&usage, 0, &prices, 50_000).unwrap();
    let facts = Facts {
        model: "openai/gpt-4o-mini",
        provider: "openai",
        provider_name: "OpenAI",
        endpoint: "openai/gpt-4o-mini@openai",
        upstream_id: "chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01",
        finish: "stop",
        native_finish: "end_turn",
        referer: "https://example.com/é",
        app: "Example",
        user_agent: "openai-python/2.8.1",
        service_tier: "default",
        flags: Flags {
            streamed: true,
            ..Flags::default()
        },
        counts: usage.into(),
        upstream_prompt: charge.upstream_prompt,
        upstream_completion: charge.upstream_completion,
        queue_ms: 1,
        latency_ms: 412,
        generation_ms: 7_300,
        attempts: vec![AttemptFact {
            provider: "openai",
            endpoint: "openai/gpt-4o-mini@openai",
            model: "openai/gpt-4o-mini",
            upstream_id: "chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01",
            status: 200,
            head_ms: 380,
            latency_ms: 412,
            end_ms: 7_712,
            billed: charge.upstream_total,
            ..AttemptFact::default()
        }],
        price_book: u64::MAX,
        lines: charge.lines,
        ..Facts::default()
    };
    Record::Settle(Settle {
        key: KeyId(4),
        held: Nanos(9_000_000),
        paid: Nanos(1_400_000),
        settlement: settlement(facts),
    })
}

#[test]
fn the_two_records_of_an_ordinary_call_are_small() {
    let hold = Record::Hold(Hold {
        id: GenerationId::new(1_795_000_000, u128::MAX),
        account: AccountId(1),
        key: KeyId(1),
        amount: Nanos(10_000_000),
        at_ms: 1_795_000_000_000,
        model: "openai/gpt-5-mini",
        provider: "openai",
        endpoint: "openai/gpt-5-mini@openai",
    });
    let hold = bytes_of(&hold).len();
    assert!(hold < 100, "{hold}");
    // Version 1 took 350 bytes to say less.
    let end = bytes_of(&ordinary()).len();
    assert!(end <= 350 + 48, "{end}");
    println!("hold {hold}, end {end}");
}

#[test]
fn every_price_has_a_number_of_its_own() {
    use crate::price::Item;
    let prices = bourse_catalog::PriceKey::ALL.iter();
    let items = prices
        .map(|key| Item::Price(*key))
        .chain([Item::Markup, Item::Checkpoint]);
    for item in items {
        let number = tags::item_number(item);
        assert_ne!(number, 0, "{item:?} has no number in tags.rs");
        assert_eq!(tags::item(number), item);
    }
}

/// Two records of this version as it writes them: a stream that tells of
/// itself, and a worker that tells of three.
fn told() -> [(&'static str, Record<'static>); 2] {
    let checkpoint = |n: u128, charge| Checkpoint {
        id: GenerationId::new(1_795_000_000, n),
        charge: Nanos(charge),
        upstream: Nanos(charge / 2),
        prompt: 12,
        completion: u64::try_from(charge / 1_000).unwrap(),
    };
    let free = Checkpoint {
        prompt: 0,
        ..checkpoint(u128::MAX, 0)
    };
    [
        ("checkpoint", Record::Checkpoint(checkpoint(1, 44_000))),
        (
            "checkpoints",
            Record::Checkpoints(vec![checkpoint(1, 45_000), checkpoint(2, 7_000_000), free]),
        ),
    ]
}

#[test]
fn progress_is_read_as_it_was_written() {
    let fixtures = include_str!("../../../../../fixtures/journal/progress-2.txt");
    let mut lines = fixtures.lines();
    for (name, record) in told() {
        let bytes = bytes_of(&record);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(lines.next(), Some(format!("{name} {hex}").as_str()));
        assert_eq!(decode(&bytes), Ok(record), "{name}");
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn a_list_of_checkpoints_is_bounded_and_each_says_whose_it_is() {
    let [_, (_, Record::Checkpoints(few))] = told() else {
        panic!("not a list")
    };
    let many: Vec<_> = few.iter().copied().cycle().take(CHECKPOINTS_MAX).collect();
    let bytes = bytes_of(&Record::Checkpoints(many.clone()));
    assert!(bytes.len() < 16 << 10, "{}", bytes.len());
    assert_eq!(decode(&bytes), Ok(Record::Checkpoints(many.clone())));
    // One more is not written, and not read.
    let mut more = many;
    more.push(few[0]);
    assert_eq!(bytes_of(&Record::Checkpoints(more)), bytes);
    let mut crowd = bytes;
    crowd.pop();
    let one = bytes_of(&Record::Checkpoints(vec![few[0]]));
    crowd.extend_from_slice(&one[18..]);
    assert_eq!(decode(&crowd), Err(DecodeError::Field("streams")));
    let nobodys = with_field(|w| w.within(field::STREAM, |w| w.number(2, 1)));
    assert_eq!(decode(&nobodys), Err(DecodeError::Field("stream")));
    let short = with_field(|w| w.within(field::STREAM, |w| w.bytes(1, &[1; 15])));
    assert_eq!(decode(&short), Err(DecodeError::Field("stream")));
}

/// The tables of `docs/journal.md`, made from the lists in the code.
fn tables() -> Vec<String> {
    let mut lines = Vec::new();
    for list in [
        tags::kind::LIST,
        tags::field::LIST,
        tags::attempt::LIST,
        tags::cost::LIST,
        tags::payer::LIST,
        tags::stream::LIST,
    ] {
        let mut last = 0;
        for (number, name, kind, meaning) in list {
            assert!(*number > last, "{name}: numbers rise");
            last = *number;
            let name = name.to_lowercase();
            lines.push(format!("| {number} | `{name}` | {kind} |{meaning} |"));
        }
    }
    for kind in Count::ALL {
        lines.push(format!("| {} | `{}` |", *kind as u64, kind.name()));
    }
    for (number, reason) in VoidReason::ALL.iter().enumerate() {
        lines.push(format!("| {number} | {reason:?} |"));
    }
    for (number, item) in tags::ITEMS {
        let name = match item {
            crate::price::Item::Price(key) => key.name().to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        lines.push(format!("| {number} | `{name}` |"));
    }
    lines
}

#[test]
fn the_document_lists_every_number() {
    let document = include_str!("../../../../../docs/journal.md");
    let missing: Vec<_> = tables()
        .into_iter()
        .filter(|line| !document.contains(line.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/journal.md lacks:\n{}",
        missing.join("\n")
    );
}
