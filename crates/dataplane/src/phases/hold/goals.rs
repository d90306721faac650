//! What holds must achieve, over the prices of the built-in catalog. The
//! table in `docs/money.md` has what these tests print.

use std::collections::VecDeque;

use bourse_catalog::{Endpoint, Modality, PriceList, Snapshot, embedded::embedded};
use bourse_ledger::books::{Books, Credit, KeyState, Room};
use bourse_ledger::price::{Bounds, price, prompt_tokens_max, upper_bound};
use bourse_policy::{Limit as KeyLimit, SpentByDay};
use bourse_routing::lengths::{Form, Lengths, Need, Sort, Thought};
use bourse_vocab::{
    AccountId, GenerationId, KeyId, Nanos, PicosPerUnit, PromptFacts, Units, Usage,
};

use super::offers::{SHARES, fair_tokens};
use crate::limit::{Limit, whole};
use crate::market::context_length;

const NOW: u64 = 1_795_262_400_000;

/// The same throws for the same seed (splitmix64).
pub struct Dice(
    /// The seed.
    pub u64,
);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `most`.
    pub fn upto(&mut self, most: u64) -> u64 {
        self.next() % most.saturating_add(1)
    }

    /// Once in so many throws.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

/// Every endpoint that costs something, and what its answers are like.
fn priced() -> Vec<(Endpoint, Sort)> {
    let catalog = Snapshot::build(embedded().unwrap(), &[]).unwrap();
    let mut all = Vec::new();
    for model in catalog.models() {
        for endpoint in catalog.endpoints(model.ix) {
            let output = endpoint.output_modalities;
            let draws = output.contains(Modality::Image) || output.contains(Modality::Audio);
            let thinks = model.reasoning.is_some();
            let sort = Sort {
                streamed: false,
                form: if draws { Form::Media } else { Form::Text },
                thought: if thinks {
                    Thought::Usual
                } else {
                    Thought::None
                },
            };
            if endpoint.is_callable() && worth(&endpoint.prices) > 0 {
                all.push((endpoint.clone(), sort));
            }
        }
    }
    all
}

/// What 2 KB of prompt and 400 tokens of answer cost.
fn worth(prices: &PriceList) -> i64 {
    let usage = Usage {
        prompt: 512,
        completion: 400,
        ..Usage::default()
    };
    price(&usage, 0, prices, 0).map_or(0, |charge| charge.total.0)
}

fn text(bytes: u64) -> PromptFacts {
    PromptFacts {
        text_bytes: bytes,
        ..PromptFacts::default()
    }
}

fn cost(facts: &PromptFacts, endpoint: &Endpoint, completion_max: u64, choices: u64) -> Nanos {
    let output = endpoint.output_modalities;
    let bounds = Bounds {
        prompt: facts,
        image_tokens: endpoint.image_tokens,
        completion_max,
        choices,
        context_length: context_length(endpoint),
        media_output: output.contains(Modality::Image) || output.contains(Modality::Audio),
        web_searches: 0,
        units: Units::default(),
    };
    upper_bound(&bounds, &endpoint.prices, 0).unwrap()
}

fn affordable(facts: &PromptFacts, endpoint: &Endpoint, choices: u64, money: Nanos) -> u64 {
    let (mut fits, mut too_many) = (0, whole(endpoint) + 1);
    while too_many - fits > 1 {
        let middle = fits.midpoint(too_many);
        if cost(facts, endpoint, middle, choices) <= money {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    fits
}

/// The hold of a call without a limit, as `Opening` makes it.
fn fair(
    facts: &PromptFacts,
    endpoint: &Endpoint,
    choices: u64,
    room: Room,
    need: Need,
) -> (u64, Nanos) {
    let tokens = fair_tokens(room, need, whole(endpoint), |money| {
        affordable(facts, endpoint, choices, money)
    });
    (tokens, cost(facts, endpoint, tokens, choices))
}

/// A call that a provider works for.
struct Call {
    id: GenerationId,
    account: AccountId,
    facts: PromptFacts,
    endpoint: usize,
    /// Output tokens that the provider keeps to.
    most: u64,
}

/// What a caller and a provider who mean harm, but keep the limit, can make of
/// a call: nearly always all that it may be, in the dearest sorts of tokens.
fn worst(call: &Call, endpoint: &Endpoint, dice: &mut Dice) -> Usage {
    let window = context_length(endpoint);
    let most = prompt_tokens_max(&call.facts, &endpoint.image_tokens, window);
    let prompt = if dice.one_in(4) {
        dice.upto(most)
    } else {
        most
    };
    let completion = if dice.one_in(4) {
        dice.upto(call.most)
    } else {
        call.most
    };
    let cache_read = dice.upto(prompt);
    let marks = call.facts.cache_marks > 0;
    let cache_write = dice.upto(prompt - cache_read);
    let draws = endpoint.output_modalities.contains(Modality::Image);
    let image = if draws { dice.upto(completion) } else { 0 };
    Usage {
        prompt,
        cache_read: if dice.one_in(2) { cache_read } else { 0 },
        cache_write_5m: if marks { 0 } else { cache_write },
        cache_write_1h: if marks { cache_write } else { 0 },
        completion,
        completion_image: image,
        reasoning: dice.upto(completion - image),
        ..Usage::default()
    }
}

const ACCOUNTS: u64 = 64;

/// Purses of all sizes, and callers who empty them.
struct World {
    dice: Dice,
    books: Books,
    endpoints: Vec<(Endpoint, Sort)>,
    open: VecDeque<Call>,
    asked: u64,
    refused: u64,
    /// Calls with a limit of ours.
    set: u64,
    served: u64,
    charged: i128,
    loss: i128,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut dice, books) = (Dice(seed), Books::new());
        for n in 0..ACCOUNTS {
            let credit = Nanos(i64::try_from(dice.upto(100_000_000_000)).unwrap());
            books.set_account(AccountId(n), &Credit::whole(credit, Nanos::ZERO));
            let limit = dice.one_in(2).then_some(KeyLimit {
                amount: Nanos(credit.0 / 2),
                reset: None,
            });
            let key = KeyState {
                account: AccountId(n),
                limit,
                spent: SpentByDay::default(),
                change_seq: 0,
            };
            books.set_key(KeyId(n), &key).unwrap();
        }
        Self {
            dice,
            books,
            endpoints: priced(),
            open: VecDeque::new(),
            asked: 0,
            refused: 0,
            set: 0,
            served: 0,
            charged: 0,
            loss: 0,
        }
    }

    /// Somebody calls.
    fn calls(&mut self) {
        let dice = &mut self.dice;
        let account = dice.upto(ACCOUNTS - 1);
        let at = usize::try_from(dice.next() % self.endpoints.len() as u64).unwrap();
        let mut facts = text(dice.upto(20_000));
        facts.cache_marks = u32::from(dice.one_in(4));
        facts.tools = u32::from(dice.one_in(4));
        facts.files.urls = u32::from(dice.one_in(50));
        facts.is_obscured = dice.one_in(50);
        let choices = 1 + dice.upto(2) / 2;
        self.asked += 1;
        let call = Call {
            id: GenerationId::at_ms(NOW, self.asked.into()),
            account: AccountId(account),
            facts,
            endpoint: at,
            most: choices,
        };
        let Some(limit) = self.hold(&call) else {
            self.refused += 1;
            return;
        };
        self.set += u64::from(matches!(limit, Limit::Set(_)));
        let one = match limit {
            Limit::Asked(tokens) | Limit::Set(tokens) => tokens,
            Limit::Model => whole(&self.endpoints[at].0),
        };
        let most = one * choices;
        self.open.push_back(Call { most, ..call });
    }

    /// Sets money aside as `Opening` does, for as many answers as `most` says.
    fn hold(&mut self, call: &Call) -> Option<Limit> {
        let (endpoint, sort) = &self.endpoints[call.endpoint];
        let (facts, choices) = (&call.facts, call.most);
        let (payer, key) = (call.account, KeyId(call.account.0));
        let hold = |limit: Limit, amount: Nanos, leaving: i64| {
            let amounts = (amount, Nanos(leaving));
            let held = self.books.hold_leaving(payer, key, call.id, amounts, NOW);
            held.ok().map(|()| limit)
        };
        if self.dice.one_in(2) {
            let most = whole(endpoint).min(8_192);
            let asked = 1 + self.dice.upto(most - 1);
            let amount = cost(facts, endpoint, asked, choices);
            return hold(Limit::Asked(asked), amount, 0);
        }
        let model = cost(facts, endpoint, whole(endpoint), choices);
        let leaving = model.0.saturating_mul(SHARES - 1);
        hold(Limit::Model, model, leaving).or_else(|| {
            let room = self.books.room(payer, key, NOW).unwrap();
            let need = Lengths::default().need(*sort);
            let (tokens, amount) = fair(facts, endpoint, choices, room, need);
            hold(Limit::Set(tokens), amount, 0)
        })
    }

    /// One of those that run ends.
    fn ends(&mut self) {
        let dice = &mut self.dice;
        let at = usize::try_from(dice.next() % 200).unwrap();
        let last = self.open.len().saturating_sub(1);
        let Some(call) = self.open.swap_remove_back(at.min(last)) else {
            return;
        };
        let endpoint = &self.endpoints[call.endpoint].0;
        let usage = worst(&call, endpoint, dice);
        let charge = price(&usage, 0, &endpoint.prices, 0).unwrap().total;
        let posted = self.books.post(call.account, call.id, charge).unwrap();
        assert!(charge <= posted.held, "{}: {usage:?}", endpoint.id);
        self.served += 1;
        self.charged += i128::from(charge.0);
        self.loss += i128::from(charge.0) - i128::from(posted.paid.0);
        if dice.one_in(3) {
            // Somebody tops up.
            let balance = self.books.balance(call.account).unwrap();
            let more = Nanos(balance.spent.0 + 10_000_000_000);
            let credit = Credit::whole(more, Nanos::ZERO);
            self.books.set_account(call.account, &credit);
        }
    }
}

#[test]
fn no_call_to_a_provider_that_keeps_its_limit_costs_the_house_anything() {
    const CALLS: u64 = 100_000;
    let mut world = World::new(17);
    while world.served < CALLS {
        world.calls();
        // Up to some hundred run at once, and end in any order.
        if world.open.len() > 200 || world.dice.one_in(2) {
            world.ends();
        }
        assert!(world.asked < 4 * CALLS, "{} answered", world.served);
    }
    let World {
        asked,
        refused,
        set,
        served,
        charged,
        loss,
        ..
    } = world;
    println!(
        "{asked} calls: {served} answered ({set} with a limit of ours), {refused} refused, worth {charged} n$, house loss {loss} n$; rate of loss below 3/{served} (95 %)"
    );
    assert_eq!(loss, 0);
    assert!(set > 1_000, "{set}");
}

fn percentile(sorted: &[i64], of_hundred: usize) -> i64 {
    sorted[(sorted.len() - 1) * of_hundred / 100]
}

#[test]
fn holds_are_at_most_three_times_the_cost_under_a_tight_purse() {
    let endpoints = priced();
    let facts = text(2_048);
    let known = Lengths::default();
    for thought in [Thought::None, Thought::Usual] {
        for _ in 0..64 {
            let sort = Sort {
                thought,
                ..Sort::default()
            };
            known.learn(sort, 400, false);
        }
    }
    let unknown = Lengths::default();
    for (name, lengths) in [("guessed", &unknown), ("learned", &known)] {
        for streamed in [false, true] {
            let mut ratios: Vec<_> = endpoints
                .iter()
                .map(|(endpoint, sort)| {
                    let worth = worth(&endpoint.prices);
                    // Twenty such calls are paid for, and others run.
                    let room = Room {
                        free: Nanos(20 * worth),
                        held: Nanos(worth),
                    };
                    let need = lengths.need(Sort { streamed, ..*sort });
                    let (_, held) = fair(&facts, endpoint, 1, room, need);
                    held.0.saturating_mul(1_000) / worth
                })
                .collect();
            ratios.sort_unstable();
            let [median, p90] = [50, 90].map(|of| percentile(&ratios, of));
            println!(
                "{name}, streamed {streamed}: {} endpoints, hold / cost in thousandths: median {median}, p90 {p90}",
                ratios.len()
            );
            assert!(median <= 3_000, "{name}: {median}");
        }
    }
}

#[test]
fn five_dollars_pay_for_a_call_to_the_dearest_model() {
    // 272,000 tokens of output at 120 dollars a million: 33 dollars.
    let (mut endpoint, _) = priced().swap_remove(0);
    endpoint.max_output = Some(272_000);
    endpoint.context_length = 400_000;
    endpoint.prices = PriceList::default();
    endpoint.prices.base.prompt = PicosPerUnit::parse_usd_per_million("15").ok();
    endpoint.prices.base.completion = PicosPerUnit::parse_usd_per_million("120").ok();
    let facts = text(2_048);
    let sort = Sort {
        thought: Thought::Usual,
        ..Sort::default()
    };
    for held in [Nanos::ZERO, Nanos(1_000_000_000)] {
        let room = Room {
            free: Nanos(5_000_000_000),
            held,
        };
        let need = Lengths::default().need(sort);
        let (tokens, amount) = fair(&facts, &endpoint, 1, room, need);
        println!("{tokens} tokens for {amount}, {held} on hold");
        assert!(amount <= room.free && tokens >= need.most, "{amount}");
    }
}
