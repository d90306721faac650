//! `cargo xtask gate`: instruction counts of the hot path against the
//! committed ones.
//!
//! Times depend on the machine and its mood, instructions hardly at all:
//! a change that makes the scanner a tenth slower shows on any laptop. The
//! cases are in `examples/hot_path.rs`. Valgrind counts each for two
//! numbers of rounds, and the difference is what the rounds cost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

/// The committed counts.
const FILE: &str = "xtask/gate.toml";
const PROGRAM: &str = "target/release/examples/hot_path";
/// Rounds of the two runs of a case. The first warms up what is allocated
/// once; a hundred more make an instruction here and there disappear.
const ROUNDS: (u64, u64) = (20, 120);
/// How much a count may grow. Another release of the C library or of a
/// dependency moves counts by a percent or two.
const TOLERANCE_PERCENT: u64 = 3;
/// Which implementation of copying the C library takes, and from how many
/// bytes on, depends on the processor's caches unless it is told.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:\
    glibc.cpu.x86_rep_stosb_threshold=1000000000:\
    glibc.cpu.x86_non_temporal_threshold=1000000000";
const HEADER: &str = "\
# Instructions that one round of each case in xtask/examples/hot_path.rs
# takes, by processor: `cargo xtask gate` fails where one grows by more than
# 3 %. Written by `cargo xtask gate --bless`; bless what is meant, and say in
# the commit why it grew.
";

/// What to do with the counts.
#[derive(clap::Args)]
pub struct Arguments {
    /// Makes today's counts the committed ones.
    #[arg(long)]
    bless: bool,
}

/// Counts by case.
type Counts = BTreeMap<String, u64>;

/// The file: counts by processor.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Committed(BTreeMap<String, Counts>);

/// Does the chore.
///
/// # Errors
/// When a case takes more instructions than it did, or cannot be counted.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let version = Command::new("valgrind").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Err(
            "valgrind is not installed; `./dev test gate` installs it, or take your \
             distribution's package"
                .to_owned(),
        );
    }
    build()?;
    let cases = cases()?;
    let counts = count_all(&cases)?;
    let processor = processor();
    let mut committed = read()?;
    if arguments.bless {
        committed.0.insert(processor.clone(), counts);
        let text = toml::to_string(&committed).map_err(|error| format!("{FILE}: {error}"))?;
        fs::write(FILE, format!("{HEADER}\n{text}")).map_err(|error| format!("{FILE}: {error}"))?;
        println!("{} counts for {processor} written to {FILE}", cases.len());
        return Ok(());
    }
    let none = Counts::new();
    let baseline = committed.0.get(&processor);
    if baseline.is_none() {
        println!("{FILE} has no counts for {processor}: nothing to compare with");
    }
    judge(&cases, &counts, baseline.unwrap_or(&none))
}

/// How a count stands to the committed one.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Standing {
    /// Within the tolerance.
    Same,
    /// Lower by more than that: time to bless.
    Better,
    /// Higher by more than that.
    Worse,
    /// Nothing is committed.
    New,
}

fn standing(count: u64, committed: Option<u64>) -> Standing {
    let Some(committed) = committed else {
        return Standing::New;
    };
    let scaled = count.saturating_mul(100);
    if scaled > committed.saturating_mul(100 + TOLERANCE_PERCENT) {
        Standing::Worse
    } else if scaled < committed.saturating_mul(100 - TOLERANCE_PERCENT) {
        Standing::Better
    } else {
        Standing::Same
    }
}

/// Counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn change_percent(count: u64, committed: u64) -> f64 {
    (count as f64 / committed.max(1) as f64 - 1.0) * 100.0
}

fn judge(cases: &[String], counts: &Counts, baseline: &Counts) -> Result<(), String> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "case",
        "instructions",
        "committed",
        "change",
        "",
    ]);
    let (mut passed, mut failed) = (0, 0);
    for case in cases {
        let count = counts.get(case).copied().unwrap_or_default();
        let committed = baseline.get(case).copied();
        let word = match standing(count, committed) {
            Standing::Same => "",
            Standing::Better => "better: bless it",
            Standing::Worse => "TOO MANY",
            Standing::New => "not committed",
        };
        if standing(count, committed) == Standing::Worse {
            failed += 1;
        } else {
            passed += 1;
        }
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(case),
            right(count.to_string()),
            right(committed.map_or_else(String::new, |count| count.to_string())),
            right(committed.map_or_else(String::new, |committed| {
                format!("{:+.1} %", change_percent(count, committed))
            })),
            Cell::new(word),
        ]);
    }
    println!("{table}");
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        return Ok(());
    }
    Err(format!(
        "the hot path takes more instructions than committed (more than {TOLERANCE_PERCENT} %). If \
         that is meant, run `cargo xtask gate --bless` and say why in the commit."
    ))
}

fn read() -> Result<Committed, String> {
    match fs::read_to_string(FILE) {
        Ok(text) => toml::from_str(&text).map_err(|error| format!("{FILE}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Committed::default()),
        Err(error) => Err(format!("{FILE}: {error}")),
    }
}

fn build() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--package", "xtask", "--example", "hot_path"])
        // Pieces compiled at different times are put together differently,
        // and then even unchanged code counts differently.
        .env("CARGO_INCREMENTAL", "0")
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo build: {status}"))
    }
}

fn cases() -> Result<Vec<String>, String> {
    let output = Command::new(PROGRAM)
        .output()
        .map_err(|error| format!("{PROGRAM}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

/// Counts every case, as many at once as there are cores.
fn count_all(cases: &[String]) -> Result<Counts, String> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Relaxed)) {
                    let count = count(case);
                    if let Ok(mut found) = found.lock() {
                        found.push((case.clone(), count));
                    }
                }
            });
        }
    });
    found
        .into_inner()
        .map_err(|_| "a thread that counted panicked".to_owned())?
        .into_iter()
        .map(|(case, count)| Ok((case, count?)))
        .collect()
}

/// Instructions of one round.
fn count(case: &str) -> Result<u64, String> {
    let (few, many) = ROUNDS;
    let difference = instructions(case, many)?.saturating_sub(instructions(case, few)?);
    Ok(difference / (many - few))
}

/// Instructions of the whole program. Its environment is empty, because the
/// length of the environment moves the stack.
fn instructions(case: &str, rounds: u64) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
            PROGRAM,
        ])
        .args([case, &rounds.to_string()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{case}: {}\n{said}", output.status));
    }
    parse_instructions(&said).ok_or_else(|| format!("{case}: valgrind gave no count:\n{said}"))
}

/// Reads `==123== I   refs:      1,234,567`.
fn parse_instructions(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        words.next() == Some("I") && words.next() == Some("refs:")
    })?;
    line.rsplit(' ').next()?.replace(',', "").parse().ok()
}

/// What the counts depend on beside the code: architecture, and the vector
/// instructions for which the scanner and its libraries have code paths.
fn processor() -> String {
    let flags = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let has_avx2 = flags
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| line.split_ascii_whitespace().any(|flag| flag == "avx2"));
    let vector = if has_avx2 { "-avx2" } else { "" };
    format!("{}{vector}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::{Standing, parse_instructions, standing};

    #[test]
    fn valgrinds_count_is_found_among_what_it_says() {
        let said =
            "==7== Cachegrind\n==7== Command: I refs: 3\n==7== \n==7== I   refs:      1,234,567\n";
        assert_eq!(parse_instructions(said), Some(1_234_567));
        assert_eq!(parse_instructions("==7== nothing"), None);
    }

    #[test]
    fn only_growth_beyond_the_tolerance_fails() {
        assert_eq!(standing(1_030, Some(1_000)), Standing::Same);
        assert_eq!(standing(1_031, Some(1_000)), Standing::Worse);
        assert_eq!(standing(900, Some(1_000)), Standing::Better);
        assert_eq!(standing(900, None), Standing::New);
    }
}
