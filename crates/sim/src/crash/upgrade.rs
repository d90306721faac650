//! Starting on the data of an earlier release, killed while it migrates.
//!
//! A fixture is a data directory as an earlier release left it when it was
//! killed, with calls running, some of its journal not yet in its database,
//! and beside it what that release itself made of the same directory at its
//! next start. Whatever is killed on the way, a new release must come to the
//! same calls, balances and keys, to the nano-dollar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use serde_json::Value;

use crate::crash::server::{Server, free_address};
use crate::words::mix;

/// Longest wait for the database to follow the journal.
const FOLLOW_MAX: Duration = Duration::from_secs(20);
/// Most kills in a row before a directory may come to serve.
const KILLS_IN_A_ROW_MAX: u64 = 3;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `bourse` to run.
    pub binary: PathBuf,
    /// `fixtures/releases/<version>`.
    pub fixture: PathBuf,
    /// An empty directory to work in; kept when something differs.
    pub dir: PathBuf,
    /// Fixes when kills come.
    pub seed: u64,
    /// Kills in all; 0 only starts once.
    pub kills: u32,
}

/// What a run found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Kills of a server that was starting.
    pub kills: u32,
    /// Of these, such as came before it served.
    pub before_serving: u32,
    /// Directories that were brought to serve, and compared.
    pub directories: u32,
    /// Calls that were compared, in all directories.
    pub calls: u64,
    /// From starting the process on untouched data to the first good answer.
    pub first_start: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "0 differences in {} kills, {} of them before it served; {} directories and {} calls compared; \
             the first start took {} ms",
            self.kills,
            self.before_serving,
            self.directories,
            self.calls,
            self.first_start.as_millis()
        )
    }
}

/// Runs to the end, or to the first difference. `progress` is told the number
/// of kills so far.
///
/// # Errors
/// The difference, with the seed; or why the run could not be made.
pub fn run(options: &Options, mut progress: impl FnMut(u32)) -> Result<Report, String> {
    let expected = read_json(&options.fixture.join("expected.json"))?;
    let mut report = Report::default();
    let mut directory = 0;
    loop {
        let place = options.dir.join(directory.to_string());
        one(
            options,
            &place,
            directory,
            &expected,
            &mut report,
            &mut progress,
        )
        .map_err(|why| {
            let place = place.display();
            format!("seed {}, data kept in {place}:\n{why}", options.seed)
        })?;
        // Nothing differs, so nobody needs it.
        let _ = fs::remove_dir_all(&place);
        directory += 1;
        if report.kills >= options.kills {
            return Ok(report);
        }
    }
}

fn one(
    options: &Options,
    place: &Path,
    directory: u64,
    expected: &Value,
    report: &mut Report,
    progress: &mut impl FnMut(u32),
) -> Result<(), String> {
    let draw = |purpose: u64, below: u64| mix(mix(options.seed, directory), purpose) % below.max(1);
    copy(&options.fixture.join("data"), &place.join("data"))?;
    let mut server = start_with(options, place)?;
    // The first directory is not killed: it tells how long a start takes.
    if directory > 0 {
        let window = u64::try_from(report.first_start.as_millis()).unwrap_or(1) * 5 / 4;
        for kill in 0..=draw(1, KILLS_IN_A_ROW_MAX) {
            let started = server.spawn()?;
            sleep(Duration::from_millis(draw(10 + kill, window)));
            report.before_serving += u32::from(!server.serves());
            server
                .kill()
                .map_err(|why| format!("{why} (after {:?})", started.elapsed()))?;
            report.kills += 1;
            progress(report.kills);
        }
    }
    let started = server.spawn()?;
    let took = server.wait_until_serving(started)?;
    if directory == 0 {
        report.first_start = took;
    }
    let end = Instant::now() + FOLLOW_MAX;
    while let Err(why) = compare(&server, expected) {
        if Instant::now() > end {
            return Err(why);
        }
        sleep(Duration::from_millis(50));
    }
    server.terminate()?;
    // And once more with nobody running, from the files alone.
    compare(&server, expected)?;
    report.directories += 1;
    report.calls += list(expected, "calls").len() as u64;
    Ok(())
}

fn start_with(options: &Options, place: &Path) -> Result<Server, String> {
    let address = free_address()?;
    let path = options.fixture.join("bourse.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let data = format!("data_dir = \"{}\"", place.join("data").display());
    let text = text.replace("data_dir = \"data\"", &data).replace(
        "listen = \"127.0.0.1:8787\"",
        &format!("listen = \"{address}\""),
    );
    Server::configured(&options.binary, place, address, &text)
}

/// Compares calls, accounts and keys with what the earlier release made of
/// the same directory, and lets the books be audited.
fn compare(server: &Server, expected: &Value) -> Result<(), String> {
    let audit = server.json(&["ledger", "verify", "--json"])?;
    if audit.get("balanced") != Some(&Value::Bool(true)) {
        return Err(format!("the books do not balance: {audit}"));
    }
    if audit.get("open_holds") != Some(&Value::from(0)) {
        return Err(format!("holds are left although nothing runs: {audit}"));
    }
    let calls = server.run(&["ledger", "export", "--json"])?;
    let calls: Result<Vec<Value>, _> = calls.lines().map(serde_json::from_str).collect();
    let calls = calls.map_err(|error| error.to_string())?;
    same("calls", "id", expected, &calls)?;
    let accounts = server.json(&["credit", "list", "--json"])?;
    same(
        "accounts",
        "account",
        expected,
        accounts.as_array().map_or(&[], Vec::as_slice),
    )?;
    let keys = server.json(&["key", "list", "--json"])?;
    same(
        "keys",
        "hash",
        expected,
        keys.as_array().map_or(&[], Vec::as_slice),
    )
}

/// Whether the same rows are there, by name. A later release may say more of
/// a row than the earlier one did.
fn same(what: &str, name: &str, expected: &Value, found: &[Value]) -> Result<(), String> {
    let by_name = |rows: &[Value]| -> BTreeMap<String, Value> {
        let named = |row: &Value| Some((row.get(name)?.as_str()?.to_owned(), row.clone()));
        rows.iter().filter_map(named).collect()
    };
    let wanted = list(expected, what);
    if wanted.len() != found.len() {
        return Err(format!("{} {what}, expected {}", found.len(), wanted.len()));
    }
    let found = by_name(found);
    for (id, row) in by_name(wanted) {
        let other = found
            .get(&id)
            .ok_or_else(|| format!("{what}: {id} is missing"))?;
        for (member, value) in row.as_object().into_iter().flatten() {
            if other.get(member).map(plain) != Some(plain(value)) {
                return Err(format!("{what}: {member} of {id} is not {value}: {other}"));
            }
        }
    }
    Ok(())
}

/// A number as its text: release 0.1.0 wrote ids as numbers, which readers of
/// JSON do not agree on beyond 53 bits.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        other => other.clone(),
    }
}

fn list<'a>(expected: &'a Value, what: &str) -> &'a [Value] {
    let rows = expected.get(what).and_then(Value::as_array);
    rows.map_or(&[], Vec::as_slice)
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            // By content: a checkout without write bits stays as it is.
            let bytes = fs::read(entry.path()).map_err(failed)?;
            fs::write(&target, bytes).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_may_say_more_but_not_other_than_before() {
        let expected = json!({"calls": [{"id": "a", "paid": "1"}]});
        let check = |rows: Value| {
            let rows = rows.as_array().cloned().unwrap_or_default();
            same("calls", "id", &expected, &rows)
        };
        assert!(check(json!([{"id": "a", "paid": "1", "new": true}])).is_ok());
        assert!(check(json!([{"id": "a", "paid": "2"}])).is_err());
        assert!(check(json!([{"id": "b", "paid": "1"}])).is_err());
        assert!(check(json!([])).is_err());
        assert!(check(json!([{"id": "a", "paid": "1"}, {"id": "b", "paid": "1"}])).is_err());
    }
}
