//! What all connections of a simulator share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};

use arc_swap::ArcSwap;

use crate::fast::Fast;
use crate::log::{Counters, Log};
use crate::script::ScriptSet;

/// Scripts with their prepared fast answers.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub set: ScriptSet,
    pub fast_default: Arc<Fast>,
    pub fast: BTreeMap<String, Arc<Fast>>,
}

impl Loaded {
    pub(crate) fn new(set: ScriptSet) -> Self {
        let fast = set
            .providers
            .iter()
            .filter(|(_, script)| script.fast)
            .map(|(name, script)| (name.clone(), Arc::new(Fast::prepare(script))))
            .collect();
        Self {
            fast_default: Arc::new(Fast::prepare(&set.default)),
            fast,
            set,
        }
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
}

impl Shared {
    pub(crate) fn set_scripts(&self, set: ScriptSet) {
        self.loaded.store(Arc::new(Loaded::new(set)));
    }

    pub(crate) fn reset(&self) {
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
