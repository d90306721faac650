//! What the operating system says of the process, by the names that
//! Prometheus's client libraries have agreed on ("Writing client libraries",
//! process metrics; December 2026). Where there is no `/proc` nothing is said.

use std::fs;
use std::time::Duration;

use super::page::Page;

/// Ticks in a second, of times in `/proc`: what Linux shows programs is 100 on
/// every machine that we build for, whatever the kernel's own clock is.
const TICKS: u64 = 100;

/// Adds what can be read.
pub fn tell(page: &mut Page) {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let stat = read("/proc/self/stat");
    if let Some(ticks) = cpu_ticks(&stat) {
        page.single(
            "process_cpu_seconds_total",
            "counter",
            "Time that the process had of processors, of its own and of the kernel's for it.",
            time(ticks),
        );
    }
    let started = start_ticks(&stat).zip(boot_s(&read("/proc/stat")));
    if let Some((ticks, boot_s)) = started {
        page.single(
            "process_start_time_seconds",
            "gauge",
            "When the process began, in seconds since 1970.",
            time(ticks).saturating_add(Duration::from_secs(boot_s)),
        );
    }
    if let Some(bytes) = resident_bytes(&read("/proc/self/status")) {
        page.single(
            "process_resident_memory_bytes",
            "gauge",
            "Memory that the process has in use.",
            bytes,
        );
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.single(
            "process_open_fds",
            "gauge",
            "Files and connections that are open.",
            // One of them is the directory that is being read.
            files.count().saturating_sub(1),
        );
    }
    if let Some(files) = files_max(&read("/proc/self/limits")) {
        page.single(
            "process_max_fds",
            "gauge",
            "Files and connections that may be open.",
            files,
        );
    }
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1_000 / TICKS))
}

/// A field of `/proc/self/stat`, by its number in proc_pid_stat(5). The
/// second, a name in brackets, may have spaces and brackets of its own.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    fields.nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_ticks(stat: &str) -> Option<u64> {
    field(stat, 14)?.checked_add(field(stat, 15)?)
}

fn start_ticks(stat: &str) -> Option<u64> {
    field(stat, 22)
}

/// When the machine began, in seconds since 1970.
fn boot_s(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1_024)
}

/// `None` where there is no limit.
fn files_max(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 31 0 0 20 0 9 0 4711 8 9";
        assert_eq!(cpu_ticks(stat), Some(281));
        assert_eq!(start_ticks(stat), Some(4_711));
        assert_eq!(cpu_ticks(""), None);
        assert_eq!(time(281), Duration::from_millis(2_810));
    }

    #[test]
    fn other_files_are_read_by_their_words() {
        assert_eq!(boot_s("cpu 1 2\nbtime 1790000000\n"), Some(1_790_000_000));
        let status = "VmHWM:\t  9 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(resident_bytes(status), Some(2 << 20));
        let limits = "Max processes  1  2  processes\nMax open files            1024                 4096                 files\n";
        assert_eq!(files_max(limits), Some(1_024));
        assert_eq!(
            files_max("Max open files  unlimited  unlimited  files\n"),
            None
        );
    }
}
