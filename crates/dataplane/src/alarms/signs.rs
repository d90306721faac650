//! What can be seen from outside, once a second: calls do nothing for it.

use std::collections::BTreeSet;
use std::time::Duration;

use bourse_routing::breaker::Standing;

use super::kind::Kind;
use crate::admission::Shed;
use crate::gateway::Gateway;
use crate::market::{Market, Target};

/// How often one looks.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The part of what the journal takes at which the database is far behind: an
/// eighth, 128 MiB, which is some 400,000 calls.
const GROWING_PART: u64 = 8;
/// The part at which it has caught up again.
const CAUGHT_UP_PART: u64 = 16;
/// How long a database may be away before somebody is told, in seconds: to
/// change its leader takes as long.
const AWAY_S_MIN: u64 = 10;

/// The subject of what is about the database.
pub const DATABASE: &str = "database";
/// The subject of what is about the journal.
pub const JOURNAL: &str = "journal";

/// Refusals that say something of the server, and not of how much one caller
/// may have.
const OURS: [Shed; 3] = [Shed::Overload, Shed::Queue, Shed::Wait];

/// What the server knows of its database.
#[derive(Debug, Clone, Default)]
pub struct Database {
    /// Seconds since it last answered; `None` while it does.
    pub away_s: Option<u64>,
    /// Seconds since it last took over what calls cost, and why it does not;
    /// `None` while it does.
    pub behind: Option<(u64, String)>,
}

/// What was seen the last time.
#[derive(Debug, Default)]
pub struct Signs {
    shed: [u64; OURS.len()],
}

/// How the operator knows a credential: providers may have several.
#[must_use]
pub fn credential(provider: &str, number: u16) -> String {
    format!("{provider} key {number}")
}

impl Signs {
    /// Looks at everything, and tells what is due.
    pub fn look(&mut self, gateway: &Gateway, database: &Database, now_ms: u64) {
        let market = gateway.market.load();
        see_credentials(gateway, &market, now_ms);
        see_models(gateway, &market, now_ms);
        see_limits(gateway, now_ms);
        self.see_sheds(gateway, now_ms);
        see_journal(gateway, now_ms);
        see_database(gateway, database, now_ms);
        gateway.alarms.tick(now_ms);
    }

    fn see_sheds(&mut self, gateway: &Gateway, now_ms: u64) {
        for (seen, why) in self.shed.iter_mut().zip(OURS) {
            let now = gateway.admission.sheds(why);
            let more = now.saturating_sub(std::mem::replace(seen, now));
            if more > 0 {
                let message = format!("{more} calls were refused in a second ({})", why.name());
                let alarms = &gateway.alarms;
                alarms.raise(Kind::CallsShed, why.name(), &message, now_ms);
            }
        }
    }
}

/// Credentials that are taken again, or used no more. A call notices that one
/// is refused.
fn see_credentials(gateway: &Gateway, market: &Market, now_ms: u64) {
    let refused = [Kind::AccountEmpty, Kind::CredentialRefused];
    let told = refused.map(|kind| (kind, gateway.alarms.subjects(kind)));
    if told.iter().all(|(_, subjects)| subjects.is_empty()) {
        return;
    }
    let is_open = |target: &&std::sync::Arc<Target>| {
        let [_, credential, _] = target.health.seen(now_ms);
        credential != Standing::Closed
    };
    let open: BTreeSet<String> = market
        .targets()
        .iter()
        .filter(is_open)
        .map(|target| credential(&target.provider.slug, target.credential))
        .collect();
    for (kind, subjects) in told {
        for subject in subjects.iter().filter(|subject| !open.contains(*subject)) {
            gateway.alarms.clear(kind, subject, now_ms);
        }
    }
}

/// Models of which every target is broken. One that nobody has asked for is
/// nobody's trouble.
fn see_models(gateway: &Gateway, market: &Market, now_ms: u64) {
    let alarms = &gateway.alarms;
    let mut broken = BTreeSet::new();
    for model in market.catalog.models() {
        let targets = market.targets_of(model.ix);
        let is_broken = targets.iter().all(|target| target.health.is_failing());
        let is_used = || targets.iter().any(|target| target.metrics.is_used());
        if targets.is_empty() || !is_broken || !is_used() {
            continue;
        }
        let message = format!(
            "every target of {} fails ({} of them): calls for it are still tried, and mostly fail",
            model.slug,
            targets.len()
        );
        alarms.lasts(Kind::NoTargetLeft, &model.slug, &message, now_ms);
        broken.insert(&*model.slug);
    }
    for subject in alarms.subjects(Kind::NoTargetLeft) {
        if !broken.contains(&*subject) {
            alarms.clear(Kind::NoTargetLeft, &subject, now_ms);
        }
    }
}

/// Endpoints that are believed again to keep their limits.
fn see_limits(gateway: &Gateway, now_ms: u64) {
    let told = gateway.alarms.subjects(Kind::LimitNotKept);
    if told.is_empty() {
        return;
    }
    let mut lost = BTreeSet::new();
    gateway.memory.for_each(|metrics| {
        if metrics.trust.is_lost() {
            lost.insert(metrics.endpoint.to_string());
        }
    });
    for subject in told.iter().filter(|subject| !lost.contains(*subject)) {
        gateway.alarms.clear(Kind::LimitNotKept, subject, now_ms);
    }
}

fn see_journal(gateway: &Gateway, now_ms: u64) {
    let (alarms, spool) = (&gateway.alarms, gateway.till.spool());
    let (waits, room) = (spool.unapplied_bytes(), spool.unapplied_bytes_max());
    if waits > room / GROWING_PART {
        let message = format!(
            "{waits} bytes of journal wait for the database; beyond {room} new calls are refused"
        );
        alarms.lasts(Kind::JournalGrowing, JOURNAL, &message, now_ms);
    } else if waits <= room / CAUGHT_UP_PART {
        alarms.clear(Kind::JournalGrowing, JOURNAL, now_ms);
    }
}

fn see_database(gateway: &Gateway, database: &Database, now_ms: u64) {
    let alarms = &gateway.alarms;
    let away = database.away_s.filter(|s| *s >= AWAY_S_MIN);
    let message = match (&database.behind, away) {
        (Some((s, why)), _) => {
            format!("the journal cannot be applied to the database for {s} s; calls go on: {why}")
        }
        (None, Some(s)) => format!("the database does not answer for {s} s; calls go on"),
        (None, None) => return alarms.clear(Kind::DatabaseBehind, DATABASE, now_ms),
    };
    alarms.lasts(Kind::DatabaseBehind, DATABASE, &message, now_ms);
}
