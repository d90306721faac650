//! What a client was told so far of an answer that another target may have to
//! go on with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bourse_vocab::chat::Event;
use bourse_wire::StreamWriter;

/// The longest answer that is gone on with: what was said goes to the next
/// target as a part of its prompt.
const SAID_BYTES_MAX: usize = 1 << 20;

/// What a client was told so far, and what tells it.
#[derive(Clone)]
pub struct Told(Arc<Mutex<Inner>>);

pub(super) struct Inner {
    pub writer: Box<dyn StreamWriter>,
    pub hide_reasoning: bool,
    said: String,
    /// The tier of service was told.
    pub has_tier: bool,
    /// Why nobody can go on with it.
    obstacle: Option<&'static str>,
}

impl Told {
    /// Nothing yet. With `hide_reasoning` the client is not shown what the
    /// model thought.
    #[must_use]
    pub fn new(writer: Box<dyn StreamWriter>, hide_reasoning: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            writer,
            hide_reasoning,
            said: String::new(),
            has_tier: false,
            obstacle: None,
        })))
    }

    /// What was said, if that is all that there is to go on with.
    ///
    /// # Errors
    /// Why nobody can.
    pub fn said(&self) -> Result<String, &'static str> {
        let inner = self.lock();
        match inner.obstacle {
            Some(obstacle) => Err(obstacle),
            None if inner.said.is_empty() => Err("the model was still thinking"),
            None => Ok(inner.said.clone()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Notes what the client is told, as far as somebody may have to go on
    /// with it.
    pub fn note(&mut self, event: &Event) {
        let obstacle = match event {
            Event::Text {
                choice: 0, text, ..
            } => {
                self.said.push_str(text);
                match self.said.len() > SAID_BYTES_MAX {
                    true => "it is too long",
                    false => return,
                }
            }
            Event::Reasoning { .. } if self.said.is_empty() => return,
            Event::Reasoning { .. } => "the model had begun to think again",
            Event::ToolStart { .. } | Event::ToolArguments { .. } => "a tool call had begun",
            Event::Finish { .. } => "it had ended",
            Event::Text { .. } => "there are several answers",
            Event::Refusal { .. } | Event::Image { .. } | Event::Other { .. } => {
                "something other than text was said"
            }
            _ => return,
        };
        self.obstacle = self.obstacle.or(Some(obstacle));
        self.said = String::new();
    }
}
