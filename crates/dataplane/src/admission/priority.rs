//! Who goes first when not all can go.
//!
//! It is said in a header, because it counts before the body is read. There
//! is no convention for it: LiteLLM has a member `priority` with a number
//! (docs.litellm.ai/docs/scheduler, October 2026, beta), NVIDIA Dynamo a
//! header `x-dynamo-request-priority` with another, and `service_tier` is what
//! a provider is paid for. RFC 9218's `Priority` is sent by browsers without
//! anybody's doing.

use bourse_vocab::Failure;
use http::{HeaderMap, HeaderName};

/// The header.
pub const PRIORITY: HeaderName = HeaderName::from_static("x-bourse-priority");

/// How urgent a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// It may wait, and is the first to be refused.
    Batch,
}

impl Priority {
    /// What a request says of itself.
    ///
    /// # Errors
    /// It says something else, or several things.
    pub fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut said = headers.get_all(PRIORITY).iter();
        let first = said.next();
        if said.next().is_some() {
            return Err(Failure::invalid("X-Bourse-Priority: is there twice"));
        }
        match first.map(http::HeaderValue::as_bytes) {
            None | Some(b"interactive") => Ok(Self::Interactive),
            Some(b"batch") => Ok(Self::Batch),
            Some(_) => Err(Failure::invalid(
                "X-Bourse-Priority: is neither `interactive` nor `batch`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Priority, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PRIORITY, value.parse().unwrap());
        }
        Priority::of(&headers).map_err(|failure| {
            assert_eq!(failure.status(), 400);
            failure.message.into_owned()
        })
    }

    #[test]
    fn a_call_is_interactive_unless_it_says_batch_and_anything_else_is_refused_by_name() {
        assert_eq!(of(&[]), Ok(Priority::Interactive));
        assert_eq!(of(&["interactive"]), Ok(Priority::Interactive));
        assert_eq!(of(&["batch"]), Ok(Priority::Batch));
        let long = "9".repeat(8_000);
        for absurd in ["", "Batch", "-1", "1e99", "batch, batch", "urgent", &long] {
            let told = of(&[absurd]).unwrap_err();
            assert!(told.starts_with("X-Bourse-Priority: is neither"), "{told}");
        }
        let twice = of(&["batch", "batch"]).unwrap_err();
        assert_eq!(twice, "X-Bourse-Priority: is there twice");
    }
}
