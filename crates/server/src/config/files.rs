//! `[files]` and `[batches]`: what callers keep here, and what is called for
//! them later.

use bourse_control::FileLimits;
use std::time::Duration;

use bourse_jobs::JobLimits;
use bourse_store::FileQuota;

use super::raw::{RawBatches, RawFiles};

/// Bytes of one file: as much as a batch may have at OpenAI
/// (platform.openai.com/docs/guides/batch, November 2026).
const FILE_BYTES: u64 = 200 << 20;
/// Bytes of an account, as OpenRouter's workspaces have.
const ACCOUNT_BYTES: u64 = 10 << 30;
/// Files of an account: each is a file of the disk.
const ACCOUNT_FILES: u64 = 1_000;
/// Bytes of everybody.
const TOTAL_BYTES: u64 = 50 << 30;
/// Most bytes that any of them may be: more than any disk has.
const BYTES_MAX: u64 = 1 << 50;
/// Most files of an account that may be allowed.
const FILES_MAX: u64 = 1_000_000;
/// Longest body of a batch that is read into an index at once: a reader has a
/// length of 32 bits for each line, and minutes for all of them.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// Days for which files are kept, as answers of batches at OpenAI.
const KEEP_DAYS: u64 = 30;
const KEEP_DAYS_MAX: u64 = 3_650;
const DAY_MS: u64 = 86_400_000;
/// Lines that are called at once. With answers that take ten seconds, a batch
/// of 50,000 lines takes four hours and a half.
const LINES_AT_ONCE: usize = 32;
const LINES_AT_ONCE_MAX: usize = 4_096;
/// Batches of an account that have not ended.
const BATCHES: u64 = 100;
const BATCHES_MAX: u64 = 10_000;

/// How often vendors are asked for their batches: most take minutes, and a
/// request costs nothing.
const VENDORS_EVERY_MS: u64 = 15_000;
const VENDORS_EVERY_MS_MAX: u64 = 3_600_000;

/// Bounds of files and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// What may be kept.
    pub limits: FileLimits,
    /// What is called at once.
    pub jobs: JobLimits,
    /// How often vendors are asked what has become of their batches.
    pub vendors_every: Duration,
}

/// A number within its bounds, or the one that is usual.
fn within(key: &str, given: Option<u64>, usual: u64, most: u64, problems: &mut Vec<String>) -> u64 {
    let value = given.unwrap_or(usual);
    if !(1..=most).contains(&value) {
        problems.push(format!("{key}: {value} is not between 1 and {most}"));
    }
    value
}

pub(super) fn resolve(files: &RawFiles, batches: &RawBatches, problems: &mut Vec<String>) -> Files {
    let mut read = |key: &str, given, usual, most| within(key, given, usual, most, problems);
    let file_bytes_max = read(
        "files.file_bytes_max",
        files.file_bytes_max,
        FILE_BYTES,
        FILE_BYTES_MAX,
    );
    let quota = FileQuota {
        account_files_max: read(
            "files.account_files_max",
            files.account_files_max,
            ACCOUNT_FILES,
            FILES_MAX,
        ),
        account_bytes_max: read(
            "files.account_bytes_max",
            files.account_bytes_max,
            ACCOUNT_BYTES,
            BYTES_MAX,
        ),
        bytes_max: read("files.bytes_max", files.bytes_max, TOTAL_BYTES, BYTES_MAX),
    };
    let days = read("files.keep_days", files.keep_days, KEEP_DAYS, KEEP_DAYS_MAX);
    let keep_ms = days.saturating_mul(DAY_MS);
    let lines = read(
        "batches.lines_at_once",
        batches.lines_at_once,
        LINES_AT_ONCE as u64,
        LINES_AT_ONCE_MAX as u64,
    );
    let batches_max = read(
        "batches.account_batches_max",
        batches.account_batches_max,
        BATCHES,
        BATCHES_MAX,
    );
    let vendors_ms = read(
        "batches.vendors_every_ms",
        batches.vendors_every_ms,
        VENDORS_EVERY_MS,
        VENDORS_EVERY_MS_MAX,
    );
    Files {
        limits: FileLimits {
            file_bytes_max,
            quota,
            keep_ms,
            batches_max,
        },
        jobs: JobLimits {
            lines_at_once: usize::try_from(lines).unwrap_or(LINES_AT_ONCE),
            keep_ms,
        },
        vendors_every: Duration::from_millis(vendors_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};
    use super::*;

    fn parse(text: &str) -> Result<Files, String> {
        Config::parse("bourse.toml", text, &Environment::default())
            .map(|config| config.files)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn bounds_are_those_of_the_documents_unless_others_are_written() {
        let files = parse("").unwrap();
        assert_eq!(files.limits.file_bytes_max, 209_715_200);
        assert_eq!(files.limits.keep_ms, 2_592_000_000);
        assert_eq!(files.jobs.lines_at_once, 32);
        let text = "[files]\nkeep_days = 2\nbytes_max = 7\n[batches]\nlines_at_once = 4\naccount_batches_max = 1";
        let files = parse(text).unwrap();
        assert_eq!(files.limits.keep_ms, 172_800_000);
        assert_eq!(files.jobs.keep_ms, 172_800_000);
        assert_eq!(files.limits.quota.bytes_max, 7);
        assert_eq!((files.jobs.lines_at_once, files.limits.batches_max), (4, 1));
    }

    #[test]
    fn nonsense_is_refused_by_its_key() {
        for (text, said) in [
            ("[files]\nkeep_days = 0", "files.keep_days: 0 is not"),
            ("[files]\nfile_bytes_max = 0", "files.file_bytes_max: 0"),
            (
                "[batches]\nlines_at_once = 5000",
                "batches.lines_at_once: 5000 is not between 1 and 4096",
            ),
            ("[batches]\nhow_many = 1", "unknown key"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
