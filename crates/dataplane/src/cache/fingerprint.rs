//! Which call it is: what two calls must have in common to be the same.
//!
//! The key, the endpoint, the features in beta that its headers ask for, and the
//! body but for white space outside of texts (openrouter.ai/docs, response
//! caching, November 2026: the order of members counts, and a member that says
//! what is so anyway counts as well). Model and `stream` are members of the body.
//! It is read as it arrives, so that a long one keeps nobody waiting.

use bourse_policy::Principal;
use bourse_vocab::{AccountId, KeyId};

/// Names a call. Nobody finds two calls with one name (BLAKE3), and without the
/// key nobody names another key's.
pub type Digest = [u8; 32];

/// Whose a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The account that pays.
    pub account: AccountId,
    /// The key.
    pub key: KeyId,
}

impl From<&Principal> for Owner {
    fn from(principal: &Principal) -> Self {
        Self {
            account: principal.account,
            key: principal.key,
        }
    }
}

/// Parts below this are joined before they are hashed: between two blanks there
/// may be a single byte, and a hash that is fed byte by byte takes many times as
/// long.
const JOINED_BYTES: usize = 4_096;

/// Reads a body.
#[derive(Debug, Default)]
pub struct Fingerprint {
    hasher: blake3::Hasher,
    /// What is to be hashed next.
    joined: Vec<u8>,
    in_text: bool,
    is_escaped: bool,
    /// White space was left out since the last byte.
    has_gap: bool,
    /// The last byte that was not left out, outside of texts.
    last: u8,
}

impl Fingerprint {
    /// Reads a piece.
    pub fn push(&mut self, piece: &[u8]) {
        // Where what is to be hashed next begins.
        let mut from = 0;
        for (at, byte) in piece.iter().copied().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                self.add(piece.get(from..at).unwrap_or_default());
                from = at.saturating_add(1);
                self.has_gap = true;
                continue;
            }
            // Without what is between them, two words would be one.
            if self.has_gap && is_of_a_word(self.last) && is_of_a_word(byte) {
                self.add(b" ");
            }
            self.has_gap = false;
            self.last = byte;
            self.in_text = byte == b'"';
        }
        self.add(piece.get(from..).unwrap_or_default());
    }

    fn add(&mut self, part: &[u8]) {
        if self.joined.len().saturating_add(part.len()) > JOINED_BYTES {
            self.hasher.update(&self.joined);
            self.joined.clear();
        }
        if part.len() > JOINED_BYTES {
            self.hasher.update(part);
        } else {
            self.joined.extend_from_slice(part);
        }
    }

    /// Names the call of `owner` at the endpoint of a path that asks for these
    /// features in beta. What a key that is strict gets was told in full, and
    /// what it got before it was strict may not have been.
    #[must_use]
    pub fn finish(&self, owner: Owner, path: &str, betas: &str, is_strict: bool) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&owner.account.0.to_le_bytes());
        hasher.update(&owner.key.0.to_le_bytes());
        // Each with its length: where one ends is no matter of taste.
        for text in [path, betas] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(&[is_strict.into()]);
        let mut body = self.hasher.clone();
        body.update(&self.joined);
        hasher.update(body.finalize().as_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// Whether it may stand in a number, `true`, `false` or `null`.
const fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        account: AccountId(1),
        key: KeyId(2),
    };

    fn of(body: &str) -> Digest {
        let mut print = Fingerprint::default();
        print.push(body.as_bytes());
        print.finish(OWNER, "/v1/chat/completions", "", false)
    }

    #[test]
    fn white_space_outside_of_texts_makes_no_difference() {
        let plain = of(r#"{"a":[1,-2.5e3,true,null],"b":"x y\" z"}"#);
        for same in [
            r#" { "a" : [ 1 , -2.5e3 , true , null ] , "b" : "x y\" z" } "#,
            "{\r\n\t\"a\":[1,-2.5e3,true,null],\n\"b\":\"x y\\\" z\"}\n",
        ] {
            assert_eq!(of(same), plain, "{same}");
        }
    }

    #[test]
    fn all_else_makes_one() {
        let bodies = [
            r#"{"a":1,"b":2}"#,
            r#"{"b":2,"a":1}"#,
            r#"{"a":1,"b":2,"c":null}"#,
            r#"{"a":1,"b":"2"}"#,
            r#"{"a":1,"b":" 2"}"#,
            r#"{"a":1,"b":"2\" "}"#,
            r#"{"a":1,"b":"2\\" }"#,
            r#"{"a":1,"b":"2\\"}"#,
            r#"{"a":[1,2]}"#,
            r#"{"a":[12]}"#,
            // No JSON, but nothing that another body is taken for either.
            r#"{"a":[1 2]}"#,
            r#"{"a":[tr ue]}"#,
            r#"{"a":[true]}"#,
            "",
        ];
        for (at, one) in bodies.iter().enumerate() {
            for (other_at, other) in bodies.iter().enumerate() {
                // The seventh and the eighth differ in white space only.
                let is_same = at == other_at || [at.min(other_at), at.max(other_at)] == [6, 7];
                assert_eq!(of(one) == of(other), is_same, "{one} {other}");
            }
        }
    }

    #[test]
    fn it_makes_no_difference_in_which_pieces_a_body_comes() {
        let body = "{ \"a\" : \"\\\\\\\" \u{1F600}\" ,\n \"b\" : [ 1 , 2 ] }";
        // With what is joined, and what is too long for that.
        let long = format!("{}[\"{}\"]", "[1 , ".repeat(2_000), "x".repeat(9_000));
        for length in [1, 7, 4_095, 4_096, 4_097, long.len()] {
            let mut print = Fingerprint::default();
            for piece in long.as_bytes().chunks(length) {
                print.push(piece);
            }
            let print = print.finish(OWNER, "/v1/chat/completions", "", false);
            let plain: String = long.split(' ').collect();
            assert_eq!(print, of(&plain), "{length}");
        }
        for length in 1..body.len() {
            let mut print = Fingerprint::default();
            for piece in body.as_bytes().chunks(length) {
                print.push(piece);
            }
            let print = print.finish(OWNER, "/v1/chat/completions", "", false);
            assert_eq!(print, of(body), "{length}");
        }
    }

    #[test]
    fn keys_endpoints_features_in_beta_and_strictness_are_told_apart() {
        let print = Fingerprint::default();
        let names = [
            print.finish(OWNER, "/a", "", false),
            print.finish(OWNER, "/a", "", true),
            print.finish(OWNER, "/b", "", false),
            print.finish(OWNER, "/", "a", false),
            print.finish(
                Owner {
                    key: KeyId(3),
                    ..OWNER
                },
                "/a",
                "",
                false,
            ),
            print.finish(
                Owner {
                    account: AccountId(3),
                    ..OWNER
                },
                "/a",
                "",
                false,
            ),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{at}");
        }
    }
}
