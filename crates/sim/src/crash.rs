//! Stopping a loaded server again and again; the books must balance.
//!
//! One process holds the simulated providers and the clients, and runs a
//! real `bourse` as its child. Clients call without pause; after a random
//! while the child is stopped (killed, or asked to end), started again on the
//! same data, and the load goes on. Now and then the load rests, and everything that three
//! independent witnesses know is compared: the clients, the providers, and
//! the books as `bourse ledger export` prints them.
//!
//! A seed fixes the calls and the schedule of kills. When exactly a kill
//! meets which call is the machine's doing, so a seed repeats a scenario and
//! not an interleaving.

mod call;
mod checker;
mod client;
mod impostor;
mod intruders;
mod load;
mod market;
mod report;
mod scene;
mod server;
pub mod upgrade;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::crash::checker::{Differences, Row, Span};
use crate::crash::impostor::Impostor;
use crate::crash::intruders::Intruders;
use crate::crash::load::Load;
use crate::crash::market::{
    GIFT_NANOS, LIMIT_NANOS, PROBE_MODEL, PROBE_NANOS, PROBE_SLACK_NANOS, PROBE_TOKENS, Players,
    RICH_USD, scripts,
};
pub use crate::crash::report::Report;
pub use crate::crash::scene::Scene;
use crate::crash::scene::{REFUSES_MS_MAX, longest_file};
use crate::crash::server::Server;
use crate::words::mix;
use crate::{Sim, SimHandle};

/// Requests of one span that the providers remember.
const LOG_ENTRIES_MAX: usize = 200_000;
/// Longest wait for calls, drains and the database to come to rest.
const REST_MAX: Duration = Duration::from_secs(30);
/// How long the load goes on without a kill before it rests: what is sent in
/// that time must be charged without exception.
const CALM: Duration = Duration::from_millis(400);

/// How the server is stopped, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stop {
    /// SIGKILL: what only memory knows is lost.
    #[default]
    Kill,
    /// SIGTERM: it lets running calls and drains end, within its own bound.
    Term,
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `bourse` to run.
    pub binary: PathBuf,
    /// An empty directory for its data; kept when something differs.
    pub dir: PathBuf,
    /// Fixes calls and schedule.
    pub seed: u64,
    /// What else happens to it.
    pub scene: Scene,
    /// How the server is stopped, where the scene does not mix that.
    pub stop: Stop,
    /// Stops under load.
    pub kills: u32,
    /// No further ones after so much time, if that is given.
    pub time: Option<Duration>,
    /// Concurrent clients.
    pub connections: u32,
    /// Everything is compared after so many kills, and at the end.
    pub check_every: u32,
}

/// Runs to the end, or to the first check that finds a difference.
/// `progress` is told the number of kills so far.
///
/// # Errors
/// The differences, with the seed; or why the run could not be made.
pub fn run(options: &Options, mut progress: impl FnMut(u32)) -> Result<Report, String> {
    let mut rig = Rig::start(options)?;
    let done = rig.kill_again_and_again(options, &mut progress);
    rig.load.stop();
    let failed = |why: String| {
        format!(
            "seed {} after {} kills, data kept in {}:\n{why}\n{}",
            options.seed,
            rig.report.kills,
            options.dir.display(),
            rig.report
        )
    };
    done.map_err(failed)?;
    Ok(rig.report)
}

struct Rig {
    seed: u64,
    scene: Scene,
    dir: PathBuf,
    sim: SimHandle,
    /// Kept, so that it listens.
    impostor: Option<Impostor>,
    intruders: Intruders,
    server: Server,
    load: Load,
    key: String,
    report: Report,
    /// Ids of all calls in the books so far.
    known: HashSet<String>,
    /// Paid so far, by key.
    paid: HashMap<u64, i64>,
    /// Granted in all.
    granted: i64,
    span_from_ms: u64,
    /// Rounds that ended with a gentle stop.
    gentle: HashSet<u32>,
}

/// The account that pays.
pub(crate) const ACCOUNT: &str = "default";

/// Reads decimal dollars as nano-dollars, without a float in between.
pub(crate) fn nanos(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<9}").parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(fraction)
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

/// As `bourse ledger export --from` takes it.
fn moment(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

fn limit() -> String {
    format!("0.{LIMIT_NANOS:09}")
}

fn new_key(server: &Server, options: &[&str]) -> Result<String, String> {
    let arguments = [&["key", "create", "--quiet"], options].concat();
    server.run(&arguments).map(|key| key.trim().to_owned())
}

impl Rig {
    fn start(options: &Options) -> Result<Self, String> {
        let sim = Sim::builder()
            .scripts(scripts(options.seed))
            .record_bodies(true)
            .log_entries_max(LOG_ENTRIES_MAX)
            .spawn_thread(([127, 0, 0, 1], 0).into())
            .map_err(|error| format!("the simulator: {error}"))?;
        let scene = options.scene;
        let impostor = match scene.is_mixed() {
            true => Some(Impostor::start(options.seed)?),
            false => None,
        };
        let players = Players {
            sim: sim.addr(),
            impostor: impostor.as_ref().map(|impostor| impostor.address),
        };
        let mut server = Server::new(&options.binary, &options.dir, players, scene.models())?;
        // An earlier release has no such command, and needs none.
        let _ = server.run(&["init"]);
        server.run(&["credit", "grant", "--usd", &RICH_USD.to_string()])?;
        let key = |limit: &[&str]| new_key(&server, limit);
        let (key, limited) = (key(&[])?, key(&["--limit", &limit()])?);
        let started = server.spawn()?;
        server.wait_until_serving(started)?;
        let intruders =
            Intruders::start(scene.intruders(), options.seed, server.address, key.clone())?;
        let load = Load::start(
            (scene, options.seed),
            options.connections,
            server.address,
            key.clone(),
            limited,
        )?;
        Ok(Self {
            seed: options.seed,
            scene,
            dir: options.dir.clone(),
            sim,
            impostor,
            intruders,
            server,
            load,
            key,
            report: Report {
                seed: options.seed,
                ..Report::default()
            },
            known: HashSet::new(),
            paid: HashMap::new(),
            granted: RICH_USD * 1_000_000_000,
            span_from_ms: 0,
            gentle: HashSet::new(),
        })
    }

    /// A number below `below`, fixed by seed, kill and purpose.
    fn draw(&self, purpose: u64, below: u64) -> u64 {
        mix(mix(self.seed, u64::from(self.report.kills)), purpose) % below
    }

    fn kill_again_and_again(
        &mut self,
        options: &Options,
        progress: &mut impl FnMut(u32),
    ) -> Result<(), String> {
        let began = Instant::now();
        let is_last = |kills: u32| {
            kills >= options.kills || options.time.is_some_and(|time| began.elapsed() >= time)
        };
        while !is_last(self.report.kills) {
            self.load.resume();
            sleep(Duration::from_millis(200 + self.draw(1, 800)));
            if self.draw(2, 6) == 0 {
                self.administer()?;
            }
            if self.scene.has_bad_disk() && self.draw(8, 3) == 0 {
                self.refuse()?;
            }
            let stop = match self.scene.is_mixed() {
                true if self.draw(9, 4) == 0 => Stop::Term,
                true => Stop::Kill,
                false => options.stop,
            };
            self.report.memory_kib_max =
                self.report.memory_kib_max.max(self.server.memory_kib_max());
            self.stop(stop)?;
            if self.draw(3, 6) == 0 {
                self.server.spawn()?;
                sleep(Duration::from_millis(self.draw(4, 60)));
                self.server.kill()?;
                self.report.kills_while_starting += 1;
            }
            // Not always: an audit opens the database, and a start must also
            // work on one that nothing has opened since.
            if self.draw(5, 3) == 0 {
                self.audit()?;
                self.report.audits_stopped += 1;
            }
            let started = self.server.spawn()?;
            let took = self.server.wait_until_serving(started)?;
            self.report.restarts.push(took);
            progress(self.report.kills);
            let last = is_last(self.report.kills);
            if last || self.report.kills.is_multiple_of(options.check_every.max(1)) {
                self.load.resume();
                sleep(CALM);
                self.check()?;
            }
        }
        Ok(())
    }

    /// Stops the server under load.
    fn stop(&mut self, stop: Stop) -> Result<(), String> {
        match stop {
            Stop::Kill => {
                self.server.kill()?;
                self.report.kills += 1;
                self.load.down(self.report.kills);
            }
            Stop::Term => {
                // Clients go on with what they have begun: a gentle stop is
                // meant to let them.
                let took = self.server.terminate()?;
                self.gentle.insert(self.report.kills);
                self.report.kills += 1;
                self.report.stops.push(took);
                self.load.down(self.report.kills);
            }
        }
        Ok(())
    }

    /// Lets the disk refuse for a while, at some byte of some file.
    fn refuse(&mut self) -> Result<(), String> {
        let most = longest_file(&self.dir.join("data")).saturating_add(1);
        self.server.let_files_grow(Some(self.draw(10, most * 2)))?;
        sleep(Duration::from_millis(self.draw(11, REFUSES_MS_MAX)));
        self.server.let_files_grow(None)?;
        // What calls have cost waits in memory until then, so that a kill
        // would lose what nobody has promised to keep.
        self.server.wait_until_ready(REST_MAX)?;
        self.report.refusals_of_the_disk += 1;
        Ok(())
    }

    /// Grants credit and makes a key beside the running server; every other
    /// time the granting command is killed first and repeated under the same
    /// reference.
    fn administer(&mut self) -> Result<(), String> {
        let usd = format!("0.{GIFT_NANOS:09}");
        let reference = format!("gift-{}", self.report.kills);
        let arguments = ["credit", "grant", "--usd", &usd, "--reference", &reference];
        if self.draw(6, 2) == 0 {
            let after = Duration::from_millis(self.draw(7, 30));
            self.server.run_and_kill(&arguments, after)?;
            self.report.kills_of_commands += 1;
        }
        self.server.run(&arguments)?;
        self.granted += GIFT_NANOS;
        let key = new_key(&self.server, &["--limit", &limit()])?;
        self.load.use_limited(key);
        Ok(())
    }

    /// Runs `bourse ledger verify`, which fails if a sum differs.
    fn audit(&mut self) -> Result<Value, String> {
        let audit = self.server.json(&["ledger", "verify", "--json"]);
        if audit.is_err() {
            self.report.differences += 1;
        }
        audit
    }

    fn export(&self, from_ms: u64) -> Result<Vec<Row>, String> {
        let from = moment(from_ms);
        let text = self
            .server
            .run(&["ledger", "export", "--json", "--from", &from])?;
        text.lines().map(Row::read).collect()
    }

    /// Lets everything come to rest and compares it.
    fn check(&mut self) -> Result<(), String> {
        self.intruders.rest(REST_MAX)?;
        self.compare()?;
        self.intruders.resume();
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        self.load.rest(REST_MAX)?;
        let calls = self.load.take();
        let end = Instant::now() + REST_MAX;
        // Drains go on without a client, and the database follows the journal.
        while self.sim.counters().in_flight > 0 && Instant::now() < end {
            sleep(Duration::from_millis(5));
        }
        let entries = self.sim.log();
        if entries.len() >= LOG_ENTRIES_MAX {
            return Err("more requests than the providers remember: check more often".to_owned());
        }
        let calm_round = self.report.kills;
        let (rows, audit) = loop {
            sleep(Duration::from_millis(100));
            let audit = self.audit()?;
            let rows = self.export(self.span_from_ms)?;
            let span = Span {
                calls: &calls,
                rows: &rows,
                entries: &entries,
                calm_round,
                gentle: &self.gentle,
            };
            let open = audit.get("open_holds").and_then(Value::as_u64);
            let in_books = audit.get("generations").and_then(Value::as_u64);
            let counted = self.known.len() as u64 + rows.len() as u64;
            let at_rest = open == Some(0) && in_books == Some(counted) && span.is_complete();
            if at_rest || Instant::now() > end {
                break (rows, audit);
            }
        };
        let mut differences = Differences::default();
        if audit.get("open_holds") != Some(&Value::from(0)) {
            differences.add(|| format!("holds are left although nothing runs: {audit}"));
        }
        Span {
            calls: &calls,
            rows: &rows,
            entries: &entries,
            calm_round,
            gentle: &self.gentle,
        }
        .check(&mut self.report, &mut differences);
        for row in &rows {
            if !self.known.insert(row.id().to_owned()) {
                differences.add(|| format!("twice in the books: {row:?}"));
            }
            *self.paid.entry(row.key()).or_default() += row.paid();
        }
        let count = audit.get("generations").and_then(Value::as_u64);
        if count != Some(self.known.len() as u64) {
            let known = self.known.len();
            differences.add(|| format!("{count:?} calls in the books, {known} exported"));
        }
        self.check_balances(&mut differences)?;
        self.note_intruders(&mut differences);
        self.report.checks += 1;
        self.report.differences += differences.count();
        differences.none()?;
        self.gentle.clear();
        self.sim.reset();
        self.span_from_ms = now_ms();
        Ok(())
    }

    /// Nothing that an intruder sends may be served.
    fn note_intruders(&mut self, differences: &mut Differences) {
        for wrong in self.intruders.wrong() {
            differences.add(|| wrong);
        }
        self.report.intrusions = self.intruders.tried();
        self.report.impostures = self.impostor.as_ref().map_or(0, Impostor::answered);
    }

    /// What was granted, what was spent, and what the server believes is
    /// left must be one equation.
    fn check_balances(&self, differences: &mut Differences) -> Result<(), String> {
        let list = self.server.json(&["credit", "list", "--json"])?;
        let row = list
            .as_array()
            .and_then(|rows| {
                rows.iter()
                    .find(|row| row.get("account") == Some(&Value::from(ACCOUNT)))
            })
            .ok_or_else(|| format!("no account {ACCOUNT}: {list}"))?;
        let sum = |field: &str| row.get(field).and_then(Value::as_str).and_then(nanos);
        let (granted, paid) = (self.granted, self.paid.values().sum::<i64>());
        if sum("granted") != Some(granted) {
            differences.add(|| format!("granted {granted} in all, the books say {row}"));
        }
        if sum("spent") != Some(paid) {
            differences.add(|| format!("calls paid {paid}, the books say {row}"));
        }
        // Ids rise with time, and the key without a limit was made first.
        let first = self.paid.keys().min();
        for (key, paid) in &self.paid {
            if Some(key) != first && *paid > LIMIT_NANOS {
                differences.add(|| format!("key {key} spent {paid} of {LIMIT_NANOS}"));
            }
        }
        let believed = self.believed()?;
        let left = (granted - paid - PROBE_SLACK_NANOS) / PROBE_NANOS;
        if believed != left {
            differences
                .add(|| format!("{left} tokens' worth is left, the server believes {believed}"));
        }
        Ok(())
    }

    /// How many tokens of the probe's model the server believes the account
    /// can afford: its balance less what it thinks is on hold.
    fn believed(&self) -> Result<i64, String> {
        let body = format!(
            "{{\"model\":\"{PROBE_MODEL}\",\"stream\":true,\"max_tokens\":{PROBE_TOKENS},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}"
        );
        let reply = self.server.post(&self.key, &body)?;
        reply
            .split_once("can only afford ")
            .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next())
            .and_then(|tokens| tokens.parse().ok())
            .ok_or_else(|| format!("a call that nobody can afford was answered with {reply}"))
    }
}

#[cfg(test)]
mod tests {
    use super::nanos;

    #[test]
    fn dollars_are_read_exactly() {
        assert_eq!(nanos("0.0000149"), Some(14_900));
        assert_eq!(nanos("100"), Some(100_000_000_000));
        assert_eq!(nanos("0.0000000001"), None);
        assert_eq!(nanos("x"), None);
    }
}
