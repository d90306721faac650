//! Pieces of reasoning, and the items that hold them.
//!
//! An item has summaries, thoughts and one seal, in this order; the vocabulary
//! has a row of pieces. Pieces go into one item for as long as they keep to
//! the order and have the same id and scheme, so that an item and its pieces
//! are the same thing whichever way one reads them.

use bourse_vocab::chat::{Reasoning, ReasoningKind};

use super::MADE_UP;
use crate::gemini::seal;

/// One item of reasoning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thought {
    /// The provider's id for it.
    pub id: Option<String>,
    /// Whose seal or signature it has.
    pub scheme: Option<String>,
    /// Summaries.
    pub summary: Vec<String>,
    /// Thoughts in full.
    pub content: Vec<String>,
    /// Proof of the thoughts.
    pub signature: Option<String>,
    /// What only the provider can read.
    pub sealed: Option<String>,
}

impl Thought {
    /// Whether a piece still fits into the item.
    pub fn takes(&self, kind: &ReasoningKind, id: Option<&str>, scheme: Option<&str>) -> bool {
        let same_id = self.id.as_deref() == id;
        let same_scheme = self.scheme.as_deref() == scheme;
        let in_order = match kind {
            ReasoningKind::Summary(_) => self.content.is_empty() && self.signature.is_none(),
            ReasoningKind::Text { .. } => self.signature.is_none(),
            ReasoningKind::Encrypted(_) => true,
        };
        same_id && same_scheme && in_order && self.sealed.is_none()
    }

    /// What its vendor wants back, in the one member that every client sends
    /// back: Codex 0.171, langchain-openai 1.7, pydantic-ai 2.38 and llm 0.36
    /// leave out `signature` and `format`, and most of them `content`.
    pub fn seal(&self) -> Option<String> {
        if self.sealed.is_some() || (self.signature.is_none() && self.content.is_empty()) {
            return self.sealed.clone();
        }
        let signature = self.signature.as_deref().unwrap_or_default();
        let text = self.content.concat();
        Some(seal::signed(self.scheme.as_deref(), None, signature, &text))
    }

    /// The item as its vendor made it, where what is sealed is of our making.
    pub fn unsealed(mut self) -> Self {
        let opened = self
            .sealed
            .as_deref()
            .and_then(|sealed| seal::open(sealed, ""));
        let Some(Reasoning {
            kind: ReasoningKind::Text { text, signature },
            scheme,
            ..
        }) = opened
        else {
            return self;
        };
        self.sealed = None;
        // Who sends back the signature sends back the text that it is of.
        if self.signature.is_none() {
            self.content = vec![text];
            self.signature = signature.filter(|signature| !signature.is_empty());
            self.scheme = scheme;
        }
        self
    }

    /// Adds a piece that fits.
    fn add(&mut self, kind: &ReasoningKind) {
        match kind {
            ReasoningKind::Summary(text) => self.summary.push(text.clone()),
            ReasoningKind::Text { text, signature } => {
                if !text.is_empty() {
                    self.content.push(text.clone());
                }
                self.signature.clone_from(signature);
            }
            ReasoningKind::Encrypted(data) => self.sealed = Some(data.clone()),
        }
    }

    /// An item with one piece.
    pub fn of(piece: &Reasoning) -> Self {
        let mut thought = Self {
            id: piece.id.clone(),
            scheme: piece.scheme.clone(),
            ..Self::default()
        };
        thought.add(&piece.kind);
        thought
    }

    /// Takes a piece in, or begins the next item with it.
    pub fn push(list: &mut Vec<Self>, piece: &Reasoning) {
        let (id, scheme) = (piece.id.as_deref(), piece.scheme.as_deref());
        match list.last_mut() {
            Some(last) if last.takes(&piece.kind, id, scheme) => last.add(&piece.kind),
            _ => list.push(Self::of(piece)),
        }
    }

    /// The pieces of the item, in order.
    pub fn pieces(self) -> Vec<Reasoning> {
        let (id, scheme) = (self.id, self.scheme);
        let piece = |kind| Reasoning {
            kind,
            id: id.clone(),
            scheme: scheme.clone(),
            replayed: None,
        };
        let mut pieces: Vec<Reasoning> = self
            .summary
            .into_iter()
            .map(|text| piece(ReasoningKind::Summary(text)))
            .collect();
        let mut signature = self.signature;
        let mut content = self.content;
        if content.is_empty() && signature.is_some() {
            content.push(String::new());
        }
        let last = content.len().saturating_sub(1);
        for (at, text) in content.into_iter().enumerate() {
            let signature = if at == last { signature.take() } else { None };
            pieces.push(piece(ReasoningKind::Text { text, signature }));
        }
        pieces.extend(
            self.sealed
                .map(|data| piece(ReasoningKind::Encrypted(data))),
        );
        pieces
    }
}

/// The provider's id in an item's `id`, unless it was made up here.
pub fn own_id(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && !id.contains(MADE_UP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(kind: ReasoningKind, id: Option<&str>) -> Reasoning {
        Reasoning {
            kind,
            id: id.map(str::to_owned),
            scheme: Some("s".to_owned()),
            replayed: None,
        }
    }

    #[test]
    fn a_thought_comes_back_whole_in_what_every_client_sends_back() {
        for (scheme, signature) in [(Some("anthropic-claude-v1"), Some("EqQB==")), (None, None)] {
            let thought = Thought {
                scheme: scheme.map(str::to_owned),
                content: vec!["hm, so.".to_owned()],
                signature: signature.map(str::to_owned),
                ..Thought::default()
            };
            // The members that OpenAI documents.
            let kept = Thought {
                scheme: Some("openai-responses-v1".to_owned()),
                sealed: thought.seal(),
                ..Thought::default()
            };
            assert_eq!(kept.unsealed(), thought);
            let all = Thought {
                sealed: thought.seal(),
                ..thought.clone()
            };
            assert_eq!(all.unsealed(), thought);
        }
        let theirs = Thought {
            sealed: Some("gAAAA".to_owned()),
            ..Thought::default()
        };
        assert_eq!(theirs.seal().as_deref(), Some("gAAAA"));
        assert_eq!(theirs.clone().unsealed(), theirs);
        assert_eq!(Thought::default().seal(), None);
    }

    #[test]
    fn pieces_are_the_same_after_they_were_in_items() {
        let text = |text: &str, signature: Option<&str>| ReasoningKind::Text {
            text: text.to_owned(),
            signature: signature.map(str::to_owned),
        };
        let sealed = |data: &str| ReasoningKind::Encrypted(data.to_owned());
        let summary = |said: &str| ReasoningKind::Summary(said.to_owned());
        let rows = [
            vec![
                piece(summary("a"), Some("rs_1")),
                piece(summary("b"), Some("rs_1")),
                piece(sealed("X"), Some("rs_1")),
            ],
            vec![
                piece(text("a", Some("S")), None),
                piece(sealed("X"), None),
                piece(text("b", Some("T")), None),
            ],
            vec![piece(sealed("X"), None), piece(sealed("Y"), None)],
            vec![piece(text("", Some("S")), None)],
            vec![piece(summary("a"), None), piece(sealed("X"), Some("rs_1"))],
        ];
        for row in rows {
            let mut items = Vec::new();
            for piece in &row {
                Thought::push(&mut items, piece);
            }
            let back: Vec<_> = items.into_iter().flat_map(Thought::pieces).collect();
            assert_eq!(back, row);
        }
    }

    #[test]
    fn ids_that_are_made_up_here_are_nobodys() {
        assert_eq!(own_id(Some("rs_gen-1-2_0".into())), None);
        assert_eq!(own_id(Some("rs_1".into())).as_deref(), Some("rs_1"));
    }
}
