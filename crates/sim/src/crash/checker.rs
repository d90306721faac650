//! Compares what clients saw, what providers did and what the books say.
//!
//! Three witnesses, none of which trusts another: the client that made a
//! call, the simulated provider that answered it, and the exported books.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use crate::crash::ACCOUNT;
use crate::crash::call::{Asked, End, Leave, Mark, Seen};
use crate::crash::market::{Manner, Offer, TOKEN_MS};
use crate::crash::report::Report;
use crate::log::{Entry, Outcome};

/// Bytes of a text or a request that the server counts as a token where no
/// provider counts (docs/money.md: "what was delivered").
const ESTIMATE_BYTES_PER_TOKEN: u64 = 4;
/// A word of the simulator is one token and at most so many bytes, so the
/// server's estimate is at most three times the provider's count.
const WORD_BYTES_MAX: u64 = 12;
/// Differences that are told; a broken run has thousands.
const TOLD_MAX: usize = 20;

/// A row of the exported books.
#[derive(Debug, Clone)]
pub struct Row {
    id: String,
    account: String,
    key: u64,
    model: String,
    provider: String,
    mark: Option<Mark>,
    charge: i64,
    paid: i64,
    prompt: u64,
    completion: u64,
    voided: bool,
    restart: bool,
    estimated: bool,
}

impl Row {
    /// Reads a line of `bourse ledger export --json`.
    ///
    /// # Errors
    /// The line, if it is not one.
    pub fn read(line: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        let text = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let money = |name: &str| super::nanos(&text(name)).ok_or_else(|| format!("{name}: {line}"));
        let tokens = |name: &str| {
            value
                .pointer(&format!("/tokens/{name}"))
                .and_then(Value::as_u64)
                .unwrap_or(0)
        };
        Ok(Self {
            id: text("id"),
            account: text("account"),
            // A text: JSON's readers do not agree on numbers of 63 bits.
            key: text("key").parse().map_err(|_| format!("key: {line}"))?,
            model: text("model"),
            provider: text("provider"),
            mark: Mark::find(&text("user")),
            charge: money("charge")?,
            paid: money("paid")?,
            prompt: tokens("prompt"),
            completion: tokens("completion"),
            voided: text("ending") == "voided",
            restart: text("native_finish") == "restart",
            estimated: value
                .pointer("/flags/estimated")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        })
    }

    /// Names the call.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the customer paid, in nano-dollars.
    #[must_use]
    pub const fn paid(&self) -> i64 {
        self.paid
    }

    /// Which key made it.
    #[must_use]
    pub const fn key(&self) -> u64 {
        self.key
    }
}

/// What the server counts of what a client received, by its length alone:
/// so it is also counted once the endpoint has given more than its limit.
fn counted(seen: &Seen) -> u64 {
    let by_bytes = seen.content_bytes.div_ceil(ESTIMATE_BYTES_PER_TOKEN);
    by_bytes.max(seen.pieces)
}

/// What the server counts as delivered of what a client received.
///
/// Texts are not four bytes a token, so a count that is somewhat beyond the
/// limit of the answer is the limit.
fn delivered(seen: &Seen) -> u64 {
    let counted = counted(seen);
    let asked = &seen.asked;
    match asked.max_tokens.or(asked.model.max_output) {
        Some(limit) if counted <= limit.saturating_mul(2) => counted.min(limit),
        _ => counted,
    }
}

/// The least that it counts of it for a client that left: it knows by then how
/// long the words are, and a piece is one at least.
fn delivered_least(seen: &Seen) -> u64 {
    let asked = &seen.asked;
    let limit = asked.max_tokens.or(asked.model.max_output);
    seen.pieces
        .min(limit.unwrap_or(u64::MAX))
        .min(delivered(seen))
}

/// The time that the provider took for the last `tokens` of what was
/// delivered; a piece is one word, which may count as more than one token.
fn time_of(seen: &Seen, tokens: u64) -> Duration {
    let pieces = (tokens * seen.pieces).div_ceil(delivered(seen).max(1));
    Duration::from_millis(pieces * TOKEN_MS)
}

/// Differences between the witnesses.
#[derive(Debug, Default)]
pub struct Differences {
    told: Vec<String>,
    count: u64,
}

impl Differences {
    /// Notes one.
    pub fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what());
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// That there is none.
    ///
    /// # Errors
    /// How many there are, and the first of them.
    pub fn none(&self) -> Result<(), String> {
        match self.count {
            0 => Ok(()),
            count => Err(format!(
                "{count} differences, of which:\n  {}",
                self.told.join("\n  ")
            )),
        }
    }
}

/// Everything between two moments at which nothing ran.
#[derive(Debug)]
pub struct Span<'a> {
    /// What clients saw.
    pub calls: &'a [Seen],
    /// What the books say.
    pub rows: &'a [Row],
    /// What the providers did.
    pub entries: &'a [Entry],
    /// Calls sent in this round or later met no kill.
    pub calm_round: u32,
    /// Rounds that ended with a gentle stop.
    pub gentle: &'a HashSet<u32>,
}

impl Span<'_> {
    /// Whether the books have every call that a client saw finished. The
    /// database takes them over a moment later.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let ids: HashSet<&str> = self.rows.iter().map(Row::id).collect();
        self.calls
            .iter()
            .filter(|seen| seen.end == End::Complete)
            .all(|seen| seen.id.as_deref().is_some_and(|id| ids.contains(id)))
    }

    /// Compares everything.
    pub fn check(&self, report: &mut Report, differences: &mut Differences) {
        let mut attempts: HashMap<Mark, Vec<&Entry>> = HashMap::new();
        for entry in self.entries {
            if let Some(mark) = entry.body.as_deref().and_then(Mark::find) {
                attempts.entry(mark).or_default().push(entry);
            }
        }
        let by_id: HashMap<&str, &Seen> = self
            .calls
            .iter()
            .filter_map(|seen| Some((seen.id.as_deref()?, seen)))
            .collect();
        let by_mark: HashMap<Mark, &Seen> = self
            .calls
            .iter()
            .map(|seen| (seen.asked.mark, seen))
            .collect();
        let mut billed: HashMap<Mark, &Row> = HashMap::new();
        for row in self.rows {
            report.charged_nanos += row.paid;
            let seen = by_id
                .get(row.id())
                .or_else(|| by_mark.get(row.mark.as_ref()?))
                .copied();
            let Some(seen) = seen else {
                if row.restart {
                    // Closed by its checkpoint before its head reached anyone.
                    report.unseen_calls += 1;
                    report.unseen_nanos += row.paid;
                } else {
                    differences.add(|| format!("a call in the books that nobody made: {row:?}"));
                }
                continue;
            };
            if row.mark.is_some_and(|mark| mark != seen.asked.mark) {
                differences.add(|| format!("two calls with one id: {row:?} {seen:?}"));
            }
            if let Some(other) = billed.insert(seen.asked.mark, row) {
                differences.add(|| format!("billed twice: {other:?} {row:?} {seen:?}"));
            }
        }
        for seen in self.calls {
            let of_call = attempts
                .get(&seen.asked.mark)
                .map_or(&[][..], Vec::as_slice);
            if of_call.len() > 1 {
                report.failovers += 1;
            }
            let row = billed.get(&seen.asked.mark).copied();
            if let Err(why) = self.check_call(seen, row, of_call, report) {
                let brief: Vec<_> = of_call
                    .iter()
                    .map(|e| (&e.provider, e.outcome, e.sent_tokens, &e.truth))
                    .collect();
                differences.add(|| format!("{why}\n    {seen:?}\n    {row:?}\n    {brief:?}"));
            }
        }
        let nameless = |seen: &&Seen| seen.id.is_none() && matches!(seen.end, End::Cut | End::Left);
        let nameless = self.calls.iter().filter(nameless).count() as u64;
        if report.unseen_calls > nameless + report.unseen_allowed {
            differences.add(|| "more unseen calls in the books than were made".to_owned());
        }
        report.unseen_allowed += nameless;
    }

    fn check_call(
        &self,
        seen: &Seen,
        row: Option<&Row>,
        attempts: &[&Entry],
        report: &mut Report,
    ) -> Result<(), &'static str> {
        report.count(seen.end);
        let asked = &seen.asked;
        if let Some(row) = row {
            billed_rightly(asked, row)?;
        }
        let row = row.filter(|row| !row.voided);
        match seen.end {
            End::Unsent => must(row.is_none(), "billed for a call that was never sent"),
            End::Dressed => Err("an answer without cost and without an error"),
            End::Refused(status) => {
                must(row.is_none(), "billed for a refusal")?;
                must(
                    status >= 500 || (status == 402 && asked.poor),
                    "refused although nothing was wrong with the call",
                )
            }
            End::Complete => complete(seen, row, attempts),
            End::Broke => match row {
                Some(row) => {
                    must(
                        row.estimated,
                        "a broken answer that is not flagged as estimated",
                    )?;
                    by_estimate(seen, row)
                }
                None => must(seen.content_bytes == 0, "content that was not charged"),
            },
            End::Left => self.left(seen, row, attempts, report),
            End::Cut => self.cut(seen, row, attempts, report),
        }
    }

    /// A client that left before the end.
    fn left(
        &self,
        seen: &Seen,
        row: Option<&Row>,
        attempts: &[&Entry],
        report: &mut Report,
    ) -> Result<(), &'static str> {
        let Some(row) = row else {
            let calm = seen.round >= self.calm_round && seen.content_bytes > 0;
            return must(!calm, "a client left with content and was not charged");
        };
        let offers = seen.asked.model.offers;
        if row.restart {
            return stopped_midway(seen, row, attempts, report);
        }
        if !row.estimated {
            return by_truth(row, offers, attempts);
        }
        must(
            row.completion >= delivered_least(seen),
            "a client that left was charged for less than it received",
        )?;
        at_most_sent(row, offers, attempts, false)
    }

    /// A call that the server's end cut off.
    fn cut(
        &self,
        seen: &Seen,
        row: Option<&Row>,
        attempts: &[&Entry],
        report: &mut Report,
    ) -> Result<(), &'static str> {
        must(
            seen.round < self.calm_round,
            "cut off although the server ran",
        )?;
        must(
            seen.error.is_empty(),
            "no end within the time a call may take",
        )?;
        let offers = seen.asked.model.offers;
        let is_gentle = self.gentle.contains(&seen.round);
        match row {
            // A server that is asked to stop settles what was delivered.
            None if is_gentle && seen.content_bytes > 0 => {
                Err("cut off by a gentle stop, and not charged")
            }
            Some(row) if is_gentle && row.restart => {
                Err("left by a gentle stop for the next start to settle")
            }
            None => {
                let tokens = delivered(seen);
                report.unbilled(tokens, offers, time_of(seen, tokens));
                Ok(())
            }
            Some(row) if row.restart => stopped_midway(seen, row, attempts, report),
            // Settled, and killed before the last bytes were out.
            Some(row) if row.estimated => {
                report.lost_answers += 1;
                at_most_sent(row, offers, attempts, false)
            }
            Some(row) => {
                report.lost_answers += 1;
                by_truth(row, offers, attempts)
            }
        }
    }
}

fn must(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

/// What holds for every row of the books.
fn billed_rightly(asked: &Asked, row: &Row) -> Result<(), &'static str> {
    must(row.model == asked.model.slug, "billed for another model")?;
    must(row.account == ACCOUNT, "billed to another account")?;
    must(row.paid <= row.charge, "paid more than the charge")?;
    must(
        row.paid == row.charge || asked.poor,
        "paid less than the charge although there was money",
    )?;
    must(
        !row.voided || row.paid == 0,
        "paid for a call that was voided",
    )
}

/// A call whose client has seen its end.
fn complete(seen: &Seen, row: Option<&Row>, attempts: &[&Entry]) -> Result<(), &'static str> {
    let row = row.ok_or("a finished call that is not in the books")?;
    must(
        seen.id.as_deref() == Some(row.id()),
        "another id in the books",
    )?;
    // Where there was too little money, that is less than the charge.
    must(seen.cost == Some(row.paid), "paid other than was shown")?;
    must(
        seen.tokens == Some((row.prompt, row.completion)),
        "other tokens in the books than were shown",
    )?;
    match seen.asked.model.manner {
        Manner::Mute => by_estimate(seen, row),
        Manner::Lies => {
            must(
                row.charge > 0,
                "an answer with impossible usage that cost nothing",
            )?;
            must(
                row.completion >= seen.pieces.min(1),
                "charged for no output",
            )?;
            at_most_sent(row, seen.asked.model.offers, attempts, false)
        }
        _ => by_truth(row, seen.asked.model.offers, attempts),
    }
}

fn offer_of<'a>(row: &Row, offers: &'a [Offer]) -> Result<&'a Offer, &'static str> {
    offers
        .iter()
        .find(|offer| offer.provider == row.provider)
        .ok_or("billed for a provider that does not offer the model")
}

/// The charge is what the answer truly costs.
fn by_truth(row: &Row, offers: &[Offer], attempts: &[&Entry]) -> Result<(), &'static str> {
    let offer = offer_of(row, offers)?;
    let truth = attempts
        .iter()
        .filter(|entry| entry.provider.as_deref() == Some(offer.provider))
        .filter(|entry| entry.outcome != Outcome::Failed)
        .find_map(|entry| entry.truth.as_ref())
        .ok_or("billed for a provider that was not asked")?;
    if (row.prompt, row.completion) != (truth.prompt_tokens, truth.completion_tokens) {
        return Err("other tokens in the books than the provider counted");
    }
    if row.charge != offer.price(truth.prompt_tokens, truth.completion_tokens) {
        return Err("the charge is not the price of the tokens");
    }
    Ok(())
}

/// The charge is the price of what the client received, by the server's count.
fn by_estimate(seen: &Seen, row: &Row) -> Result<(), &'static str> {
    let asked = &seen.asked;
    let offer = offer_of(row, asked.model.offers)?;
    let said = asked.messages().to_string();
    let prompt = (said.len() as u64).div_ceil(ESTIMATE_BYTES_PER_TOKEN);
    if row.prompt != prompt {
        return Err("the input was estimated otherwise than documented");
    }
    if ![delivered(seen), counted(seen)].contains(&row.completion) {
        return Err("charged for other than what was delivered");
    }
    if row.charge != offer.price(row.prompt, row.completion) {
        return Err("the charge is not the price of the estimate");
    }
    Ok(())
}

/// The charge is at most the price of what the provider sent, and the price of
/// what was counted of it, unless it `is_bounded` by what was set aside.
fn at_most_sent(
    row: &Row,
    offers: &[Offer],
    attempts: &[&Entry],
    is_bounded: bool,
) -> Result<(), &'static str> {
    let offer = offer_of(row, offers)?;
    let sent: u64 = attempts
        .iter()
        .filter(|entry| entry.provider.as_deref() == Some(offer.provider))
        .map(|entry| entry.sent_tokens)
        .sum();
    if row.completion > sent * WORD_BYTES_MAX / ESTIMATE_BYTES_PER_TOKEN {
        return Err("charged for more than the provider sent");
    }
    let price = offer.price(row.prompt, row.completion);
    if row.charge != price && !(is_bounded && row.charge < price) {
        return Err("the charge is not the price of the estimate");
    }
    Ok(())
}

/// Settled at the next start, by the last checkpoint: at most what the client
/// received, and not much less.
fn stopped_midway(
    seen: &Seen,
    row: &Row,
    attempts: &[&Entry],
    report: &mut Report,
) -> Result<(), &'static str> {
    // A piece of an answer may bring more than whoever has little could set
    // aside. A start charges no more than that (`ledger/src/recover.rs`).
    at_most_sent(row, seen.asked.model.offers, attempts, seen.asked.poor)?;
    report.by_checkpoint += 1;
    // A client that left by itself did not read to the end.
    if seen.end == End::Cut || seen.asked.leave == Leave::Never {
        let received = counted(seen);
        if row.completion > received {
            report.beyond_received_max = report.beyond_received_max.max(row.completion - received);
            return Err("charged for more than the client received");
        }
        let tokens = delivered(seen).saturating_sub(row.completion);
        report.unbilled(tokens, seen.asked.model.offers, time_of(seen, tokens));
    }
    Ok(())
}
