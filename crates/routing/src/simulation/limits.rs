//! Providers that carry so much and no more, beside one that carries anything:
//! how often a call meets a refusal, and how much of what is there is used.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// From when on it is looked at, in milliseconds.
const WARM_MS: u64 = 30_000;

/// What a limited provider did.
#[derive(Debug, Default)]
struct Book {
    /// When what it serves is over.
    serves_until: Vec<u64>,
    /// When it took a request.
    taken: Vec<u64>,
    refused: Vec<u64>,
    /// Milliseconds of serving, since it is looked at.
    served_ms: u64,
    /// What ran over the edge of a full bucket since then, in requests times
    /// milliseconds of a minute.
    lost: u64,
}

type Shared = Rc<RefCell<Book>>;

fn well() -> Script {
    Box::new(|_, random| Reply::Answers(random.first_content()))
}

/// Serves so many calls at once and says nothing about it.
fn concurrent(calls: usize) -> (Script, Shared) {
    let book = Shared::default();
    let kept = Rc::clone(&book);
    let script = move |at, random: &mut Random| {
        let mut book = kept.borrow_mut();
        book.serves_until.retain(|until| *until > at);
        if book.serves_until.len() >= calls {
            book.refused.push(at);
            return Reply::Limited(None);
        }
        let ms = random.first_content();
        book.taken.push(at);
        book.serves_until.push(at + ms + ANSWER_MS);
        if at >= WARM_MS {
            book.served_ms += ms + ANSWER_MS;
        }
        Reply::Answers(ms)
    };
    (Box::new(script), book)
}

/// What a provider with a limit of requests a minute says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Nothing but 429.
    Nothing,
    /// When to come again, where it refuses.
    Rest,
    /// That, and with each answer what is left.
    Remainder,
}

/// Takes so many requests a minute: a bucket that refills evenly, as OpenAI's
/// and Anthropic's do.
fn per_minute(requests: u64, says: Says) -> (Script, Shared) {
    let book = Shared::default();
    let kept = Rc::clone(&book);
    // What is missing in the bucket, in requests times milliseconds.
    let missing = RefCell::new((0_u64, 0_u64));
    let script = move |at: u64, random: &mut Random| {
        let (mut book, mut missing) = (kept.borrow_mut(), missing.borrow_mut());
        let refilled = (at - missing.1) * requests;
        if missing.1 >= WARM_MS {
            book.lost += refilled.saturating_sub(missing.0);
        }
        *missing = (missing.0.saturating_sub(refilled), at);
        let over = (missing.0 + 60_000).saturating_sub(requests * 60_000);
        if over > 0 {
            book.refused.push(at);
            let rest_ms = over.div_ceil(requests);
            return Reply::Limited((says != Says::Nothing).then_some(rest_ms));
        }
        missing.0 += 60_000;
        book.taken.push(at);
        let ms = random.first_content();
        let left = requests - missing.0.div_ceil(60_000);
        if says == Says::Remainder && left == 0 {
            let whole_ms = missing.0.div_ceil(requests);
            return Reply::AnswersTheLast(ms, [whole_ms.div_ceil(requests), whole_ms]);
        }
        Reply::Answers(ms)
    };
    (Box::new(script), book)
}

/// What came of a limited provider beside one that carries anything.
#[derive(Debug)]
struct Outcome {
    /// Of its requests that were refused, in ten thousand.
    refused: u64,
    /// Requests that it took.
    taken: u64,
    served_ms: u64,
    lost: u64,
}

/// How many calls arrive, and for how long.
#[derive(Debug, Clone, Copy)]
struct Demand {
    per_second: u64,
    minutes: u64,
}

fn beside_another(
    (limited, book): (Script, Shared),
    demand: Demand,
    seed: u64,
    is_blind: bool,
) -> Outcome {
    let mut world = World::new(seed, vec![limited, well()]);
    world.is_blind = is_blind;
    let Demand {
        per_second,
        minutes,
    } = demand;
    world.run(minutes * 60 * per_second, per_second);
    world.check(seed);
    assert_eq!(world.failed, 0, "seed {seed}: the other one was there");
    let book = book.borrow();
    let late = |times: &[u64]| times.iter().filter(|at| **at >= WARM_MS).count() as u64;
    let (taken, refused) = (late(&book.taken), late(&book.refused));
    Outcome {
        refused: refused * 10_000 / (taken + refused).max(1),
        taken,
        served_ms: book.served_ms,
        lost: book.lost,
    }
}

/// Of calls that are sent to a provider with a limit of concurrency one in a
/// hundred at most is refused, and 95 % of what it carries is used. A rest of a
/// second after each refusal, which is what there was before, uses half.
#[test]
fn a_limit_of_concurrency_is_learned_and_used() {
    let demand = Demand {
        per_second: 150,
        minutes: 3,
    };
    for calls in [2, 5, 10, 30] {
        let play = |seed, is_blind| {
            let outcome = beside_another(concurrent(calls), demand, seed, is_blind);
            let carries = (demand.minutes * 60_000 - WARM_MS) * calls as u64;
            let used = outcome.served_ms * 100 / carries;
            println!(
                "{calls} at once, seed {seed}, blind {is_blind}: {} of 10,000 refused, {used} % used",
                outcome.refused
            );
            (outcome.refused, used)
        };
        let (blind, _) = play(0, true);
        for seed in 0..3 {
            let (refused, used) = play(seed, false);
            assert!(used >= 95, "{calls}, seed {seed}: {used} %");
            assert!(refused <= 100, "{calls}, seed {seed}: {refused}");
            assert!(
                blind > 5 * refused,
                "{calls}, seed {seed}: {blind}, {refused}"
            );
        }
    }
}

/// The same of requests a minute, for whatever the provider says of them: one in
/// 200 at most is refused.
#[test]
fn a_limit_of_requests_a_minute_is_kept_and_used() {
    let few = Demand {
        per_second: 20,
        minutes: 30,
    };
    let many = Demand {
        per_second: 60,
        minutes: 15,
    };
    for (requests, demand, says) in [
        (300, few, Says::Remainder),
        (1_200, many, Says::Remainder),
        (300, few, Says::Rest),
        (1_200, many, Says::Rest),
        (300, few, Says::Nothing),
        (1_200, many, Says::Nothing),
    ] {
        let play = |seed, is_blind| {
            let outcome = beside_another(per_minute(requests, says), demand, seed, is_blind);
            let carries = requests * (demand.minutes * 60_000 - WARM_MS);
            let used = (carries - outcome.lost) * 100 / carries;
            assert!(outcome.taken * 60_000 >= carries * 9 / 10, "{outcome:?}");
            println!(
                "{requests} a minute, {says:?}, seed {seed}, blind {is_blind}: {} of 10,000 refused, {used} % used",
                outcome.refused
            );
            (outcome.refused, used)
        };
        let (blind, _) = play(0, true);
        for seed in 0..2 {
            let (refused, used) = play(seed, false);
            assert!(used >= 95, "{requests}, {says:?}, seed {seed}: {used} %");
            assert!(
                blind > 4 * refused,
                "{requests}, {says:?}: {blind}, {refused}"
            );
            assert!(
                refused <= 50,
                "{requests}, {says:?}, seed {seed}: {refused}"
            );
        }
    }
}

/// A provider alone is asked whatever is believed of it: a call that nobody
/// serves is refused by it and not by a guess.
#[test]
fn whoever_is_alone_is_asked_although_it_is_full() {
    for seed in 0..8 {
        let (limited, book) = concurrent(5);
        let mut world = World::new(seed, vec![limited]);
        world.run(6_000, 100);
        world.check(seed);
        assert_eq!(world.told_to_wait, 0, "seed {seed}");
        assert!(book.borrow().refused.len() > 1_000, "seed {seed}");
    }
}

/// A provider that carries more one day is found out about.
#[test]
fn a_limit_that_was_raised_is_used_again() {
    let (few, many) = (concurrent(5), concurrent(40));
    let (before, after) = (few.0, many.0);
    let script: Script = Box::new(move |at, random| {
        if at < 120_000 {
            before(at, random)
        } else {
            after(at, random)
        }
    });
    let mut world = World::new(3, vec![script, well()]);
    world.run(5 * 60 * 150, 150);
    world.check(3);
    let book = many.1.borrow();
    let last_minute = book.taken.iter().filter(|at| **at >= 240_000).count();
    assert!(last_minute > 60 * 40, "{last_minute} calls");
}
