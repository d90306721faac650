//! Cores for the load and cores for what is loaded.
//!
//! Where both share them, a load of four times the peak takes from the server
//! the time that it should show to be well spent.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of this thread, of which the last is the load's and its
/// providers', and the others are the server's. Threads and programs have the
/// cores of the thread that starts them. All are this thread's again at the
/// end.
pub struct Cores {
    all: CpuSet,
    load: CpuSet,
    server: CpuSet,
}

impl Cores {
    /// Nothing where there is only one.
    pub fn apart() -> Result<Option<Self>, String> {
        let all = sched_getaffinity(None).map_err(|error| format!("cores: {error}"))?;
        let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|n| all.is_set(*n)).collect();
        let Some((last, [_, ..])) = numbers.split_last().map(|(last, rest)| (*last, rest)) else {
            return Ok(None);
        };
        let (mut load, mut server) = (CpuSet::new(), all);
        load.set(last);
        server.unset(last);
        Ok(Some(Self { all, load, server }))
    }

    /// What is started now is the server.
    pub fn server(&self) -> Result<(), String> {
        go_to(&self.server)
    }

    /// What is started now is its load, or a provider.
    pub fn load(&self) -> Result<(), String> {
        go_to(&self.load)
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        // The next scenario would be told by its figures if this failed; it
        // cannot, because the cores were this thread's before.
        let _ = go_to(&self.all);
    }
}

fn go_to(cores: &CpuSet) -> Result<(), String> {
    sched_setaffinity(None, cores).map_err(|error| format!("cores: {error}"))
}
