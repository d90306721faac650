//! Settings that have the right type and make no sense, and where they are
//! in a file.

use toml::de::{DeTable, DeValue};

use super::{
    LIMIT_MAX, Limits, PHASES_MAX, Phase, SCHEDULE_MS_MAX, Script, ScriptError, ScriptSet,
    TOOL_CALLS_MAX, TURNS_MAX,
};
use crate::faults::STALL_MAX;

/// Something absurd: which setting, from the script down, and why.
struct Absurd {
    path: Vec<String>,
    why: String,
}

type Found = Result<(), Absurd>;

fn absurd(setting: &str, why: impl Into<String>) -> Found {
    Err(Absurd {
        path: vec![setting.to_owned()],
        why: why.into(),
    })
}

impl Absurd {
    fn within(mut self, outer: &[&str]) -> Self {
        let outer = outer.iter().map(|part| (*part).to_owned());
        self.path.splice(0..0, outer);
        self
    }

    fn sentence(&self) -> String {
        format!("{} {}", self.path.join("."), self.why)
    }
}

impl From<Absurd> for ScriptError {
    fn from(absurd: Absurd) -> Self {
        Self::Absurd(absurd.sentence())
    }
}

impl Script {
    /// Refuses settings that make no sense.
    pub(super) fn check(&self) -> Result<(), ScriptError> {
        Ok(script(self)?)
    }
}

impl ScriptSet {
    /// Refuses settings that make no sense.
    pub(super) fn check(&self) -> Result<(), ScriptError> {
        Ok(set(self)?)
    }
}

/// Reads and checks a set; an error knows its line.
pub(super) fn from_toml(text: &str) -> Result<ScriptSet, ScriptError> {
    let at = |start: Option<usize>| {
        let before = start.and_then(|start| text.get(..start));
        before.map_or(1, |before| before.matches('\n').count() + 1)
    };
    let read: ScriptSet = toml::from_str(text).map_err(|error| ScriptError::Toml {
        line: at(error.span().map(|span| span.start)),
        message: error.message().to_owned(),
    })?;
    set(&read).map_err(|absurd| ScriptError::Toml {
        line: at(start_of(text, &absurd.path)),
        message: absurd.sentence(),
    })?;
    Ok(read)
}

/// Where a setting begins; of one that is not written, what it would be in.
fn start_of(text: &str, path: &[String]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut start = None;
    let mut here = DeValue::Table(document.into_inner());
    for part in path {
        let next = match here {
            DeValue::Table(table) => {
                let found = table.into_iter().find(|(key, _)| key.get_ref() == part);
                found.map(|(key, value)| (key.span().start, value))
            }
            DeValue::Array(array) => {
                let index: Option<usize> = part.parse().ok();
                let found = index.and_then(|index| array.into_iter().nth(index));
                found.map(|value| (value.span().start, value))
            }
            _ => None,
        };
        let Some((at, value)) = next else { break };
        // A table that continues one above it has its first line there.
        start = Some(at);
        here = value.into_inner();
    }
    start
}

fn set(set: &ScriptSet) -> Found {
    script(&set.default).map_err(|absurd| absurd.within(&["default"]))?;
    for (name, one) in &set.providers {
        script(one).map_err(|absurd| absurd.within(&["providers", name]))?;
    }
    for (name, one) in &set.models {
        script(one).map_err(|absurd| absurd.within(&["models", name]))?;
    }
    Ok(())
}

fn script(script: &Script) -> Found {
    share("error_rate", script.error_rate.unwrap_or(0.0))?;
    share("silent_rate", script.silent_rate)?;
    share("bad_tool_calls", script.bad_tool_calls)?;
    share("slow_rate", script.slow_rate)?;
    for (setting, ms) in [
        ("latency_ms", script.latency_ms),
        ("first_token_ms", script.first_token_ms),
        ("token_ms", script.token_ms),
        ("slow_start_latency_ms", script.slow_start_latency_ms),
        ("slow_first_token_ms", script.slow_first_token_ms),
    ] {
        wait(setting, ms)?;
    }
    if script.slow_start_ms > SCHEDULE_MS_MAX {
        return absurd("slow_start_ms", "is longer than a day");
    }
    if script.slow_start_latency_ms > 0 && script.slow_start_ms == 0 {
        return absurd("slow_start_latency_ms", "needs slow_start_ms");
    }
    if script
        .error_status
        .is_some_and(|status| !(100..1000).contains(&status))
    {
        return absurd("error_status", "is not a number of three digits");
    }
    for (setting, every) in [
        ("slice_bytes", script.slice_bytes.map(|bytes| bytes as u64)),
        ("comment_every", script.comment_every),
        ("keepalive_ms", script.keepalive_ms),
    ] {
        if every == Some(0) {
            return absurd(setting, "is 0: leave it out for none");
        }
    }
    if script.fast && (script.limits.any() || !script.schedule.is_empty()) {
        let setting = if script.limits.any() {
            "limits"
        } else {
            "schedule"
        };
        return absurd(setting, "does nothing beside fast = true");
    }
    if script.turns.len() > TURNS_MAX {
        let count = script.turns.len();
        return absurd("turns", format!("has {count} turns, at most {TURNS_MAX}"));
    }
    let many = |turn: &super::Turn| turn.calls.len() as u64 > TOOL_CALLS_MAX;
    if script.turns.iter().any(many) {
        return absurd(
            "turns",
            format!("has a turn of more than {TOOL_CALLS_MAX} calls"),
        );
    }
    limits(&script.limits).map_err(|absurd| absurd.within(&["limits"]))?;
    schedule(script)
}

fn share(setting: &str, value: f64) -> Found {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    absurd(setting, format!("is {value}: a share is 0 to 1"))
}

fn wait(setting: &str, ms: u64) -> Found {
    let most = STALL_MAX.as_millis();
    if u128::from(ms) <= most {
        return Ok(());
    }
    absurd(setting, format!("is {ms}: at most {most} ms"))
}

fn limits(limits: &Limits) -> Found {
    for (setting, limit) in [
        ("requests_per_minute", limits.requests_per_minute),
        ("tokens_per_minute", limits.tokens_per_minute),
        ("concurrency", limits.concurrency),
        ("capacity", limits.capacity),
    ] {
        if limit == Some(0) {
            return absurd(setting, "is 0: a provider that lets nothing in is down");
        }
        if limit.is_some_and(|limit| limit > LIMIT_MAX) {
            return absurd(setting, format!("is above {LIMIT_MAX}"));
        }
    }
    Ok(())
}

fn schedule(script: &Script) -> Found {
    if script.schedule.len() > PHASES_MAX {
        let count = script.schedule.len();
        return absurd(
            "schedule",
            format!("has {count} phases, at most {PHASES_MAX}"),
        );
    }
    for (index, one) in script.schedule.iter().enumerate() {
        phase(script, one).map_err(|absurd| absurd.within(&["schedule", &index.to_string()]))?;
    }
    Ok(())
}

fn phase(script: &Script, phase: &Phase) -> Found {
    for (setting, ms) in [
        ("from_ms", Some(phase.from_ms)),
        ("to_ms", phase.to_ms),
        ("every_ms", phase.every_ms),
        ("jitter_ms", Some(phase.jitter_ms)),
    ] {
        if ms.is_some_and(|ms| ms > SCHEDULE_MS_MAX) {
            return absurd(setting, "is longer than a day");
        }
    }
    let lasts = match phase.to_ms.map(|to| to.checked_sub(phase.from_ms)) {
        Some(None | Some(0)) => return absurd("to_ms", "is not after from_ms"),
        Some(lasts) => lasts,
        None => None,
    };
    match (phase.every_ms, lasts) {
        (None, _) if phase.jitter_ms > 0 && lasts.is_none() => {
            return absurd("jitter_ms", "needs to_ms");
        }
        (Some(_), None) => return absurd("every_ms", "needs to_ms: it never ends"),
        (Some(every), Some(lasts)) if every < lasts + phase.jitter_ms => {
            return absurd("every_ms", "is shorter than the phase and its jitter");
        }
        _ => {}
    }
    for end in phase.error_rate.iter().flat_map(|ramp| ramp.ends()) {
        share("error_rate", end)?;
    }
    for (setting, ramp) in [
        ("latency_ms", phase.latency_ms),
        ("first_token_ms", phase.first_token_ms),
    ] {
        for end in ramp.iter().flat_map(|ramp| ramp.ends()) {
            #[allow(clippy::cast_precision_loss, reason = "ten minutes are exact")]
            let most = STALL_MAX.as_millis() as f64;
            if !(0.0..=most).contains(&end) {
                return absurd(setting, format!("is {end}: 0 to {most} ms"));
            }
        }
    }
    if let Some(setting) = ["schedule", "limits", "fast"]
        .into_iter()
        .find(|setting| phase.set.contains_key(*setting))
    {
        return absurd("set", format!("cannot change {setting}"));
    }
    let plain = Script {
        schedule: Vec::new(),
        ..script.clone()
    };
    let with = plain.with(phase.set.clone());
    match with.map(|with| self::script(&with)) {
        Ok(found) => found.map_err(|absurd| absurd.within(&["set"])),
        Err(error) => absurd("set", format!("does not fit: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_settings_are_refused_with_file_and_line() {
        for (text, says) in [
            (
                "[default]\nerror_rate = 1.5\n",
                "s.toml:2: default.error_rate is 1.5: a share is 0 to 1",
            ),
            (
                "\n[providers.a]\nsilent_rate = -0.1",
                "s.toml:3: providers.a.silent_rate",
            ),
            (
                "[default]\nsilent_rate = nan",
                "s.toml:2: default.silent_rate is NaN",
            ),
            (
                "[models.\"x/y\"]\nlatency_ms = 600001",
                "s.toml:2: models.x/y.latency_ms",
            ),
            (
                "[default]\nslow_start_latency_ms = 5",
                "s.toml:2: default.slow_start_latency_ms needs slow_start_ms",
            ),
            (
                "[default]\nerror_status = 7",
                "s.toml:2: default.error_status",
            ),
            (
                "[default]\nkeepalive_ms = 0",
                "s.toml:2: default.keepalive_ms is 0",
            ),
            (
                "[default]\n[default.limits]\n\nconcurrency = 0",
                "s.toml:4: default.limits.concurrency is 0",
            ),
            (
                "[default.limits]\ntokens_per_minute = 1000000001",
                "s.toml:2: default.limits.tokens_per_minute is above",
            ),
            (
                "[default]\nfast = true\nlimits = { capacity = 1 }",
                "s.toml:3: default.limits does nothing",
            ),
            ("[default]\nlatency = 3", "s.toml:2: unknown field"),
            ("[default]\nlatency_ms = -3", "s.toml:2: invalid value"),
        ] {
            let error = ScriptSet::from_toml(text).unwrap_err().in_file("s.toml");
            assert!(error.starts_with(says), "{text}\n{error}\n{says}");
        }
    }

    #[test]
    fn absurd_schedules_are_refused_with_file_and_line() {
        let phase = |settings: &str| {
            format!(
                "[[default.schedule]]\nfrom_ms = 5\nto_ms = 9\n\n[[default.schedule]]\n{settings}"
            )
        };
        for (settings, says) in [
            (
                "from_ms = 9\nto_ms = 9",
                "7: default.schedule.1.to_ms is not after from_ms",
            ),
            ("every_ms = 9", "6: default.schedule.1.every_ms needs to_ms"),
            (
                "to_ms = 9\nevery_ms = 10\njitter_ms = 2",
                "7: default.schedule.1.every_ms is shorter",
            ),
            (
                "jitter_ms = 3",
                "6: default.schedule.1.jitter_ms needs to_ms",
            ),
            (
                "to_ms = 86400001",
                "6: default.schedule.1.to_ms is longer than a day",
            ),
            (
                "error_rate = [0.0, 1.2]",
                "6: default.schedule.1.error_rate is 1.2",
            ),
            (
                "latency_ms = [-1, 5]",
                "6: default.schedule.1.latency_ms is -1",
            ),
            (
                "set = { limits = {} }",
                "6: default.schedule.1.set cannot change limits",
            ),
            (
                "set = { odd = 1 }",
                "6: default.schedule.1.set does not fit",
            ),
            (
                "[default.schedule.set]\nslow_rate = 2",
                "7: default.schedule.1.set.slow_rate is 2",
            ),
            ("down = \"gone\"", "6: unknown variant"),
        ] {
            let error = ScriptSet::from_toml(&phase(settings)).unwrap_err();
            let error = error.in_file("s.toml");
            assert!(
                error.starts_with(&format!("s.toml:{says}")),
                "{settings}\n{error}"
            );
        }
        let many = "[[default.schedule]]\n".repeat(PHASES_MAX + 1);
        let error = ScriptSet::from_toml(&many).unwrap_err().to_string();
        assert!(error.contains("has 65 phases"), "{error}");
    }

    #[test]
    fn what_the_control_path_and_the_header_lay_in_is_checked_too() {
        let one = Script::from_json(br#"{"error_rate":2}"#).unwrap_err();
        assert_eq!(one.to_string(), "error_rate is 2: a share is 0 to 1");
        let all = ScriptSet::from_json(br#"{"models":{"m":{"slice_bytes":0}}}"#).unwrap_err();
        assert_eq!(
            all.to_string(),
            "models.m.slice_bytes is 0: leave it out for none"
        );
        assert!(Script::default().overlaid(r#"{"slow_rate":-1}"#).is_err());
    }
}
