use bourse_vocab::quality::Tier;

use super::*;

const PROVIDERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Endpoints of one model, each of another provider, with `tokens` a second and
/// `bad` of 1000 answers.
fn known(numbers: &[(u64, u64)]) -> Vec<Known<'static>> {
    let each = PROVIDERS.into_iter().zip(numbers);
    let known = each.map(|(provider, (tokens, bad))| Known {
        provider,
        throughput: Some((*tokens, ANSWERS_MIN)),
        tools: ToolAnswers {
            all: 1_000,
            bad: *bad,
        },
    });
    known.collect()
}

#[test]
fn whoever_is_far_below_the_others_is_deprioritised_and_says_why() {
    let rated = rate(&known(&[
        (100, 5),
        (104, 8),
        (98, 3),
        (30, 6),
        (101, 200),
        (20, 300),
        (500, 0),
        (95, 10),
    ]));
    let tiers: Vec<_> = rated.iter().map(|one| one.tier()).collect();
    use Tier::{Deprioritised as Last, Good};
    assert_eq!(tiers, [Good, Good, Good, Last, Last, Last, Good, Good]);
    let why: Vec<_> = rated.iter().map(|one| one.why().join(" ")).collect();
    assert_eq!(
        why[3..6],
        ["throughput", "tool_calls", "throughput tool_calls"]
    );
}

#[test]
fn equals_are_all_good() {
    for numbers in [[(100, 0); 8], [(1, 1_000); 8], [(0, 0); 8]] {
        assert_eq!(rate(&known(&numbers)), [Quality::Good; 8]);
    }
    // A hair's breadth, and what chance explains.
    let rated = rate(&known(&[(100, 0), (100, 0), (100, 0), (90, 1)]));
    assert_eq!(rated, [Quality::Good; 4]);
}

/// Each floor, with an endpoint that is far below all others.
#[test]
fn below_the_floors_nobody_is_judged() {
    let numbers = [(100, 0), (100, 0), (100, 0), (10, 500)];
    let bad = Quality::SlowAndCareless;
    assert_eq!(rate(&known(&numbers))[3], bad);
    assert_eq!(rate(&known(&numbers[..3])), [Quality::Unknown; 3]);
    let mut two_of_one = known(&numbers);
    two_of_one[1].provider = "a";
    assert_eq!(rate(&two_of_one), [Quality::Unknown; 4]);

    let mut few = known(&numbers);
    few[3].throughput = Some((10, ANSWERS_MIN - 1));
    // Three are left of whom a throughput is known.
    assert_eq!(rate(&few)[3], Quality::Careless);
    few[3].tools.all = TOOL_ANSWERS_MIN - 1;
    assert_eq!(rate(&few), [Quality::Unknown; 4]);
    let mut nothing = known(&[(100, 0); 5]);
    nothing[4].throughput = None;
    nothing[4].tools = ToolAnswers::default();
    let rated = rate(&nothing);
    assert_eq!(rated[4], Quality::Unknown);
    assert_eq!(rated[..4], [Quality::Good; 4]);
    assert_eq!(rate(&[]), []);
}
