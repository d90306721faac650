//! A view as lines of text: the same for a terminal and for a pipe.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bourse_vocab::Nanos;
use clap::ValueEnum;

use super::view::{Line, State, Totals, View};

/// A line, and what it says at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// How a line is coloured where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// The names of columns.
    Heading,
    /// Something is on its way back.
    Uneasy,
    /// Something fails.
    Bad,
}

impl Shown {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        // A name or a message from elsewhere must not steer the terminal.
        let text = text.replace(char::is_control, "?");
        Self { text, tone }
    }
}

/// What an endpoint is told by, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Column {
    Endpoint,
    State,
    Requests,
    Errors,
    Limited,
    Flight,
    P50,
    P99,
    Tokens,
    Each,
    Cost,
}

/// Letters of every column but that of the endpoint, which has the rest of
/// the line and at least [`ENDPOINT_MIN`].
const WIDTHS: [usize; 10] = [18, 8, 7, 7, 6, 7, 7, 8, 6, 9];
const ENDPOINT_MIN: usize = 16;

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Endpoint => "ENDPOINT",
            Self::State => "STATE",
            Self::Requests => "REQ/S",
            Self::Errors => "ERR/S",
            Self::Limited => "429/S",
            Self::Flight => "FLIGHT",
            Self::P50 => "P50 MS",
            Self::P99 => "P99 MS",
            Self::Tokens => "TOK/S",
            Self::Each => "EACH",
            Self::Cost => "$/MIN",
        }
    }

    fn cell(self, line: &Line) -> String {
        let known = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
        match self {
            Self::Endpoint => line.endpoint.clone(),
            Self::State => line.state_text.clone(),
            Self::Requests => format!("{:.1}", line.requests_per_s),
            Self::Errors => format!("{:.1}", line.errors_per_s),
            Self::Limited => format!("{:.1}", line.rate_limited_per_s),
            Self::Flight => line.in_flight.to_string(),
            Self::P50 => known(line.first_content_ms.map(|ms| ms.p50)),
            Self::P99 => known(line.first_content_ms.map(|ms| ms.p99)),
            Self::Tokens => format!("{:.0}", line.tokens_per_s),
            Self::Each => known(line.answer_tokens_per_s),
            Self::Cost => money(line.cost_usd_per_min),
        }
    }

    /// What is most comes first, and of what has an order of its own the first.
    fn compare(self, one: &Line, other: &Line) -> Ordering {
        let most = |pick: fn(&Line) -> f64| pick(other).total_cmp(&pick(one));
        match self {
            Self::Endpoint => Ordering::Equal,
            Self::State => other.state.cmp(&one.state),
            Self::Requests => most(|line| line.requests_per_s),
            Self::Errors => most(|line| line.errors_per_s),
            Self::Limited => most(|line| line.rate_limited_per_s),
            Self::Flight => other.in_flight.cmp(&one.in_flight),
            Self::P50 => {
                let p50 = |line: &Line| line.first_content_ms.map(|ms| ms.p50);
                p50(other).cmp(&p50(one))
            }
            Self::P99 => {
                let p99 = |line: &Line| line.first_content_ms.map(|ms| ms.p99);
                p99(other).cmp(&p99(one))
            }
            Self::Tokens => most(|line| line.tokens_per_s),
            Self::Each => other.answer_tokens_per_s.cmp(&one.answer_tokens_per_s),
            Self::Cost => other.cost_usd_per_min.cmp(&one.cost_usd_per_min),
        }
    }
}

/// In which order endpoints are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    column: Column,
    is_reversed: bool,
}

impl Order {
    pub(super) const fn by(column: Column) -> Self {
        Self {
            column,
            is_reversed: false,
        }
    }

    /// The same by the column that is `steps` further right.
    pub(super) fn moved(self, steps: usize) -> Self {
        let all = Column::value_variants();
        let here = all.iter().position(|column| *column == self.column);
        let there = (here.unwrap_or(0) + steps) % all.len().max(1);
        Self::by(all.get(there).copied().unwrap_or(self.column))
    }

    /// By the column before.
    pub(super) fn moved_back(self) -> Self {
        self.moved(Column::value_variants().len().saturating_sub(1))
    }

    /// The other way round.
    pub(super) const fn reversed(self) -> Self {
        Self {
            column: self.column,
            is_reversed: !self.is_reversed,
        }
    }

    /// Sorts the endpoints, and keeps those that contain `filter` in their id
    /// or state. Totals stay those of all.
    pub(super) fn apply(self, view: &mut View, filter: &str) {
        let filter = filter.to_lowercase();
        let contains = |text: &str| text.to_lowercase().contains(&filter);
        view.endpoints
            .retain(|line| contains(&line.endpoint) || contains(&line.state_text));
        view.endpoints.sort_by(|one, other| {
            let by_column = self.column.compare(one, other);
            let order = by_column.then_with(|| one.endpoint.cmp(&other.endpoint));
            if self.is_reversed {
                order.reverse()
            } else {
                order
            }
        });
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.is_reversed { " (reversed)" } else { "" };
        write!(f, "{}{mark}", self.column.heading())
    }
}

/// What is said of all of the server.
pub(super) fn head(view: &View) -> Vec<Shown> {
    let of = &view.totals;
    let simulated = if view.simulated { ", simulated" } else { "" };
    let seconds = view.interval_ms.div_ceil(1_000);
    let limit = of.calls_limit;
    let limit = limit.map_or_else(|| "no limit".to_owned(), |limit| format!("limit {limit}"));
    let (database, is_well) = match (of.database_away_s, of.database_behind_s) {
        (Some(s), _) => (format!("away {s}s"), false),
        (None, Some(s)) => (format!("behind {s}s"), false),
        (None, None) => ("ok".to_owned(), true),
    };
    let tone = |is_well: bool| if is_well { Tone::Plain } else { Tone::Uneasy };
    let mut lines = vec![
        Shown::new(
            format!("bourse at {}{simulated}, over {seconds}s", view.server),
            Tone::Plain,
        ),
        Shown::new(
            format!(
                "calls     {:.1}/s, failed {:.1}/s, shed {:.1}/s; {} in flight ({limit}), {} waiting, \
                 {} drains, delay {}.{:03} ms",
                of.calls_per_s,
                of.failed_per_s,
                of.shed_per_s,
                of.calls_in_flight,
                of.calls_waiting,
                of.drains,
                of.delay_us / 1_000,
                of.delay_us % 1_000,
            ),
            tone(of.shed_per_s == 0.0),
        ),
        in_all(of),
        Shown::new(
            format!(
                "money     cost {} $/min, charged {} $/min, {:.0} tokens/s, {} holds open",
                money(of.cost_usd_per_min),
                money(of.charge_usd_per_min),
                of.tokens_per_s,
                of.holds_open,
            ),
            Tone::Plain,
        ),
        Shown::new(
            format!(
                "journal   {} bytes behind, database {database}",
                of.journal_bytes
            ),
            tone(is_well),
        ),
        Shown::new(
            format!(
                "endpoints {} asked of {} targets: {} broken, {} resting",
                of.asked, of.targets, of.broken, of.resting
            ),
            tone(of.broken == 0),
        ),
    ];
    if let Some(trouble) = &of.trouble {
        lines.push(Shown::new(
            format!("no call is served: {trouble}"),
            Tone::Bad,
        ));
    }
    lines
}

/// A line for each endpoint, below the names of the columns. Where lines have a
/// `width`, ids are cut to it; the rest is left to whoever shows them.
pub(super) fn body(view: &View, width: Option<usize>) -> Vec<Shown> {
    let fixed: usize = WIDTHS.iter().map(|width| width + 1).sum();
    let longest = view
        .endpoints
        .iter()
        .map(|line| line.endpoint.chars().count());
    let longest = longest.max().unwrap_or(0).max(ENDPOINT_MIN);
    let room = width.map_or(longest, |width| {
        width.saturating_sub(fixed).max(ENDPOINT_MIN)
    });
    let heading = row(room.min(longest), Column::heading);
    let lines = view.endpoints.iter().map(|line| {
        let text = row(room.min(longest), |column| column.cell(line));
        let tone = match line.state {
            State::Ok => Tone::Plain,
            State::Full | State::Probe | State::Rest => Tone::Uneasy,
            State::Open => Tone::Bad,
        };
        Shown::new(text, tone)
    });
    let heading = std::iter::once(Shown::new(heading, Tone::Heading));
    heading.chain(lines).collect()
}

fn row<T: AsRef<str>>(endpoint_width: usize, cell: impl Fn(Column) -> T) -> String {
    let mut text = String::new();
    let widths = std::iter::once(endpoint_width).chain(WIDTHS);
    for (column, width) in Column::value_variants().iter().zip(widths) {
        let cell = cell(*column);
        let cell = fitted(cell.as_ref(), width);
        text.push_str(&match column {
            Column::Endpoint => format!("{cell:<width$}"),
            Column::State => format!(" {cell:<width$}"),
            _ => format!(" {cell:>width$}"),
        });
    }
    text
}

/// A text of at most `width` letters; a `~` stands for what does not fit.
pub(super) fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    kept.chain(std::iter::once('~')).take(width).collect()
}

/// What there was since the server began, and is not said by rates.
fn in_all(of: &Totals) -> Shown {
    let text = format!(
        "in all    shed {}; hedges {}; continuations {}",
        counts(&of.sheds),
        counts(&of.hedges),
        counts(&of.continuations),
    );
    Shown::new(text, Tone::Plain)
}

/// How many there were in all, and of what, where there were any.
fn counts(of: &BTreeMap<String, u64>) -> String {
    let sum: u64 = of.values().sum();
    let some = of.iter().filter(|(_, count)| **count > 0);
    let some: Vec<_> = some
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    match &*some.join(", ") {
        "" => "0".to_owned(),
        parts => format!("{sum} ({parts})"),
    }
}

/// Dollars to a hundredth of a cent.
fn money(amount: Nanos) -> String {
    let parts = (amount.0.max(0) + 50_000) / 100_000;
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}
