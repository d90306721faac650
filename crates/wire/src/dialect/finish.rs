//! Why an answer ended, in everybody's words, and when it has.

use std::borrow::Cow;

use bourse_vocab::Failure;
use bourse_vocab::chat::Finish;

/// Finds a finish by any word that a vendor speaking this format, or a
/// proxy in front of one that speaks another, is likely to use. A list, not
/// a contract: what is missing is read as below.
///
/// No word, an empty one, and the words for "not finished" that some send
/// with every chunk are `None`. An unknown word is a `Stop`: the vendor
/// did say that the answer is complete.
pub fn read(word: Option<&str>) -> Option<Finish> {
    let mut word = Cow::Borrowed(word?);
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        word.to_mut().make_ascii_lowercase();
    }
    Some(match &*word {
        "stop" => Finish::Stop,
        // The second line is what proxies make of Baidu's and Google's words
        // for "goes on".
        "" | "null" | "none" => return None,
        "normal" | "finish_reason_unspecified" => return None,
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "model_length"
        | "token_limit"
        | "max_length"
        | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "tool_call" | "function_call" | "function_calls" | "tool_use" => {
            Finish::ToolCalls
        }
        "content_filter" | "content_filtered" | "safety" | "sensitive" | "refusal" | "blocked"
        | "blocklist" | "recitation" | "prohibited_content" | "spii" | "image_safety" => {
            Finish::ContentFilter
        }
        // `insufficient_system_resource` is DeepSeek's (its API reference,
        // create chat completion, July 2026).
        "error"
        | "network_error"
        | "insufficient_system_resource"
        | "abort"
        | "aborted"
        | "cancelled"
        | "malformed_function_call" => Finish::Error,
        _ => Finish::Stop,
    })
}

/// An answer that calls tools waits for them, whatever word ended it:
/// OpenAI itself says `stop` when the caller named the tool.
pub const fn with_calls(finish: Finish, calls: bool) -> Finish {
    match finish {
        Finish::Stop if calls => Finish::ToolCalls,
        other => other,
    }
}

/// The ends of the answers of a stream.
///
/// The format says that the last chunk of an answer, and no other, gives a
/// reason. Some vendors give one with every chunk; so a reason that comes with
/// content, or before any, is held until it is known that no more follows.
#[derive(Debug, Clone, Default)]
pub struct Endings {
    choices: Vec<Ending>,
}

#[derive(Debug, Clone)]
struct Ending {
    choice: u32,
    /// Something was said.
    spoken: bool,
    held: Option<(Finish, Option<String>)>,
    told: bool,
}

/// A choice that ended: its number, why, and the provider's own word.
pub type Ended = (u32, Finish, Option<String>);

impl Endings {
    fn of(&mut self, choice: u32) -> Option<&mut Ending> {
        let known = self.choices.iter().position(|known| known.choice == choice);
        let at = known.unwrap_or(self.choices.len());
        if known.is_none() {
            self.choices.push(Ending {
                choice,
                spoken: false,
                held: None,
                told: false,
            });
        }
        self.choices.get_mut(at)
    }

    /// Notes what a chunk says of one choice: whether it brings content, and a
    /// reason to stop. Returns the end if it is to be told with this chunk.
    ///
    /// # Errors
    /// The answer goes on after its end was told.
    pub fn chunk(
        &mut self,
        choice: u32,
        content: bool,
        reason: Option<(Finish, Option<String>)>,
    ) -> Result<Option<(Finish, Option<String>)>, Failure> {
        let Some(ending) = self.of(choice) else {
            return Ok(None);
        };
        if ending.told {
            // Repeating the end is harmless, going on after it is not.
            if content {
                return Err(Failure::unavailable(
                    "The provider went on after the answer was complete",
                ));
            }
            return Ok(None);
        }
        if content {
            ending.held = None;
        }
        let was_spoken = ending.spoken;
        ending.spoken |= content;
        let Some(reason) = reason else {
            return Ok(None);
        };
        if content || !was_spoken {
            // The last word counts.
            ending.held = Some(reason);
            return Ok(None);
        }
        ending.told = true;
        ending.held = None;
        Ok(Some(reason))
    }

    /// Nothing more follows: tells the ends that are held.
    pub fn close(&mut self) -> Vec<Ended> {
        let held = self.choices.iter_mut().filter_map(|ending| {
            let (reason, native) = ending.held.take()?;
            ending.told = true;
            Some((ending.choice, reason, native))
        });
        held.collect()
    }

    /// Whether an end is held, or one was told of this choice: then no chunk
    /// of it is like those before.
    #[must_use]
    pub fn is_near(&self, choice: u32) -> bool {
        self.choices
            .iter()
            .any(|ending| ending.choice == choice && (ending.told || ending.held.is_some()))
    }

    /// Whether some end is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.choices.iter().any(|ending| ending.held.is_some())
    }

    /// Whether every choice that was heard of has an end, held or told.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.choices.is_empty()
            && self
                .choices
                .iter()
                .all(|ending| ending.told || ending.held.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_name_is_read_as_itself() {
        for name in ["stop", "length", "tool_calls", "content_filter", "error"] {
            assert_eq!(read(Some(name)).map(Finish::name), Some(name));
        }
    }

    #[test]
    fn synonyms_are_understood() {
        for (word, finish) in [
            ("eos", Some(Finish::Stop)),
            ("END_TURN", Some(Finish::Stop)),
            ("max_tokens", Some(Finish::Length)),
            ("function_call", Some(Finish::ToolCalls)),
            ("SAFETY", Some(Finish::ContentFilter)),
            ("insufficient_system_resource", Some(Finish::Error)),
            ("", None),
            ("normal", None),
        ] {
            assert_eq!(read(Some(word)), finish, "{word}");
        }
        assert_eq!(read(None), None);
    }

    #[test]
    fn a_reason_counts_when_nothing_follows_it() {
        let stop = || Some((Finish::Stop, None));
        let mut endings = Endings::default();
        // With every chunk.
        for _ in 0..3 {
            assert_eq!(endings.chunk(0, true, stop()).unwrap(), None);
        }
        assert!(endings.is_near(0) && endings.is_complete());
        assert_eq!(endings.chunk(0, true, None).unwrap(), None);
        assert!(!endings.is_near(0) && !endings.is_complete());
        // With the first, which says nothing.
        assert_eq!(endings.chunk(1, false, stop()).unwrap(), None);
        // As the format has it.
        assert_eq!(endings.chunk(0, false, stop()).unwrap(), stop());
        assert_eq!(endings.chunk(0, false, stop()).unwrap(), None);
        assert!(endings.chunk(0, true, None).is_err());
        assert_eq!(endings.close(), [(1, Finish::Stop, None)]);
        assert!(endings.close().is_empty() && endings.is_complete());
    }
}
