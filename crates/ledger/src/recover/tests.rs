use bourse_vocab::GenerationId;

use super::*;
use crate::record::{Checkpoint, Cost, Dispatch, Extend, Hold, Payer, Settle, VoidReason};

const ACCOUNT: AccountId = AccountId(1);
const KEY: KeyId = KeyId(1);

fn id(n: u128) -> GenerationId {
    GenerationId::new(1_795_000_000, n)
}

fn replay() -> Replay {
    let mut replay = Replay::default();
    replay.account(ACCOUNT, Credit::whole(Nanos(1_000), Nanos(100)));
    replay.key(
        KEY,
        KeyState {
            account: ACCOUNT,
            limit: None,
            spent: SpentByDay::default(),
            change_seq: 0,
        },
    );
    replay
}

fn hold(n: u128, amount: i64) -> Record<'static> {
    Record::Hold(Hold {
        id: id(n),
        account: ACCOUNT,
        key: KEY,
        amount: Nanos(amount),
        at_ms: 1,
        model: "a/m",
        provider: "p",
        endpoint: "e",
    })
}

#[test]
fn what_was_settled_is_spent_and_what_was_not_is_returned_to_be_closed() {
    let mut replay = replay();
    replay.push(&hold(1, 50));
    replay.push(&hold(2, 60));
    replay.push(&hold(3, 70));
    let settle = |n, paid| {
        Record::Settle(Settle {
            key: KEY,
            held: Nanos(50),
            paid: Nanos(paid),
            settlement: Settlement {
                id: id(n),
                account: ACCOUNT,
                at_ms: 5,
                charge: Nanos(paid),
                costs: Vec::new(),
                possible: Vec::new(),
                facts: Facts::default(),
            },
        })
    };
    replay.push(&settle(1, 30));
    replay.push(&settle(1, 30));
    replay.push(&Record::Extend(Extend {
        id: id(2),
        extra: Nanos(5),
    }));
    assert_eq!(replay.repeated(), 1);
    let (books, open) = replay.finish().unwrap();
    let balance = books.balance(ACCOUNT).unwrap();
    assert_eq!((balance.spent, balance.held), (Nanos(130), Nanos(135)));
    let amounts: Vec<_> = open.iter().map(|hold| hold.amount).collect();
    assert_eq!(amounts, [Nanos(65), Nanos(70)]);
    for hold in &open {
        match close(hold, 9) {
            Closing::Void(voiding) => books.void(voiding.account, voiding.id).map(|_| ()).unwrap(),
            Closing::Settle(_) => panic!("nothing was delivered"),
        }
    }
    assert_eq!(books.balance(ACCOUNT).unwrap().held, Nanos::ZERO);
    assert_eq!(
        books.key_balance(ACCOUNT, KEY, 9).unwrap().spent.total,
        Nanos(30)
    );
}

#[test]
fn a_call_without_a_checkpoint_is_free_and_a_question_for_each_provider() {
    let mut replay = replay();
    replay.push(&hold(1, 50));
    let (id, model, provider, endpoint) = (id(1), "a/m", "q", "f");
    replay.push(&Record::Dispatch(Dispatch {
        id,
        model,
        provider,
        endpoint,
    }));
    let (_, open) = replay.finish().unwrap();
    let Closing::Void(voiding) = close(&open[0], 9) else {
        panic!("settled")
    };
    assert_eq!(
        (voiding.reason, voiding.costs.len()),
        (VoidReason::Restart, 0)
    );
    let possible: Vec<_> = voiding
        .possible
        .iter()
        .map(|cost| (cost.provider, cost.amount.0))
        .collect();
    assert_eq!(possible, [("p", 50), ("q", 50)]);
}

#[test]
fn a_call_with_a_checkpoint_is_settled_by_it_and_at_most_its_hold() {
    for (charge, pays) in [(30, 30), (80, 50)] {
        let mut replay = replay();
        replay.push(&hold(1, 50));
        let checkpoint = Checkpoint {
            id: id(1),
            charge: Nanos(charge),
            upstream: Nanos(25),
            prompt: 7,
            completion: 9,
        };
        // By itself or in a list, after another of its own and others'.
        let of = |n, charge| Checkpoint {
            id: id(n),
            charge: Nanos(charge),
            ..checkpoint
        };
        let list = [of(7, 1), of(1, 1), checkpoint];
        replay.push(&Record::Checkpoints(list.to_vec()));
        assert_eq!(replay.repeated(), 1, "there is no call 7");
        replay.push(&Record::Checkpoint(checkpoint));
        let (_, open) = replay.finish().unwrap();
        let Closing::Settle(settlement) = close(&open[0], 9) else {
            panic!("voided")
        };
        assert_eq!((settlement.charge, settlement.at_ms), (Nanos(pays), 9));
        let expected = [Cost {
            provider: "p",
            amount: Nanos(25),
            payer: Payer::Customer,
        }];
        assert_eq!(settlement.costs, expected);
        assert!(settlement.facts.flags.estimated);
        let settled = Record::Settle(Settle {
            key: KEY,
            held: Nanos(50),
            paid: settlement.charge,
            settlement: (*settlement).clone(),
        });
        let charge = crate::record::recompute(&settled).unwrap();
        assert_eq!(charge.total, Nanos(pays));
        assert_eq!(settlement.facts.counts.get(Count::Completion), 9);
    }
}
