//! A watchdog: an input over which a target hangs is written down, and the
//! run ends, because a thread cannot be stopped from outside.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// CPU time after which an execution hangs. Inputs are below 48 KiB and take
/// well below a millisecond, and the slowest in a debug build a second; another
/// process that has the CPU counts for nothing, so that a busy machine makes no
/// find.
const CPU_MAX: Duration = Duration::from_secs(5);
/// Time after which an execution hangs that uses no CPU: it waits for what
/// never comes.
const WALL_MAX: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// What is being executed.
#[derive(Debug, Default)]
struct Running {
    target: &'static str,
    input: Vec<u8>,
    number: u64,
    since: Option<Instant>,
}

/// Watches one thread, the one that made it.
#[derive(Debug, Clone, Default)]
pub struct Watchdog(Arc<Mutex<Running>>);

impl Watchdog {
    /// Begins to watch the calling thread. A hang ends the process, with the
    /// input in `finds`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(finds: PathBuf) -> Result<Self, String> {
        let watchdog = Self::default();
        let running = watchdog.clone();
        // Linux only, as is the whole fuzzer.
        let thread = std::fs::read_link("/proc/thread-self")
            .map(|link| PathBuf::from("/proc").join(link).join("schedstat"))
            .map_err(|error| format!("/proc/thread-self: {error}"))?;
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || running.watch(&thread, &finds))
            .map_err(|error| error.to_string())?;
        Ok(watchdog)
    }

    /// An execution begins.
    pub fn begins(&self, target: &'static str, input: &[u8]) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.target = target;
        running.input.clear();
        running.input.extend_from_slice(input);
        running.number += 1;
        running.since = Some(Instant::now());
    }

    /// It has ended.
    pub fn ended(&self) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.since = None;
    }

    fn watch(&self, thread: &std::path::Path, finds: &std::path::Path) {
        let mut first = (0, Duration::ZERO);
        loop {
            std::thread::sleep(LOOK);
            let Some(cpu) = cpu_time(thread) else {
                // The thread is gone, and with it what there was to watch.
                return;
            };
            let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(since) = running.since else {
                continue;
            };
            if running.number != first.0 {
                first = (running.number, cpu);
                continue;
            }
            let used = cpu.saturating_sub(first.1);
            if used > CPU_MAX || since.elapsed() > WALL_MAX {
                let path = crate::finds::keep(finds, running.target, &running.input);
                eprintln!(
                    "{} hangs: {} ms of CPU, {} ms in all; the input is {}",
                    running.target,
                    used.as_millis(),
                    since.elapsed().as_millis(),
                    path.display()
                );
                std::process::exit(1);
            }
        }
    }
}

/// What a thread has used (the first number of `schedstat`, nanoseconds).
fn cpu_time(thread: &std::path::Path) -> Option<Duration> {
    let text = std::fs::read_to_string(thread).ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_cpu_time_is_known_and_grows_with_work() {
        let link = std::fs::read_link("/proc/thread-self").unwrap();
        let path = PathBuf::from("/proc").join(link).join("schedstat");
        let before = cpu_time(&path).unwrap();
        let mut sum = 0_u64;
        while cpu_time(&path).unwrap() < before + Duration::from_millis(3) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu_time(&path).unwrap() > before);
    }
}
