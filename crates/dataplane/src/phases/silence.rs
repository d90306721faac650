//! How long a stream may be silent once its answer has begun.
//!
//! `idle` is made for the slowest of all: minutes, in which a client waits for
//! somebody who has stopped. What is learned of an endpoint's gaps
//! ([`bourse_routing::gaps`]) tells sooner. But not every silence is a stop:
//!
//! - Arguments of tools come at once where a provider holds them back until they
//!   are whole (Gemini's function calls; platform.claude.com/docs, fine-grained tool
//!   streaming, 2026: without it, values are buffered), so does a picture, and a
//!   search of the provider's own takes as long as it takes. Calls with any of
//!   these wait as configured.
//! - A model that thinks may do so in the middle of its answer, out of sight. It
//!   is given as long as it may be silent before its answer. Where that is not
//!   known, it is waited for as configured.

use std::time::Duration;

use bourse_routing::lengths::{Form, Thought};

use super::plan::{bucket, thought};
use crate::call::Call;
use crate::market::Target;
use crate::search;

/// The longest silence in an answer that has begun.
pub fn longest(call: &Call, target: &Target) -> Duration {
    let idle = call.gateway.limits.deadlines.idle;
    learned_ms(call, target, idle).map_or(idle, Duration::from_millis)
}

fn learned_ms(call: &Call, target: &Target, idle: Duration) -> Option<u64> {
    let ask = &call.ask;
    let searches = ask.searches() || search::is_always(target, call.endpoint);
    if matches!(ask.form, Form::Tools | Form::Media) || searches {
        return None;
    }
    let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
    let stall_ms = target.health.stall_ms(idle_ms)?;
    if thought(&call.market, target, ask.thinking) == Thought::None {
        return Some(stall_ms);
    }
    let sort = bucket(&call.market, target, ask);
    let thought_ms = target.health.deadline_ms(sort, idle_ms)?;
    Some(stall_ms.max(thought_ms))
}
