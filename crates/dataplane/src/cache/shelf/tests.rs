use bourse_vocab::{AccountId, KeyId};

use super::*;

const NOW: u64 = 1_000_000;
const MIB: usize = 1 << 20;

fn owner(account: u64, key: u64) -> Owner {
    Owner {
        account: AccountId(account),
        key: KeyId(key),
    }
}

/// Names the call of an owner.
fn call(owner: Owner, number: u64) -> Digest {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&owner.account.0.to_le_bytes());
    digest[8..16].copy_from_slice(&owner.key.0.to_le_bytes());
    digest[16..24].copy_from_slice(&number.to_le_bytes());
    digest
}

fn answer(bytes: usize) -> Answer {
    Answer {
        source: GenerationId::from_bits(7),
        endpoint: "e".into(),
        format: Format::OpenAiChat,
        framing: Framing::Sse,
        text: Bytes::from(vec![b'x'; bytes]),
        charge: Nanos(5),
        finish: "stop",
        native_finish: "stop".into(),
        service_tier: "".into(),
        made_ms: NOW,
    }
}

fn put(shelf: &Shelf, owner: Owner, number: u64, bytes: usize) {
    let digest = call(owner, number);
    let seen = shelf.look(&digest, NOW);
    assert!(shelf.keep((digest, owner), seen.asked, answer(bytes), 60));
}

fn has(shelf: &Shelf, owner: Owner, number: u64) -> bool {
    shelf.look(&call(owner, number), NOW).answer.is_some()
}

/// Everything that is counted is what there is.
fn check(shelf: &Shelf) {
    let inner = shelf.lock();
    let bytes: usize = inner.slots.values().map(|slot| slot.bytes).sum();
    assert_eq!(inner.bytes, bytes);
    assert!(bytes <= shelf.bytes_max);
    assert_eq!(inner.by_end.len(), inner.slots.len());
    assert_eq!(inner.holders.is_empty(), inner.slots.is_empty());
}

#[test]
fn what_is_kept_stays_within_its_bound_and_the_least_used_goes_first() {
    let shelf = Shelf::new(4 * MIB);
    let one = owner(1, 1);
    for number in 0..3 {
        put(&shelf, one, number, MIB);
    }
    assert!(has(&shelf, one, 0), "used again");
    put(&shelf, one, 3, MIB);
    check(&shelf);
    let kept: Vec<_> = (0..4).filter(|number| has(&shelf, one, *number)).collect();
    assert_eq!(kept, [0, 2, 3]);
    assert_eq!(shelf.stock().evicted, 1);
    // The same call anew takes the place of what was kept of it.
    put(&shelf, one, 3, 2 * MIB);
    check(&shelf);
    let kept: Vec<_> = (0..4).filter(|number| has(&shelf, one, *number)).collect();
    assert_eq!(kept, [2, 3]);
}

#[test]
fn one_key_cannot_push_others_out_nor_can_an_account_with_many_keys() {
    let shelf = Shelf::new(8 * MIB);
    let (small, other) = (owner(1, 1), owner(1, 2));
    put(&shelf, small, 0, MIB);
    put(&shelf, other, 0, MIB);
    for number in 0..100 {
        put(&shelf, owner(2, 3), number, MIB);
        check(&shelf);
    }
    assert!(has(&shelf, small, 0) && has(&shelf, other, 0));
    for key in 10..200 {
        put(&shelf, owner(3, key), 0, MIB);
        check(&shelf);
    }
    assert!(has(&shelf, small, 0) && has(&shelf, other, 0));
    // Within an account the key that has most makes room.
    for number in 0..100 {
        put(&shelf, other, number, MIB);
    }
    assert!(has(&shelf, small, 0));
    // And alone, a key may have all of it.
    let shelf = Shelf::new(8 * MIB);
    for number in 0..7 {
        put(&shelf, small, number, MIB);
    }
    assert_eq!(shelf.stock().slots, 7);
}

#[test]
fn what_has_expired_is_not_found_and_is_thrown_away() {
    let shelf = Shelf::new(64 * MIB);
    let one = owner(1, 1);
    for number in 0..1_000 {
        put(&shelf, one, number, 100);
    }
    let digest = call(one, 0);
    assert!(shelf.look(&digest, NOW + 59_999).answer.is_some());
    assert!(shelf.look(&digest, NOW + 60_000).answer.is_none());
    check(&shelf);
    let left = shelf.stock().slots;
    assert!(left < 1_000 && left > 900, "some at a time: {left}");
    shelf.sweep(NOW + 60_000);
    check(&shelf);
    assert_eq!(
        shelf.stock(),
        Stock::default(),
        "nothing was pushed out, and nothing is left"
    );
}

#[test]
fn what_was_asked_before_a_clear_is_not_kept_after_it() {
    let shelf = Shelf::new(64 * MIB);
    let one = owner(1, 1);
    let digest = call(one, 0);
    let before = shelf.look(&digest, NOW).asked;
    let clear = shelf.clear(digest, one, NOW);
    assert!(!shelf.keep((digest, one), before, answer(1), 60));
    assert!(!has(&shelf, one, 0));
    assert!(shelf.keep((digest, one), clear, answer(2), 60));
    assert!(!shelf.keep((digest, one), before, answer(3), 60));
    let (kept, ends_ms) = shelf.look(&digest, NOW).answer.unwrap();
    assert_eq!((kept.text.len(), ends_ms), (2, NOW + 60_000));
    // Of two that asked without one, the later one's is kept.
    let asked = [0; 2].map(|_| shelf.look(&call(one, 1), NOW).asked);
    assert!(shelf.keep((call(one, 1), one), asked[1], answer(1), 60));
    assert!(!shelf.keep((call(one, 1), one), asked[0], answer(1), 60));
    check(&shelf);
    // That a call was cleared is forgotten in the end.
    shelf.clear(digest, one, NOW);
    shelf.sweep(NOW + CLEARED_MS);
    assert_eq!(shelf.stock().bytes, 0);
}

#[test]
fn calls_that_clear_take_no_more_room_than_others() {
    let shelf = Shelf::new(MIB);
    put(&shelf, owner(1, 1), 0, 1_000);
    for number in 0..10_000 {
        shelf.clear(call(owner(2, 2), number), owner(2, 2), NOW);
    }
    check(&shelf);
    assert!(has(&shelf, owner(1, 1), 0));
}
