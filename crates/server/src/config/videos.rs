//! `[videos]`: how films are asked after, and which callbacks may be in the
//! operator's own network.

use std::time::Duration;

use bourse_jobs::video::VideoLimits;
use bourse_net::Origin;

use super::raw::RawVideos;

/// Milliseconds between two questions after a job, in its first minutes.
const ASK_EVERY_MS: u64 = 5_000;
const ASK_EVERY_MS_MAX: u64 = 60_000;
/// Hours after which nobody asks any more: vendors take minutes.
const GIVE_UP_HOURS: u64 = 24;
const GIVE_UP_HOURS_MAX: u64 = 168;
/// Days for which it is known what became of a job.
const KEEP_DAYS: u64 = 30;
const KEEP_DAYS_MAX: u64 = 3_650;
/// Origins that may be listed.
const ORIGINS_MAX: usize = 64;

/// Films.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Videos {
    /// Bounds.
    pub limits: VideoLimits,
    /// Origins that callbacks may name although they are private, or plain http.
    pub callback_origins: Vec<Origin>,
}

pub(super) fn resolve(raw: &RawVideos, problems: &mut Vec<String>) -> Videos {
    let mut read = |key: &str, given: Option<u64>, usual: u64, most: u64| {
        let value = given.unwrap_or(usual);
        if !(1..=most).contains(&value) {
            problems.push(format!("videos.{key}: {value} is not between 1 and {most}"));
        }
        value
    };
    let ask_every = read(
        "ask_every_ms",
        raw.ask_every_ms,
        ASK_EVERY_MS,
        ASK_EVERY_MS_MAX,
    );
    let give_up = read(
        "give_up_hours",
        raw.give_up_hours,
        GIVE_UP_HOURS,
        GIVE_UP_HOURS_MAX,
    );
    let keep_days = read("keep_days", raw.keep_days, KEEP_DAYS, KEEP_DAYS_MAX);
    let mut callback_origins = Vec::new();
    for text in &raw.callback_origins {
        match Origin::parse_operator(text) {
            Ok((origin, path)) if path == "/" => callback_origins.push(origin),
            Ok(_) => problems.push("videos.callback_origins: an origin has no path".to_owned()),
            Err(error) => problems.push(format!("videos.callback_origins: {error}")),
        }
    }
    if callback_origins.len() > ORIGINS_MAX {
        problems.push(format!(
            "videos.callback_origins: at most {ORIGINS_MAX} of them"
        ));
    }
    Videos {
        limits: VideoLimits {
            ask_every: Duration::from_millis(ask_every),
            give_up_after: Duration::from_secs(give_up.saturating_mul(3_600)),
            keep_ms: keep_days.saturating_mul(86_400_000),
        },
        callback_origins,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};

    #[test]
    fn bounds_and_origins_are_read_and_nonsense_is_refused_by_its_key() {
        let parse = |text: &str| {
            Config::parse("bourse.toml", text, &Environment::default())
                .map(|config| config.videos)
                .map_err(|error| error.to_string())
        };
        let usual = parse("").unwrap();
        assert_eq!(usual.limits.ask_every.as_millis(), 5_000);
        assert!(usual.callback_origins.is_empty());
        let text = "[videos]\nask_every_ms = 100\ncallback_origins = [\"http://10.0.0.7:80\"]";
        let given = parse(text).unwrap();
        assert_eq!(given.callback_origins[0].to_string(), "http://10.0.0.7");
        for (text, said) in [
            ("[videos]\nask_every_ms = 0", "videos.ask_every_ms: 0"),
            ("[videos]\ngive_up_hours = 999", "videos.give_up_hours: 999"),
            (
                "[videos]\ncallback_origins = [\"https://a.example/x\"]",
                "an origin has no path",
            ),
            (
                "[videos]\ncallback_origins = [\"ftp://a\"]",
                "videos.callback_origins: only http",
            ),
            ("[videos]\nhow = 1", "unknown key"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
