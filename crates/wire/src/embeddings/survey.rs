//! What an `input` contains, in numbers, read in one pass and without a copy.

use std::fmt;

use bourse_vocab::Failure;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The most inputs of one request (platform.openai.com/docs/api-reference,
/// embeddings, November 2026: "any array must be 2048 dimensions or less").
pub const INPUTS_MAX: usize = 2_048;
/// The most tokens that a request may send as numbers (the same: "a maximum of
/// 300,000 tokens summed across all inputs").
pub const TOKENS_MAX: u64 = 300_000;

/// What the inputs are. All of a request are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Texts as the numbers of their tokens.
    Tokens,
    /// Objects with parts, which may be more than text.
    Parts,
}

/// What an `input` contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// What the inputs are.
    pub kind: Kind,
    /// How many vectors are asked for.
    pub inputs: usize,
    /// Tokens of all inputs, where they are sent as numbers.
    pub token_ids: u64,
    /// Tokens of the longest input, where they are sent as numbers.
    pub longest_token_ids: u64,
    /// Bytes of the longest text.
    pub longest_bytes: u64,
}

impl Survey {
    /// Looks through the value of `input`.
    ///
    /// # Errors
    /// It is none of what OpenAI or OpenRouter document, empty, or more than
    /// anybody takes.
    pub fn of(input: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice::<Self>(input).map_err(|error| {
            // Where in the value it was is of no use to who sent a body.
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or("");
            Failure::invalid(format!("input: {what}"))
        })
    }

    const fn one(kind: Kind) -> Self {
        Self {
            kind,
            inputs: 1,
            token_ids: 0,
            longest_token_ids: 0,
            longest_bytes: 0,
        }
    }

    const fn text(bytes: usize) -> Self {
        Self {
            longest_bytes: bytes as u64,
            ..Self::one(Kind::Text)
        }
    }

    const fn tokens(count: u64) -> Self {
        Self {
            token_ids: count,
            longest_token_ids: count,
            ..Self::one(Kind::Tokens)
        }
    }

    /// With one more input.
    fn and<E: Error>(self, next: Self) -> Result<Self, E> {
        if next.kind != self.kind {
            return Err(E::custom(
                "the inputs must be all texts, all arrays of tokens or all objects with content",
            ));
        }
        let all = Self {
            inputs: self.inputs.saturating_add(1),
            token_ids: self.token_ids.saturating_add(next.token_ids),
            longest_token_ids: self.longest_token_ids.max(next.longest_token_ids),
            longest_bytes: self.longest_bytes.max(next.longest_bytes),
            ..self
        };
        if all.inputs > INPUTS_MAX {
            return Err(E::custom(format_args!(
                "at most {INPUTS_MAX} inputs in one request; send several"
            )));
        }
        few_tokens(all.token_ids).map(|()| all)
    }
}

fn few_tokens<E: Error>(tokens: u64) -> Result<(), E> {
    if tokens > TOKENS_MAX {
        return Err(E::custom(format_args!(
            "at most {TOKENS_MAX} tokens in one request; send several"
        )));
    }
    Ok(())
}

const EMPTY: &str = "must not be empty";

/// An element of `input`.
enum Element {
    /// An input.
    Input(Survey),
    /// A token of the only one.
    Token,
}

impl<'de> Deserialize<'de> for Survey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

/// All of `input`.
struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Survey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an array of texts, an array of tokens or an array of these arrays")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Survey, E> {
        if text.is_empty() {
            return Err(E::custom(EMPTY));
        }
        Ok(Survey::text(text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Survey, A::Error> {
        let mut all = match elements.next_element::<Element>()? {
            None => return Err(A::Error::custom(EMPTY)),
            Some(Element::Input(first)) => first,
            Some(Element::Token) => return rest_of_tokens(elements).map(Survey::tokens),
        };
        while let Some(element) = elements.next_element()? {
            match element {
                Element::Input(next) => all = all.and(next)?,
                Element::Token => all = all.and(Survey::one(Kind::Tokens))?,
            }
        }
        Ok(all)
    }
}

/// Counts the tokens of an array of which one has been read.
fn rest_of_tokens<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<u64, A::Error> {
    let mut count = 1_u64;
    // Whatever is no token is refused by its type.
    while elements.next_element::<u32>()?.is_some() {
        count = count.saturating_add(1);
        few_tokens(count)?;
    }
    Ok(count)
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(One)
    }
}

/// One element of `input`.
struct One;

impl<'de> Visitor<'de> for One {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token (a whole number), an array of tokens or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
        if text.is_empty() {
            return Err(E::custom("no input may be empty"));
        }
        Ok(Element::Input(Survey::text(text.len())))
    }

    fn visit_u64<E: Error>(self, token: u64) -> Result<Element, E> {
        match u32::try_from(token) {
            Ok(_) => Ok(Element::Token),
            Err(_) => Err(E::custom("no model has a token of so high a number")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<Element, A::Error> {
        if tokens.next_element::<u32>()?.is_none() {
            return Err(A::Error::custom("no input may be empty"));
        }
        let count = rest_of_tokens(tokens)?;
        Ok(Element::Input(Survey::tokens(count)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Element, A::Error> {
        // What is in the parts, the reader of the request says.
        let mut has_content = false;
        while let Some(name) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            has_content |= name == "content";
            members.next_value::<IgnoredAny>()?;
        }
        if !has_content {
            return Err(A::Error::custom("an object must have `content`"));
        }
        Ok(Element::Input(Survey::one(Kind::Parts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(input: &str) -> Result<Survey, String> {
        Survey::of(input.as_bytes()).map_err(|failure| failure.message.into_owned())
    }

    #[test]
    fn every_documented_kind_of_input_is_counted() {
        for (input, expected) in [
            (r#""ab\n""#, Survey::text(3)),
            (
                r#"["a","bcd"]"#,
                Survey {
                    inputs: 2,
                    ..Survey::text(3)
                },
            ),
            ("[1, 2,3]", Survey::tokens(3)),
            (
                "[[1],[2,3]]",
                Survey {
                    inputs: 2,
                    token_ids: 3,
                    longest_token_ids: 2,
                    ..Survey::one(Kind::Tokens)
                },
            ),
            (
                r#"[{"content":[{"type":"text","text":"a"}]}]"#,
                Survey::one(Kind::Parts),
            ),
        ] {
            assert_eq!(of(input), Ok(expected), "{input}");
        }
    }

    #[test]
    fn what_is_no_input_is_refused_with_the_reason() {
        for (input, part) in [
            (r#""""#, "must not be empty"),
            ("[]", "must not be empty"),
            (r#"["a",""]"#, "no input may be empty"),
            ("[[1],[]]", "no input may be empty"),
            (r#"["a",1]"#, "all texts"),
            (r#"["a",[1]]"#, "all texts"),
            (r#"[1,"a"]"#, "invalid type: string"),
            (r#"[1,[2]]"#, "invalid type: sequence"),
            ("[1.5]", "invalid type: floating point"),
            ("[-1]", "invalid type: integer `-1`"),
            ("[1,-1]", "invalid value: integer `-1`"),
            ("[4294967296]", "so high a number"),
            ("[null]", "invalid type: null"),
            ("17", "invalid type: integer `17`, expected a text"),
            ("null", "invalid type: null"),
            ("{}", "invalid type: map"),
            ("[{}]", "must have `content`"),
            ("[[[1]]]", "invalid type: sequence"),
        ] {
            let refused = of(input).unwrap_err();
            assert!(refused.starts_with("input: "), "{input}: {refused}");
            assert!(refused.contains(part), "{input}: {refused}");
            assert!(!refused.contains("line"), "{input}: {refused}");
        }
    }

    #[test]
    fn more_than_anybody_takes_is_refused_while_it_is_counted() {
        let texts = |count: usize| format!("[{}]", vec!["\"a\""; count].join(","));
        assert_eq!(of(&texts(2_048)).unwrap().inputs, 2_048);
        let refused = of(&texts(2_049)).unwrap_err();
        assert!(refused.contains("at most 2048 inputs"), "{refused}");
        let tokens = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(of(&tokens(300_000)).unwrap().token_ids, 300_000);
        for too_many in [tokens(300_001), format!("[{},[1]]", tokens(300_000))] {
            let refused = of(&too_many).unwrap_err();
            assert!(refused.contains("at most 300000 tokens"), "{refused}");
        }
    }
}
