//! Faults by the clock: what a script says at a moment since it began.
//!
//! Pure: script and time decide, so a run can be computed beforehand. A
//! schedule begins when its script is laid in and when the simulator is
//! reset.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Script;
use crate::words::mix;

/// Most phases of one schedule: each is looked at for every request.
pub const PHASES_MAX: usize = 64;
/// Longest time that a schedule may speak of, in milliseconds: a day.
pub const SCHEDULE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// A stretch of time in which a provider behaves otherwise. Where phases
/// overlap, the later one in the list wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phase {
    /// When it begins, in milliseconds since the script was laid in.
    pub from_ms: u64,
    /// When it ends. Unset: never.
    pub to_ms: Option<u64>,
    /// Comes again every so many milliseconds.
    pub every_ms: Option<u64>,
    /// Begins and ends later by up to so many milliseconds, each time by
    /// another amount that the seed decides.
    pub jitter_ms: u64,
    /// The provider is away, in this manner.
    pub down: Option<Down>,
    /// Share of requests that fail, from the first to the last moment.
    pub error_rate: Option<Ramp>,
    /// Wait before the response head, in milliseconds.
    pub latency_ms: Option<Ramp>,
    /// Wait between the head and the first event, in milliseconds.
    pub first_token_ms: Option<Ramp>,
    /// Any other settings of a script.
    pub set: Map<String, Value>,
}

/// How a provider is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// Every request gets 503.
    Error,
    /// Every connection is closed without an answer.
    Close,
    /// Every connection is reset without an answer.
    Reset,
    /// Requests are accepted, and nothing follows.
    Silent,
}

/// A value that stays, or goes evenly from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ramp {
    /// Stays.
    At(f64),
    /// At the beginning, and at the end of the phase.
    Between(f64, f64),
}

impl Ramp {
    /// The value when so much of the phase (0 to 1) is over.
    #[must_use]
    pub fn at(self, over: f64) -> f64 {
        match self {
            Self::At(value) => value,
            Self::Between(from, to) => from + (to - from) * over.clamp(0.0, 1.0),
        }
    }

    /// Its ends.
    pub(super) const fn ends(self) -> [f64; 2] {
        match self {
            Self::At(value) => [value, value],
            Self::Between(from, to) => [from, to],
        }
    }

    /// The value in whole milliseconds.
    fn millis(self, over: f64) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be between zero and ten minutes; `as` saturates besides"
        )]
        let millis = self.at(over).round() as u64;
        millis
    }
}

impl Phase {
    /// Begin and end of the latest turn that has begun, if one has.
    fn turn(&self, index: usize, seed: u64, elapsed_ms: u64) -> Option<(u64, Option<u64>)> {
        let since = elapsed_ms.checked_sub(self.from_ms)?;
        let count = self.every_ms.map_or(0, |every| since / every.max(1));
        // With jitter the turn that is due may not have begun, and the one
        // before it may still go on.
        [Some(count), count.checked_sub(1)]
            .into_iter()
            .flatten()
            .map(|turn| {
                let late = match self.jitter_ms {
                    0 => 0,
                    most => {
                        mix(mix(seed ^ 0x5c4e_d01e, index as u64), turn) % most.saturating_add(1)
                    }
                };
                let shift = self.every_ms.unwrap_or(0).saturating_mul(turn) + late;
                (
                    self.from_ms.saturating_add(shift),
                    self.to_ms.map(|to| to.saturating_add(shift)),
                )
            })
            .find(|(from, _)| *from <= elapsed_ms)
    }

    /// How much of it is over, 0 to 1, while it lasts.
    fn over(&self, index: usize, seed: u64, elapsed_ms: u64) -> Option<f64> {
        let (from, to) = self.turn(index, seed, elapsed_ms)?;
        let Some(to) = to else { return Some(0.0) };
        #[allow(clippy::cast_precision_loss, reason = "times are below 2^52 ms")]
        let share = (elapsed_ms - from) as f64 / to.saturating_sub(from).max(1) as f64;
        (elapsed_ms < to).then_some(share)
    }

    fn lay_over(&self, script: &mut Script, over: f64) {
        if let Some(rate) = self.error_rate {
            script.error_rate = Some(rate.at(over));
        }
        if let Some(latency) = self.latency_ms {
            script.latency_ms = latency.millis(over);
        }
        if let Some(first) = self.first_token_ms {
            script.first_token_ms = first.millis(over);
        }
        match self.down {
            None => {}
            Some(Down::Error) => {
                script.error_rate = Some(1.0);
                script.error_status = Some(503);
            }
            Some(Down::Close) => script.close_before_headers = true,
            Some(Down::Reset) => {
                script.close_before_headers = true;
                script.cut_with_reset = true;
            }
            Some(Down::Silent) => script.never_answer = true,
        }
    }
}

impl Script {
    /// The script in force so many milliseconds after it began.
    #[must_use]
    pub fn at(&self, elapsed_ms: u64) -> Cow<'_, Self> {
        if self.schedule.is_empty() && self.slow_start_ms == 0 {
            return Cow::Borrowed(self);
        }
        let mut script = Self {
            schedule: Vec::new(),
            ..self.clone()
        };
        for (index, phase) in self.schedule.iter().enumerate() {
            let Some(over) = phase.over(index, self.seed, elapsed_ms) else {
                continue;
            };
            if !phase.set.is_empty()
                && let Ok(with) = script.with(phase.set.clone())
            {
                // Settings that do not fit were refused when the script was read.
                script = with;
            }
            phase.lay_over(&mut script, over);
        }
        script.latency_ms += self.slow_start_extra_ms(elapsed_ms);
        Cow::Owned(script)
    }

    /// What a provider that has just come up adds to each answer's wait:
    /// most of it at once, nothing at the end of its slow start.
    fn slow_start_extra_ms(&self, elapsed_ms: u64) -> u64 {
        let up_for = elapsed_ms.saturating_sub(self.last_up_ms(elapsed_ms));
        let left = self.slow_start_ms.saturating_sub(up_for);
        self.slow_start_latency_ms
            .saturating_mul(left)
            .checked_div(self.slow_start_ms)
            .unwrap_or(0)
    }

    /// When it last came up: at its beginning, or when a phase in which it
    /// was down ended.
    fn last_up_ms(&self, elapsed_ms: u64) -> u64 {
        let down = self.schedule.iter().enumerate();
        down.filter(|(_, phase)| phase.down.is_some())
            .filter_map(|(index, phase)| {
                let (from, to) = phase.turn(index, self.seed, elapsed_ms)?;
                match to {
                    Some(to) if to <= elapsed_ms => Some(to),
                    // The end of the turn before, while this one lasts, is no
                    // use to anybody: it is down.
                    _ => Some(from),
                }
            })
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduled(phases: Vec<Phase>) -> Script {
        Script {
            schedule: phases,
            ..Script::default()
        }
    }

    #[test]
    fn a_phase_holds_from_its_beginning_to_just_before_its_end() {
        let script = scheduled(vec![Phase {
            from_ms: 100,
            to_ms: Some(200),
            down: Some(Down::Error),
            ..Phase::default()
        }]);
        for (at, down) in [
            (0, false),
            (99, false),
            (100, true),
            (199, true),
            (200, false),
        ] {
            assert_eq!(script.at(at).fails(0), down, "at {at}");
        }
    }

    #[test]
    fn a_ramp_goes_evenly_from_one_value_to_the_other() {
        let script = scheduled(vec![Phase {
            from_ms: 1_000,
            to_ms: Some(3_000),
            latency_ms: Some(Ramp::Between(0.0, 400.0)),
            error_rate: Some(Ramp::Between(1.0, 0.0)),
            ..Phase::default()
        }]);
        let seen: Vec<u64> = [0, 1_000, 1_500, 2_000, 2_999, 3_000]
            .map(|at| script.at(at).latency_ms)
            .to_vec();
        assert_eq!(seen, [0, 0, 100, 200, 400, 0]);
        assert_eq!(script.at(2_000).error_rate, Some(0.5));
    }

    #[test]
    fn a_phase_comes_again_and_again_and_its_jitter_is_the_seeds() {
        let phase = |jitter_ms| Phase {
            from_ms: 100,
            to_ms: Some(200),
            every_ms: Some(1_000),
            jitter_ms,
            down: Some(Down::Reset),
            ..Phase::default()
        };
        let steady = scheduled(vec![phase(0)]);
        let downs = |script: &Script| -> Vec<u64> {
            (0..50_000)
                .filter(|at| {
                    let now = script.at(*at).close_before_headers;
                    now && (*at == 0 || !script.at(at - 1).close_before_headers)
                })
                .collect()
        };
        assert_eq!(downs(&steady).len(), 50);
        let late = scheduled(vec![phase(500)]);
        let (one, again) = (downs(&late), downs(&late));
        assert_eq!(one.len(), 50);
        assert_eq!(one, again);
        let other = downs(&Script { seed: 9, ..late });
        assert_ne!(one, other);
        for (turn, at) in one.iter().enumerate() {
            let due = 100 + turn as u64 * 1_000;
            assert!((due..=due + 500).contains(at), "turn {turn} at {at}");
        }
    }

    #[test]
    fn a_provider_that_came_up_is_slow_at_first() {
        let script = Script {
            slow_start_ms: 1_000,
            slow_start_latency_ms: 400,
            latency_ms: 10,
            ..scheduled(vec![Phase {
                from_ms: 5_000,
                to_ms: Some(6_000),
                down: Some(Down::Silent),
                ..Phase::default()
            }])
        };
        let seen = [0, 500, 1_000, 4_999, 6_000, 6_750, 7_000].map(|at| script.at(at).latency_ms);
        assert_eq!(seen, [410, 210, 10, 10, 410, 110, 10]);
    }

    #[test]
    fn other_settings_hold_while_their_phase_does() {
        let set = serde_json::json!({ "stall_after_tokens": 3, "usage": "missing" });
        let script = scheduled(vec![Phase {
            to_ms: Some(50),
            set: set.as_object().cloned().unwrap(),
            ..Phase::default()
        }]);
        assert_eq!(script.at(0).stall_after_tokens, Some(3));
        assert_eq!(script.at(0).usage, crate::UsageFault::Missing);
        assert_eq!(script.at(50).stall_after_tokens, None);
    }
}
