//! Other vendors' signatures inside Anthropic's `signature` and `data`.
//!
//! A client of this format replays thinking blocks as it got them, but the
//! block has no member that says whose signature it holds. When the answer
//! came from another vendor, the signature is wrapped with the name of its
//! scheme and the piece's id, so that the next turn can tell: it goes back
//! to its vendor whole, and is never sent to Anthropic, which would refuse
//! the request.

use bourse_vocab::chat::Reasoning;

use super::SCHEME;

const MARK: &str = "bourse:";
/// How a seal begins where it is a value of JSON.
pub(super) const BEGINNING: &[u8] = b"\"bourse:";
/// In place of the signature of a thought that nobody signed: clients drop a
/// block without any (@ai-sdk/anthropic in opencode 1.18, pydantic-ai 2.38),
/// and some models want their thoughts back all the same.
pub(super) const UNSIGNED: &str = "bourse:unknown:0:";

/// Wraps `payload` unless it is Anthropic's own.
pub(super) fn close(scheme: Option<&str>, id: Option<&str>, payload: &str) -> String {
    match (scheme, id) {
        (None, None) => payload.to_owned(),
        (Some(SCHEME), _) => payload.to_owned(),
        (scheme, id) => {
            let scheme = scheme.unwrap_or("unknown");
            // Ids may hold any character, so their length goes first.
            let id = id.unwrap_or("");
            format!("{MARK}{scheme}:{}:{id}{payload}", id.len())
        }
    }
}

/// Who signed, the piece's id, and the signature proper.
pub(super) fn open(sealed: &str) -> (String, Option<String>, String) {
    unwrap(sealed).unwrap_or_else(|| (SCHEME.to_owned(), None, sealed.to_owned()))
}

fn unwrap(sealed: &str) -> Option<(String, Option<String>, String)> {
    let rest = sealed.strip_prefix(MARK)?;
    let (scheme, rest) = rest.split_once(':')?;
    let (length, rest) = rest.split_once(':')?;
    let (id, payload) = rest.split_at_checked(length.parse().ok()?)?;
    let id = (!id.is_empty()).then(|| id.to_owned());
    Some((scheme.to_owned(), id, payload.to_owned()))
}

/// Whether Anthropic made this piece and will take it back.
pub(super) fn is_ours(reasoning: &Reasoning) -> bool {
    reasoning.scheme.as_deref() == Some(SCHEME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_opens_again() {
        for (scheme, id, payload) in [
            ("google-gemini-v1", Some("call:1"), "c2ln"),
            ("openai-responses-v1", None, "gAAA:b"),
            (SCHEME, None, "EqQB"),
        ] {
            let sealed = close(Some(scheme), id, payload);
            assert_eq!(
                open(&sealed),
                (scheme.to_owned(), id.map(str::to_owned), payload.to_owned())
            );
        }
    }

    #[test]
    fn a_damaged_seal_is_passed_on_as_it_is() {
        for sealed in ["bourse:", "bourse:x:99:short", "bourse:x:y:z"] {
            assert_eq!(open(sealed).2, sealed);
        }
    }
}
