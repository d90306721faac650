//! A thought of another vendor that a stream tells piece by piece.

use bourse_vocab::chat::{ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;

use super::super::{part, seal};

/// A thought whose seal has not been written yet, because more of it may
/// come. What a provider sends in all is bounded where its bytes are read.
#[derive(Debug)]
pub struct Open {
    /// Which answer it is of.
    pub choice: u32,
    index: u32,
    id: Option<String>,
    scheme: Option<String>,
    /// What was thought, where the client is not shown it.
    hidden: String,
    signature: String,
    encrypted: String,
}

impl Open {
    /// A thought that begins with this piece.
    pub fn new(choice: u32, delta: &ReasoningDelta) -> Self {
        Self {
            choice,
            index: delta.index,
            id: delta.id.clone(),
            scheme: delta.scheme.clone(),
            hidden: String::new(),
            signature: String::new(),
            encrypted: String::new(),
        }
    }

    /// Whether a piece goes on with it.
    pub fn goes_on(&self, choice: u32, delta: &ReasoningDelta) -> bool {
        (self.choice, self.index) == (choice, delta.index)
    }

    /// Takes a piece; returns the part that shows it, if it is to be shown.
    pub fn take(&mut self, delta: &ReasoningDelta, shows: bool) -> Option<Value> {
        if self.id.is_none() {
            self.id.clone_from(&delta.id);
        }
        let text = match &delta.kind {
            ReasoningKind::Text { text, signature } => {
                if let Some(signature) = signature {
                    self.signature.push_str(signature);
                }
                if !shows {
                    self.hidden.push_str(text);
                }
                text
            }
            ReasoningKind::Summary(text) => text,
            ReasoningKind::Encrypted(more) => {
                self.encrypted.push_str(more);
                return None;
            }
        };
        (shows && !text.is_empty()).then(|| json!({"text": text, "thought": true}))
    }

    /// The parts that give back to the vendor what it wants back.
    pub fn close(self) -> impl Iterator<Item = Value> {
        let (scheme, id) = (self.scheme.as_deref(), self.id.as_deref());
        let signed = (!self.signature.is_empty())
            .then(|| seal::signed(scheme, id, &self.signature, &self.hidden));
        let encrypted =
            (!self.encrypted.is_empty()).then(|| seal::encrypted(scheme, id, &self.encrypted));
        [signed, encrypted].into_iter().flatten().map(|seal| {
            let mut sealed = json!({"text": "", "thought": true});
            part::sign(&mut sealed, seal);
            sealed
        })
    }
}
