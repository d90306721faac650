//! A server that is killed: what its files hold at that moment is opened
//! again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bourse_spool::{Options, Trouble};
use bourse_store::{Accounts, Keys, MemoryStore, Till};

use super::super::harness::Harness;
use super::callers::Callers;
use super::laws::journal;
use super::providers::Dealt;

/// What is left of a server.
pub struct Killed {
    dir: tempfile::TempDir,
    /// Whoever had been told what his answer costs, by its id.
    told: Vec<(String, i64)>,
    /// How many calls a provider had been asked for.
    asked: usize,
    /// Whether ends of calls waited in memory, because the disk did not take
    /// them: they are lost with it, and their calls end like running ones.
    owes: bool,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

impl Killed {
    /// Takes the files as they are. What only memory knows is not in them.
    pub fn now(harness: &Harness, callers: &Callers, dealt: &[Dealt]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trouble = harness.gateway().till.spool().trouble();
        let owes = matches!(*trouble.borrow(), Trouble::Owed(_));
        copy(harness.dir(), dir.path());
        let told = callers.seen().into_iter().filter_map(|seen| {
            let cost = seen.cost()?;
            Some((seen.id.clone(), cost))
        });
        Self {
            owes,
            told: told.collect(),
            asked: dealt
                .iter()
                .map(|one| one.call)
                .collect::<BTreeSet<_>>()
                .len(),
            dir,
        }
    }

    /// Starts again from them.
    pub async fn check(self, store: &MemoryStore, credit: i64, now_ms: u64) -> Result<(), String> {
        let options = Options {
            sync_interval: Duration::from_secs(3_600),
            ..Options::default()
        };
        let opened = Till::open(store, self.dir.path(), options, now_ms)
            .await
            .map_err(|error| format!("after a kill: {error}"))?;
        let till = opened.till;
        let calls = journal(&till);
        let held = calls.values().filter(|call| call.held > 0).count();
        if held < self.asked {
            let asked = self.asked;
            return Err(format!(
                "{asked} calls were asked for, a kill left {held} holds"
            ));
        }
        for (id, call) in &calls {
            if call.ends != 1 {
                return Err(format!(
                    "after a kill, {id} ended {} times: {call:?}",
                    call.ends
                ));
            }
            // What was running is charged what was noted as delivered, and no more
            // than was set aside.
            let was_running = call.ended_ms == now_ms;
            if was_running && call.paid != call.checkpoint.min(call.held) {
                return Err(format!("after a kill, {id}: {call:?}"));
            }
        }
        for (id, cost) in &self.told {
            let call = calls.get(id);
            let paid = call.map(|call| call.paid);
            let is_lost = self.owes && call.is_some_and(|call| call.ended_ms == now_ms);
            if paid != Some(*cost) && !is_lost {
                return Err(format!(
                    "{id} was told {cost}, and after a kill paid {paid:?}"
                ));
            }
        }
        let paid: i64 = calls.values().map(|call| call.paid).sum();
        let accounts = store.accounts().await.unwrap();
        let keys = store.keys(None, true, 0, 9).await.unwrap();
        till.load(&accounts, &keys);
        let balance = till.books().balance(accounts[0].id).unwrap();
        if balance.held.0 != 0 || balance.spent.0 != paid || paid > credit {
            return Err(format!(
                "after a kill: {balance:?}, paid {paid} of {credit}"
            ));
        }
        Ok(())
    }
}
