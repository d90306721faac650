//! What all connections of a simulator share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::fast::Fast;
use crate::limits::Meter;
use crate::log::{Counters, Log};
use crate::script::{Script, ScriptSet};
use crate::videos::Looks;

/// A script in force: when it began, and what was used of its limits.
#[derive(Debug)]
pub(crate) struct Playing {
    pub script: Script,
    began: Instant,
    meter: Mutex<Meter>,
}

impl Playing {
    fn new(script: &Script) -> Self {
        Self {
            script: script.clone(),
            began: Instant::now(),
            meter: Mutex::default(),
        }
    }

    /// Milliseconds since it began.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    // A panic elsewhere leaves the meter whole: every change is one step.
    pub(crate) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scripts with their prepared fast answers.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub set: ScriptSet,
    default: Arc<Playing>,
    providers: BTreeMap<String, Arc<Playing>>,
    models: BTreeMap<String, Arc<Playing>>,
    pub fast_default: Arc<Fast>,
    pub fast: BTreeMap<String, Arc<Fast>>,
}

impl Loaded {
    /// Scripts that were in force before and are the same go on; the others
    /// begin.
    pub(crate) fn new(set: ScriptSet, before: Option<&Self>) -> Self {
        let play = |script: &Script, was: Option<&Arc<Playing>>| {
            was.filter(|was| was.script == *script)
                .map_or_else(|| Arc::new(Playing::new(script)), Arc::clone)
        };
        let all = |scripts: &BTreeMap<String, Script>,
                   were: Option<&BTreeMap<String, Arc<Playing>>>| {
            let one = |(name, script): (&String, &Script)| {
                let was = were.and_then(|were| were.get(name));
                (name.clone(), play(script, was))
            };
            scripts.iter().map(one).collect()
        };
        let fast = set
            .providers
            .iter()
            .filter(|(_, script)| script.fast)
            .map(|(name, script)| (name.clone(), Arc::new(Fast::prepare(script))))
            .collect();
        Self {
            default: play(&set.default, before.map(|before| &before.default)),
            providers: all(&set.providers, before.map(|before| &before.providers)),
            models: all(&set.models, before.map(|before| &before.models)),
            fast_default: Arc::new(Fast::prepare(&set.default)),
            fast,
            set,
        }
    }

    /// The script for a request.
    pub(crate) fn pick(&self, provider: Option<&str>, model: Option<&str>) -> &Arc<Playing> {
        provider
            .and_then(|name| self.providers.get(name))
            .or_else(|| model.and_then(|name| self.models.get(name)))
            .unwrap_or(&self.default)
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub loaded: ArcSwap<Loaded>,
    pub log: Log,
    pub counters: Counters,
    pub models: Vec<String>,
    pub connections: AtomicU64,
    pub batches: Mutex<crate::batches::Kept>,
    /// How often jobs were asked after.
    pub looks: Looks,
}

impl Shared {
    pub(crate) fn set_scripts(&self, set: &ScriptSet) {
        self.loaded
            .rcu(|before| Arc::new(Loaded::new(set.clone(), Some(before))));
    }

    /// Empties log and counters; schedules begin again, limits are fresh.
    pub(crate) fn reset(&self) {
        self.loaded
            .rcu(|before| Arc::new(Loaded::new(before.set.clone(), None)));
        self.log.reset();
        self.counters.reset();
    }
}

/// A level that falls again when dropped, aborts included.
pub(crate) struct Level<'a>(&'a AtomicU64);

impl<'a> Level<'a> {
    pub(crate) fn raise(shared: &'a Shared, which: fn(&Counters) -> &AtomicU64) -> Self {
        let level = which(&shared.counters);
        level.fetch_add(1, Relaxed);
        Self(level)
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        // Whoever sees the level fall sees what was logged before.
        self.0.fetch_sub(1, Release);
    }
}
