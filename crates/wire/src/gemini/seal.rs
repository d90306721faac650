//! Other vendors' thoughts inside Google's `thoughtSignature`.
//!
//! A client of this format replays the parts that it got, but a part has no
//! member that says whose signature it holds. What another vendor thought
//! comes as a thought whose signature says whose it is, what sort of thought,
//! and what its vendor wants back; the next turn takes it apart again, and it
//! is never sent to Google. SDKs read signatures as bytes in base64 and write
//! them with the letters of URLs (google-genai 3.6 for Python), so both
//! alphabets are read.
//!
//! OpenAI's Responses carry the same in `encrypted_content`: clients of theirs
//! send back no member of a thought but the documented ones.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bourse_vocab::chat::{Reasoning, ReasoningKind};

use super::SCHEME;

const MARK: &str = "bourse:";
/// How every seal begins, in either alphabet.
pub const BEGINNING: &[u8] = b"Ym91cnNlO";
/// For a thought that its vendor signed.
const SIGNED: &str = "t";
/// For a thought that only its vendor can read.
const ENCRYPTED: &str = "e";
/// Whose a thought is that nobody says anything of.
const UNKNOWN: &str = "unknown";

/// Whether Google made this piece and will take it back.
pub fn is_googles(scheme: Option<&str>) -> bool {
    scheme == Some(SCHEME)
}

/// Seals a signature, with the text that it is of where the client is not
/// shown that.
pub fn signed(scheme: Option<&str>, id: Option<&str>, signature: &str, hidden: &str) -> String {
    // Signatures may hold any character, so their length goes first.
    let payload = format!("{}:{signature}{hidden}", signature.len());
    close(SIGNED, scheme, id, &payload)
}

/// Seals what only its vendor can read.
pub fn encrypted(scheme: Option<&str>, id: Option<&str>, data: &str) -> String {
    close(ENCRYPTED, scheme, id, data)
}

fn close(kind: &str, scheme: Option<&str>, id: Option<&str>, payload: &str) -> String {
    let (scheme, id) = (scheme.unwrap_or(UNKNOWN), id.unwrap_or(""));
    STANDARD.encode(format!("{MARK}{kind}:{scheme}:{}:{id}{payload}", id.len()))
}

/// The thought that a signature seals; `text` is what its part shows. `None`
/// if the signature is Google's own.
pub fn open(signature: &str, text: &str) -> Option<Reasoning> {
    if !signature.as_bytes().starts_with(BEGINNING) {
        return None;
    }
    let plain = signature.trim_end_matches('=');
    let plain = plain.replace('-', "+").replace('_', "/");
    let sealed = String::from_utf8(STANDARD_NO_PAD.decode(plain).ok()?).ok()?;
    let (kind, rest) = sealed.strip_prefix(MARK)?.split_once(':')?;
    let (scheme, rest) = rest.split_once(':')?;
    let (id, payload) = counted(rest)?;
    let kind = match kind {
        SIGNED => {
            let (signature, hidden) = counted(payload)?;
            ReasoningKind::Text {
                text: format!("{text}{hidden}"),
                signature: Some(signature.to_owned()),
            }
        }
        ENCRYPTED => ReasoningKind::Encrypted(payload.to_owned()),
        _ => return None,
    };
    Some(Reasoning {
        kind,
        id: (!id.is_empty()).then(|| id.to_owned()),
        scheme: (scheme != UNKNOWN).then(|| scheme.to_owned()),
        replayed: None,
    })
}

/// A text with its length in front, and what follows it.
fn counted(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    rest.split_at_checked(length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasoning(kind: ReasoningKind, scheme: Option<&str>, id: Option<&str>) -> Reasoning {
        Reasoning {
            kind,
            id: id.map(str::to_owned),
            scheme: scheme.map(str::to_owned),
            replayed: None,
        }
    }

    #[test]
    fn what_is_sealed_opens_again_in_either_alphabet() {
        for (scheme, id, secret) in [
            (Some("anthropic-claude-v1"), None, "EqQB??>>"),
            (Some("openai-responses-v1"), Some("rs_1:2"), "gAAA:b~~ÿ"),
            (None, Some("é"), ""),
        ] {
            let text = ReasoningKind::Text {
                text: "Hm, so.".to_owned(),
                signature: Some(secret.to_owned()),
            };
            let data = ReasoningKind::Encrypted(secret.to_owned());
            for (sealed, expected) in [
                (signed(scheme, id, secret, " so."), text),
                (encrypted(scheme, id, secret), data),
            ] {
                let urls = sealed.replace('+', "-").replace('/', "_");
                let expected = reasoning(expected, scheme, id);
                for spelled in [&sealed, &urls, &*urls.replace('=', "")] {
                    assert!(spelled.as_bytes().starts_with(BEGINNING), "{spelled}");
                    assert_eq!(open(spelled, "Hm,"), Some(expected.clone()), "{spelled}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_seal_is_googles() {
        let damaged = STANDARD.encode("bourse:t:x:99:short");
        for signature in ["", "CiQB", "Ym91cnNlO", "Ym91cnNlOg==", &damaged] {
            assert_eq!(open(signature, ""), None, "{signature}");
        }
    }
}
