//! Finished calls.

use bourse_ledger::GenerationRow;
use bourse_ledger::record::{Cost, Payer, Record, VoidReason};
use bourse_vocab::{AccountId, GenerationId, Nanos};

use super::{ACCOUNT, Caller, KEY, NOW, apply, assert_balanced, hold, id, set_up, settle, void};
use crate::{ActivityQuery, Dropped, Left, SettledPage, Store};

pub async fn finished_calls_are_found_with_their_whole_record(store: &dyn Store) {
    set_up(store, 1_000).await;
    let end = settle(1, 50, 20, NOW + 7);
    apply(
        store,
        0,
        &[hold(1, 50), end.clone(), hold(2, 9), settle(2, 9, 1, NOW)],
    )
    .await
    .unwrap();
    let row = store.generation(id(1)).await.unwrap().unwrap();
    assert_eq!(bourse_ledger::record::decode(&row.record), Ok(end));
    assert_eq!((row.created_at_ms, row.settled_at_ms), (NOW, NOW + 7));
    assert_eq!(
        (row.charge, row.paid, row.house_loss),
        (Nanos(21), Nanos(20), Nanos(1))
    );
    assert_eq!(
        (row.prompt, row.completion, row.reasoning, row.cached),
        (10, 5, 2, 1)
    );
    assert_eq!(store.generation(id(77)).await.unwrap(), None);
    let newest = store.generations(ACCOUNT, 1).await.unwrap();
    assert_eq!(newest.iter().map(|row| row.id).collect::<Vec<_>>(), [id(2)]);
    assert!(store.generations(AccountId(9), 5).await.unwrap().is_empty());
    let all = SettledPage {
        from_ms: 0,
        before_ms: u64::MAX,
        after: None,
        count_max: 100,
    };
    let settled = async |page| -> Vec<_> {
        let rows = store.generations_settled(page).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    };
    let rows = store.generations_settled(all).await.unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.settled_at_ms, row.id)).collect();
    let ids = settled(all).await;
    assert!(ids.contains(&id(2)) && places.is_sorted(), "{places:?}");
    for (at, one) in ids.iter().enumerate() {
        let page = SettledPage {
            after: at.checked_sub(1).map(|before| places[before]),
            count_max: 1,
            ..all
        };
        assert_eq!(settled(page).await, [*one]);
    }
    let until = SettledPage {
        before_ms: row.settled_at_ms,
        ..all
    };
    assert!(!settled(until).await.contains(&row.id));
    let from = SettledPage {
        from_ms: row.settled_at_ms,
        ..all
    };
    assert!(settled(from).await.contains(&row.id));
    let questions = store.unreconciled(5).await.unwrap();
    assert_eq!(questions.len(), 2);
    assert_eq!((questions[0].id, &*questions[0].provider), (id(1), "q"));
}

fn ids(rows: &[GenerationRow]) -> Vec<GenerationId> {
    rows.iter().map(|row| row.id).collect()
}

/// Nine calls of two accounts; three at each of three moments.
async fn nine(store: &dyn Store) -> (Caller, Caller) {
    let one = Caller::new(store, "one", 1_000).await;
    let two = Caller::new(store, "two", 1_000).await;
    let mut batch = Vec::new();
    for n in 0..9_u64 {
        let caller = if n % 2 == 0 { one } else { two };
        // In an order that is not the one of the ids.
        let n = n * 4 % 9;
        batch.extend(caller.call(n, 5, NOW + n / 3));
    }
    apply(store, 0, &batch).await.unwrap();
    (one, two)
}

const ALL: SettledPage = SettledPage {
    from_ms: 0,
    before_ms: u64::MAX,
    after: None,
    count_max: 100,
};

pub async fn pages_of_every_size_hold_every_settled_call_once(store: &dyn Store) {
    nine(store).await;
    let expected: Vec<_> = (0..9).map(id).collect();
    for size in 1..=10 {
        let mut found = Vec::new();
        let mut page = SettledPage {
            count_max: size,
            ..ALL
        };
        loop {
            let rows = store.generations_settled(page).await.unwrap();
            assert!(rows.len() as u64 <= size);
            let Some(last) = rows.last() else { break };
            page.after = Some((last.settled_at_ms, last.id));
            found.extend(ids(&rows));
        }
        assert_eq!(found, expected, "pages of {size}");
    }
}

pub async fn a_span_has_its_first_moment_and_not_its_last(store: &dyn Store) {
    nine(store).await;
    let within = async |from_ms, before_ms| {
        let page = SettledPage {
            from_ms,
            before_ms,
            ..ALL
        };
        ids(&store.generations_settled(page).await.unwrap())
    };
    let of = |range: std::ops::Range<u64>| range.map(id).collect::<Vec<_>>();
    assert_eq!(within(NOW, NOW + 1).await, of(0..3));
    assert_eq!(within(NOW + 1, NOW + 2).await, of(3..6));
    assert_eq!(within(NOW + 1, NOW + 9).await, of(3..9));
    assert_eq!(within(0, NOW).await, of(0..0));
    assert_eq!(within(NOW + 2, NOW + 2).await, of(0..0));
    assert_eq!(within(NOW + 2, NOW).await, of(0..0));
    assert_eq!(within(NOW + 3, u64::MAX).await, of(0..0));
}

pub async fn a_page_begins_after_a_row_that_need_not_exist(store: &dyn Store) {
    nine(store).await;
    let after = async |at_ms, id| {
        let page = SettledPage {
            after: Some((at_ms, id)),
            ..ALL
        };
        store.generations_settled(page).await.unwrap().len()
    };
    let (first, last) = (
        GenerationId::from_bits(0),
        GenerationId::from_bits(u128::MAX),
    );
    assert_eq!(after(0, last).await, 9);
    assert_eq!(after(NOW, first).await, 9);
    assert_eq!(after(NOW, last).await, 6);
    assert_eq!(after(NOW + 2, id(8)).await, 0);
    let between = GenerationId::from_bits(id(4).to_bits() - 1);
    assert_eq!(after(NOW + 1, between).await, 5);
    let none = SettledPage {
        count_max: 0,
        ..ALL
    };
    assert!(store.generations_settled(none).await.unwrap().is_empty());
}

pub async fn an_account_has_its_own_calls_newest_first(store: &dyn Store) {
    let (one, two) = nine(store).await;
    let all_one = ids(&store.generations(one.account, 100).await.unwrap());
    let all_two = ids(&store.generations(two.account, 100).await.unwrap());
    assert_eq!((all_one.len(), all_two.len()), (5, 4));
    for all in [&all_one, &all_two] {
        assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
    }
    for count in 0..=6_u64 {
        let some = ids(&store.generations(one.account, count).await.unwrap());
        let expected = usize::try_from(count).unwrap().min(5);
        assert_eq!(some, all_one[..expected]);
    }
    let nobody = store.generations(AccountId(99), 100).await.unwrap();
    assert!(nobody.is_empty());
}

pub async fn ids_sort_as_numbers_over_their_whole_range(store: &dyn Store) {
    set_up(store, 1_000).await;
    // Small and large first bytes, also such as a signed byte would turn.
    let bits = [
        1_u128,
        0x7f << 120,
        0x80 << 120,
        0xff << 120,
        1 << 64,
        u128::MAX,
    ];
    let mut batch = Vec::new();
    for bits in bits {
        let with = |mut record: bourse_ledger::Record<'static>| {
            let id = GenerationId::from_bits(bits);
            match &mut record {
                bourse_ledger::Record::Hold(hold) => hold.id = id,
                bourse_ledger::Record::Settle(settle) => settle.settlement.id = id,
                _ => {}
            }
            record
        };
        batch.push(with(hold(1, 5)));
        batch.push(with(settle(1, 5, 1, NOW)));
    }
    apply(store, 0, &batch).await.unwrap();
    let rows = store.generations_settled(ALL).await.unwrap();
    let found: Vec<u128> = rows.iter().map(|row| row.id.to_bits()).collect();
    let mut expected = bits.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for bits in bits {
        let id = GenerationId::from_bits(bits);
        assert_eq!(store.generation(id).await.unwrap().unwrap().id, id);
    }
}

pub async fn slugs_of_all_letters_come_back_as_they_were(store: &dyn Store) {
    let caller = Caller {
        model: "\u{6a21}\u{578b}/\u{1f980}",
        provider: "\u{e9}\u{301}",
        endpoint: "a'b\"c\\d$1%_",
        ..Caller::new(store, "default", 1_000).await
    };
    apply(store, 0, &[caller.hold(1, 5, NOW)]).await.unwrap();
    let open = store.open_holds().await.unwrap();
    let found = (&*open[0].model, &*open[0].provider, &*open[0].endpoint);
    assert_eq!(found, (caller.model, caller.provider, caller.endpoint));
    apply(store, 1, &[caller.settle(1, 5, 5, NOW)])
        .await
        .unwrap();
    let row = store.generation(id(1)).await.unwrap().unwrap();
    let found = (&*row.model, &*row.provider, &*row.endpoint);
    assert_eq!(found, (caller.model, caller.provider, caller.endpoint));
    assert_balanced(store).await;
}

pub async fn amounts_of_any_size_come_back_as_they_were(store: &dyn Store) {
    let caller = Caller::new(store, "default", i64::MAX).await;
    let large = i64::MAX - 2;
    apply(store, 0, &caller.call(1, large, NOW)).await.unwrap();
    apply(store, 2, &caller.call(2, 0, 0)).await.unwrap();
    let row = store.generation(id(1)).await.unwrap().unwrap();
    assert_eq!((row.paid, row.charge), (Nanos(large), Nanos(large + 1)));
    let row = store.generation(id(2)).await.unwrap().unwrap();
    assert_eq!((row.paid, row.settled_at_ms), (Nanos(0), 0));
}

pub async fn questions_come_oldest_first_and_no_more_than_asked(store: &dyn Store) {
    set_up(store, 100_000).await;
    let mut from = 0;
    for n in 0..5 {
        apply(store, from, &[hold(n, 50), settle(n, 50, 20, NOW + n)])
            .await
            .unwrap();
        from += 2;
    }
    for count in 0..=6_u64 {
        let some = store.unreconciled(count).await.unwrap();
        let found: Vec<_> = some.iter().map(|question| question.id).collect();
        let expected: Vec<_> = (0..count.min(5)).map(id).collect();
        assert_eq!(found, expected);
    }
}

pub async fn what_callers_left_since_a_moment_is_told_newest_first(store: &dyn Store) {
    set_up(store, 100_000).await;
    let question = |provider, amount| Cost {
        provider,
        amount: Nanos(amount),
        payer: Payer::House,
    };
    let settled = |n: u64, provider: &'static str| {
        let Record::Settle(mut end) = settle(n, 50, 20, NOW + n) else {
            unreachable!("a settlement");
        };
        end.settlement.possible = vec![question(provider, 30)];
        Record::Settle(end)
    };
    let voided = |n: u64, reason| {
        let Record::Void(mut end) = void(n, 0) else {
            unreachable!("a voiding");
        };
        end.voiding.at_ms = NOW + n;
        end.voiding.reason = reason;
        end.voiding.possible = vec![question(Caller::FIRST.provider, 50)];
        Record::Void(end)
    };
    let provider = Caller::FIRST.provider;
    let mut batch: Vec<_> = (1..=5).map(|n| hold(n, 50)).collect();
    batch.extend([
        settled(1, provider),
        // Somebody else was asked before, and nobody left.
        settled(2, "q"),
        voided(3, VoidReason::CallerLeft),
        // Nobody left these either.
        voided(4, VoidReason::AttemptsFailed),
        voided(5, VoidReason::Restart),
    ]);
    apply(store, 0, &batch).await.unwrap();
    let left = |counted: Option<i64>, at_most| Left {
        account: ACCOUNT,
        key: KEY,
        counted: counted.map(Nanos),
        at_most: Nanos(at_most),
    };
    let all = [left(None, 50), left(Some(20), 30)];
    assert_eq!(store.left_since(NOW, 9).await.unwrap(), all);
    assert_eq!(store.left_since(NOW + 2, 9).await.unwrap(), all[..1]);
    assert_eq!(store.left_since(NOW, 1).await.unwrap(), all[..1]);
    assert!(store.left_since(NOW + 4, 9).await.unwrap().is_empty());
}

pub async fn what_is_not_kept_still_counts(store: &dyn Store) {
    set_up(store, 10_000).await;
    let other = Caller::new(store, "other", 1_000).await;
    let mut batch = Vec::new();
    for n in 0..6_u64 {
        batch.extend([hold(n, 50), settle(n, 50, 20, NOW + n)]);
        batch.extend(other.call(10 + n, 5, NOW + n));
    }
    batch.extend([hold(20, 9), void(20, 0), hold(21, 9), void(21, 3)]);
    apply(store, 0, &batch).await.unwrap();
    let before = store.audit().await.unwrap();
    let asked = store.unreconciled(99).await.unwrap().len();
    let query = ActivityQuery {
        account: ACCOUNT,
        key: None,
        first_day: 0,
        last_day: u64::MAX >> 1,
    };
    let days = store.activity(query).await.unwrap();
    let none = store.drop_calls(NOW, 100).await.unwrap();
    assert_eq!(none, Dropped::default());
    // Of fourteen, eight were settled before that; in pieces.
    let mut pieces = Vec::new();
    loop {
        let dropped = store.drop_calls(NOW + 3, 3).await.unwrap();
        pieces.push(dropped.calls);
        assert_balanced(store).await;
        if dropped.calls < 3 {
            break;
        }
    }
    assert_eq!(pieces, [3, 3, 2]);
    let kept = store.generations_settled(ALL).await.unwrap();
    assert_eq!(kept.len(), 6);
    assert!(kept.iter().all(|row| row.settled_at_ms >= NOW + 3));
    assert_eq!(store.generation(id(0)).await.unwrap(), None);
    let questions = store.unreconciled(99).await.unwrap();
    assert_eq!(2 * questions.len(), asked);
    assert_eq!(store.activity(query).await.unwrap(), days);
    let after = store.audit().await.unwrap();
    assert_eq!(
        (after.calls, after.generations),
        (before.calls, before.generations)
    );
    // More calls, and those go as well, into the same sums.
    let more = [hold(30, 50), settle(30, 50, 7, NOW + 9)];
    apply(store, 28, &more).await.unwrap();
    store.drop_calls(u64::MAX >> 1, 100).await.unwrap();
    assert!(store.generations_settled(ALL).await.unwrap().is_empty());
    assert!(store.unreconciled(99).await.unwrap().is_empty());
    assert_balanced(store).await;
}
