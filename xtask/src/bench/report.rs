//! The table, for people at a terminal and for `docs/benchmarks.md`.

use std::fs;
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::measure::{Samples, Size, float};
use super::rows::Row;
use super::subject::Kind;

const HEADINGS: [&str; 10] = [
    "",
    "unit",
    "direct",
    "nginx",
    "hyper",
    "before",
    "Bourse",
    "÷ before",
    "÷ nginx",
    "goal",
];
/// Columns that are left out where no earlier Bourse was measured.
const BEFORE: [usize; 2] = [5, 7];

/// What was run, and where.
pub struct About {
    pub command: String,
    /// What the binaries are, as a sentence.
    pub binaries: Option<String>,
    pub commit: String,
    pub size: Size,
    /// Cores that were busy before the measurement began.
    pub busy: f64,
}

fn number(value: f64, row: Row) -> String {
    format!("{value:.*}", row.decimals())
}

/// The headings and the lines of the table as text.
fn table_texts(samples: &Samples) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let has_before = samples.has(Kind::Before);
    let shown = |column: &usize| has_before || !BEFORE.contains(column);
    let keep = |cells: Vec<String>| -> Vec<String> {
        let cells = cells.into_iter().enumerate();
        let kept = cells.filter(|(column, _)| shown(column));
        kept.map(|(_, cell)| cell).collect()
    };
    let headings = HEADINGS.into_iter().enumerate();
    let headings = headings.filter(|(column, _)| shown(column));
    (
        headings.map(|(_, heading)| heading).collect(),
        lines(samples).into_iter().map(keep).collect(),
    )
}

/// Every column of every line.
fn lines(samples: &Samples) -> Vec<Vec<String>> {
    let rows = Row::ALL.into_iter().filter(|row| {
        Kind::ALL
            .into_iter()
            .any(|kind| samples.median(*row, kind).is_some())
    });
    rows.map(|row| {
        let shown = |kind| {
            samples
                .median(row, kind)
                .map_or_else(|| "–".to_owned(), |v| number(v, row))
        };
        let ratio = |to| match (samples.median(row, Kind::Bourse), samples.median(row, to)) {
            (Some(bourse), Some(other)) if other > 0.0 => format!("{:.2}", bourse / other),
            _ => "–".to_owned(),
        };
        let goal = row
            .verdict(|row, kind| samples.median(row, kind))
            .map_or_else(String::new, |verdict| {
                let mark = if verdict.met { "met" } else { "MISSED" };
                format!("{} = {}: {mark}", verdict.goal, number(verdict.limit, row))
            });
        vec![
            row.title().to_owned(),
            row.unit().to_owned(),
            shown(Kind::Direct),
            shown(Kind::Nginx),
            shown(Kind::Hyper),
            shown(Kind::Before),
            shown(Kind::Bourse),
            ratio(Kind::Before),
            ratio(Kind::Nginx),
            goal,
        ]
    })
    .collect()
}

/// For a terminal.
pub fn table(samples: &Samples) -> String {
    let (headings, lines) = table_texts(samples);
    let last = headings.len().saturating_sub(1);
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(headings);
    for line in lines {
        table.add_row(line.into_iter().enumerate().map(|(column, text)| {
            let figure = (2..last).contains(&column);
            let side = if figure {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            Cell::new(text).set_alignment(side)
        }));
    }
    table.to_string()
}

/// How many goals were met, and of how many.
pub fn tally(samples: &Samples) -> (usize, usize) {
    let verdicts = Row::ALL
        .into_iter()
        .filter_map(|row| row.verdict(|row, kind| samples.median(row, kind)));
    verdicts.fold((0, 0), |(met, all), verdict| {
        (met + usize::from(verdict.met), all + 1)
    })
}

/// What a small request costs in each of Bourse's threads, as a sentence.
pub fn threads(samples: &Samples) -> String {
    let threads: Vec<String> = samples
        .threads()
        .into_iter()
        .filter(|(_, us)| *us >= 0.05)
        .map(|(name, us)| format!("{name} {us:.1}"))
        .collect();
    format!(
        "A request of 1.4 KB at 32 connections, by thread of Bourse, in µs CPU: {}.",
        threads.join(", ")
    )
}

/// The page.
pub fn page(samples: &Samples, about: &About) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n\
         <!-- Written by `./dev bench`; run it again rather than edit. -->\n\n",
    );
    let (met, all) = tally(samples);
    page.push_str(&format!(
        "Measured {} at {} with `{}` on {}. {met} of {all} goals met.\n\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        about.commit,
        about.command,
        machine()
    ));
    if let Some(binaries) = &about.binaries {
        page.push_str(&format!("{binaries}\n\n"));
    }
    if is_busy(about.busy) {
        page.push_str(&format!(
            "The machine was busy with other work ({:.1} cores), so figures are too high.\n\n",
            about.busy
        ));
    }
    let (headings, lines) = table_texts(samples);
    page.push_str(&format!("| {} |\n", headings.join(" | ")));
    let figures = "--:|".repeat(headings.len().saturating_sub(3));
    page.push_str(&format!("|---|---|{figures}---|\n"));
    for line in lines {
        page.push_str(&format!("| {} |\n", line.join(" | ")));
    }
    page.push_str(&format!(
        "\nMedians of {} repetitions in which the subjects take turns. Smallest and largest:\n\n",
        about.size.repetitions
    ));
    page.push_str("| | nginx | hyper | before | Bourse |\n|---|--:|--:|--:|--:|\n");
    for row in Row::ALL {
        let range = |kind| {
            samples.range(row, kind).map_or_else(
                || "–".to_owned(),
                |(low, high)| format!("{} … {}", number(low, row), number(high, row)),
            )
        };
        if samples.range(row, Kind::Bourse).is_some() {
            page.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                row.title(),
                range(Kind::Nginx),
                range(Kind::Hyper),
                range(Kind::Before),
                range(Kind::Bourse)
            ));
        }
    }
    page.push_str(&format!("\n{}\n", threads(samples)));
    page.push_str(HOW_TO_READ);
    page
}

const HOW_TO_READ: &str = "\n## How to read this\n\n\
         - *µs CPU* is the CPU time of the gateway's process, all threads and children, user and \
         system, as the scheduler counts it in `/proc/PID/task/*/schedstat`, divided by requests \
         or chunks. Work that a gateway does after its answers (Bourse: journal, database) counts: \
         the clock stops when the process is at rest.\n\
         - *direct* is the load talking to the simulated provider itself. *nginx* has one worker, \
         keeps connections on both sides, and neither buffers nor logs. *hyper* is \
         `crates/sim/examples/hyper_passthrough.rs`, a proxy as anybody would write it. *Bourse* \
         is the release binary with everything on: keys, routing, a hold before each call, \
         journal, settlement, metrics, with a catalog of thousands of endpoints loaded. *before* \
         is another release binary, an earlier one if nothing else is said above, where \
         `--before FILE` gave one.\n\
         - A chunk's cost is what a stream of 200 chunks costs beyond a stream of one, divided by \
         199. Paced streams, 200 at once, start a millisecond apart.\n\
         - Added latency is a percentile through the gateway minus the same percentile without \
         it, in the same repetition; requests leave at a fixed rate whatever the answers do.\n\
         - Memory is resident memory, of nginx the sum of master and worker, which share pages. \
         MB are 10⁶ bytes.\n\
         - Start to serving is from starting the program to the first 200 of `/healthz`.\n\
         - Load, provider and gateway share the machine's cores over the loopback, so answers per \
         second say what the whole machine does, not what a gateway could do alone.\n\
         - After the run `bourse ledger verify` recomputed every balance from the journal and found \
         no difference.\n\n\
         `./dev bench --quick` takes a minute and writes nothing; `--only NAME` runs one part; \
         `--perf` shows where Bourse spends its time.\n";

/// Looks for a second how many cores are busy with other work.
pub fn busy_cores() -> f64 {
    let before = busy_and_all_ticks();
    std::thread::sleep(Duration::from_secs(1));
    let after = busy_and_all_ticks();
    let all = float(after.1.saturating_sub(before.1).max(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    float(after.0.saturating_sub(before.0)) / all * float(cores as u64)
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq,
/// softirq, steal (proc(5)).
fn busy_and_all_ticks() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_ascii_whitespace().skip(1).take(8);
    let ticks = ticks.map(|ticks| ticks.parse::<u64>().unwrap_or_default());
    ticks.enumerate().fold((0, 0), |(busy, all), (at, ticks)| {
        let idle = at == 3 || at == 4;
        (busy + if idle { 0 } else { ticks }, all + ticks)
    })
}

/// Whether other work disturbs: caches are shared, and so are cores.
pub fn is_busy(cores: f64) -> bool {
    cores > 0.2
}

/// Processor and cores.
fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(
            || std::env::consts::ARCH.to_owned(),
            |(_, name)| name.trim().to_owned(),
        );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {model}, Linux {}", kernel.trim())
}
