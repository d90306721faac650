//! One call of the load: what it asks for, and what its client saw.

use crate::crash::market::{Manner, Model};
use crate::crash::scene::Scene;
use crate::words::mix;

/// Marks a request's text, so that the simulator's log can be matched.
const MARK: &str = "mark-";

/// Names a call: which connection, and its how manieth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    /// Connection.
    pub lane: u32,
    /// Position in it.
    pub turn: u32,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MARK}{}-{}-end", self.lane, self.turn)
    }
}

impl Mark {
    /// Finds a mark in a request's text.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let rest = text.split_once(MARK)?.1;
        let (lane, rest) = rest.split_once('-')?;
        let (turn, _) = rest.split_once("-end")?;
        Some(Self {
            lane: lane.parse().ok()?,
            turn: turn.parse().ok()?,
        })
    }
}

/// When a client leaves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It does not.
    Never,
    /// So many milliseconds after it has sent its request.
    AfterMs(u64),
    /// After so many bytes of the answer, its head among them.
    AfterBytes(usize),
}

/// What a call asks for: a pure function of seed and mark.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Names it.
    pub mark: Mark,
    /// The model.
    pub model: &'static Model,
    /// Wants events.
    pub stream: bool,
    /// Most output tokens.
    pub max_tokens: Option<u64>,
    /// Uses the key that may not spend much.
    pub poor: bool,
    /// When its client leaves.
    pub leave: Leave,
}

impl Asked {
    /// The call of that scene, seed and mark.
    #[must_use]
    pub fn of(scene: Scene, seed: u64, mark: Mark) -> Self {
        let key = mix(seed, (u64::from(mark.lane) << 32) | u64::from(mark.turn));
        let draw = |what: u64, below: u64| mix(key, what) % below;
        let models = scene.models();
        let mut at = draw(1, models.iter().map(|model| model.weight).sum());
        // Every table has a first model, and weights that sum to something.
        let mut model = &crate::crash::market::GOOD;
        for next in models {
            model = next;
            if at < model.weight {
                break;
            }
            at -= model.weight;
        }
        let stream = match model.slug {
            "crash/plain" => false,
            // A cut needs a stream to be midway in.
            "crash/long" | "crash/cut" | "crash/fails" | "crash/overrun" => true,
            _ => draw(2, 10) < 7,
        };
        let max_tokens = (model.max_output.is_none() && draw(3, 2) == 0).then(|| 8 + draw(4, 120));
        let leave = match draw(5, 100) {
            _ if model.manner == Manner::Overruns => Leave::AfterMs(100 + draw(6, 500)),
            0..12 => Leave::AfterMs(draw(6, 250)),
            12..24 if scene.is_mixed() => {
                Leave::AfterBytes(usize::try_from(draw(6, 6_000)).unwrap_or(0))
            }
            _ => Leave::Never,
        };
        Self {
            mark,
            model,
            stream,
            max_tokens,
            poor: draw(7, 8) == 0,
            leave,
        }
    }

    /// What is said. Its length varies, so that holds do.
    #[must_use]
    pub fn messages(&self) -> serde_json::Value {
        let words = "more words ".repeat(usize::from((self.mark.turn % 7) as u8));
        serde_json::json!([{"role": "user", "content": format!("{} {words}", self.mark)}])
    }

    /// The request's body.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = serde_json::json!({
            "model": self.model.slug,
            "stream": self.stream,
            "user": self.mark.to_string(),
            "messages": self.messages(),
        });
        if let (Some(most), Some(fields)) = (self.max_tokens, body.as_object_mut()) {
            fields.insert("max_tokens".to_owned(), most.into());
        }
        body.to_string()
    }
}

/// How a call ended, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// Not sent: no server was there.
    #[default]
    Unsent,
    /// The whole answer, with its cost.
    Complete,
    /// An error status.
    Refused(u16),
    /// An error within a stream.
    Broke,
    /// The client left.
    Left,
    /// The connection broke: the server is gone.
    Cut,
    /// An answer that ended without cost and without an error.
    Dressed,
}

/// What a client saw.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it asked for.
    pub asked: Asked,
    /// How many kills there had been when it was sent.
    pub round: u32,
    /// `X-Generation-Id`.
    pub id: Option<String>,
    /// How it ended.
    pub end: End,
    /// `usage.cost`, in nano-dollars.
    pub cost: Option<i64>,
    /// `usage.prompt_tokens` and `usage.completion_tokens`.
    pub tokens: Option<(u64, u64)>,
    /// Bytes of content received.
    pub content_bytes: u64,
    /// Pieces of content received.
    pub pieces: u64,
    /// The body of an error.
    pub error: String,
}

impl Seen {
    /// Nothing yet.
    #[must_use]
    pub const fn nothing(asked: Asked, round: u32) -> Self {
        Self {
            asked,
            round,
            id: None,
            end: End::Unsent,
            cost: None,
            tokens: None,
            content_bytes: 0,
            pieces: 0,
            error: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_the_request_that_carries_it() {
        let mark = Mark { lane: 3, turn: 17 };
        assert_eq!(
            Mark::find(&Asked::of(Scene::Stops, 1, mark).body()),
            Some(mark)
        );
        assert_eq!(Mark::find("{}"), None);
    }

    #[test]
    fn every_model_is_called_and_every_manner_of_leaving_occurs() {
        for scene in [Scene::Stops, Scene::Money, Scene::Hostile] {
            let all: Vec<_> = (0..2_000)
                .map(|turn| Asked::of(scene, 7, Mark { lane: 1, turn }))
                .collect();
            for model in scene.models() {
                assert!(all.iter().any(|asked| asked.model.slug == model.slug));
            }
            let leaves = |is: fn(&Leave) -> bool| all.iter().any(|asked| is(&asked.leave));
            assert!(leaves(|leave| matches!(leave, Leave::AfterMs(_))));
            assert_eq!(
                leaves(|leave| matches!(leave, Leave::AfterBytes(_))),
                scene.is_mixed()
            );
            assert!(all.iter().any(|asked| asked.poor));
        }
    }
}
