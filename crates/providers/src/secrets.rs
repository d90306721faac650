//! What must not be repeated: a key of ours, in whatever spelling a provider
//! says it back.
//!
//! Providers quote the key that they refuse, and proxies in front of them
//! quote whole requests, headers in base64 and addresses with escapes
//! included. Keys of known vendors have prefixes by which anybody can tell
//! them ([`bourse_wire::failure_text::redact`]); others have none, and here
//! they are known by what was configured. Parts of a key count too: a text
//! that was cut, or that was encoded with what stood before it.

use std::fmt;
use std::ops::Range;

use bourse_vocab::Failure;
use bourse_vocab::failure::UpstreamError;
use bourse_wire::failure_text::{CODE_BYTES_MAX, cut, redact};

use crate::{Credential, Key};

/// Bytes in a row that nobody has in common with a key by chance, and few
/// enough to be of no use by themselves.
const WINDOW_BYTES: usize = 12;
/// Shorter ones are words, like the keys of tests and of servers that want
/// none; to hide them would spoil what people read.
const SECRET_BYTES_MIN: usize = 8;
/// Longer ones are looked for by their beginning.
const SECRET_BYTES_MAX: usize = 4_096;

/// What is looked for in texts of a provider. Prints nothing of it.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Every piece of [`WINDOW_BYTES`] of every spelling, sorted.
    windows: Box<[[u8; WINDOW_BYTES]]>,
    /// Spellings that are shorter.
    short: Box<[Box<[u8]>]>,
}

impl Secrets {
    /// The secrets of a credential. Tokens that live for minutes are not
    /// known beforehand, and go by their prefixes only.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        let keys: &[Option<&Key>] = match credential {
            Credential::None | Credential::Rotating(_) => &[],
            Credential::Bearer(key)
            | Credential::Token(key)
            | Credential::Header { value: key, .. } => &[Some(key)],
            Credential::KeyPair {
                id,
                secret,
                session,
            } => &[Some(id), Some(secret), session.as_ref()],
        };
        let (mut windows, mut short) = (Vec::new(), Vec::new());
        for key in keys.iter().flatten() {
            let key = key.expose().as_bytes();
            let key = key.get(..SECRET_BYTES_MAX).unwrap_or(key);
            if key.len() < SECRET_BYTES_MIN {
                continue;
            }
            for spelling in spellings(key) {
                let folded: Vec<u8> = letters(&spelling).map(|(_, byte)| byte).collect();
                windows.extend(folded.array_windows().copied());
                if folded.len() < WINDOW_BYTES {
                    short.push(folded.into());
                }
            }
        }
        windows.sort_unstable();
        windows.dedup();
        Self {
            windows: windows.into(),
            short: short.into(),
        }
    }

    /// Takes the secrets out of everything that a failure says, and cuts its
    /// code to what is shown.
    #[must_use]
    pub fn clean(&self, mut failure: Failure) -> Failure {
        if let Some(hidden) = self.hide(&failure.message) {
            failure.message = hidden.into();
        }
        if let Some(hidden) = failure.inside.as_ref().and_then(|story| self.hide(story)) {
            failure.inside = Some(hidden.into());
        }
        if let Some(upstream) = &mut failure.upstream {
            let UpstreamError {
                provider: _,
                status: _,
                code,
                request_id,
                raw,
                refused_us: _,
                is_unpaid: _,
            } = &mut **upstream;
            if let Some(code) = code {
                *code = cut(&redact(code), CODE_BYTES_MAX).to_owned();
            }
            for text in [code, request_id, raw] {
                if let Some(hidden) = text.as_ref().and_then(|text| self.hide(text)) {
                    *text = Some(hidden);
                }
            }
        }
        failure
    }

    /// The text without the secrets; `None` if there are none in it.
    #[must_use]
    pub fn hide(&self, text: &str) -> Option<String> {
        if self.windows.is_empty() && self.short.is_empty() {
            return None;
        }
        let (places, folded): (Vec<Range<usize>>, Vec<u8>) = letters(text.as_bytes()).unzip();
        let mut is_secret = vec![false; text.len()];
        let mut mark = |start: usize, length: usize| {
            let last = start.saturating_add(length).saturating_sub(1);
            if let (Some(from), Some(to)) = (places.get(start), places.get(last))
                && let Some(secret) = is_secret.get_mut(from.start..to.end)
            {
                secret.fill(true);
            }
        };
        for (start, window) in folded.array_windows::<WINDOW_BYTES>().enumerate() {
            if self.windows.binary_search(window).is_ok() {
                mark(start, WINDOW_BYTES);
            }
        }
        for short in &self.short {
            for (start, window) in folded.windows(short.len()).enumerate() {
                if window == &**short {
                    mark(start, short.len());
                }
            }
        }
        is_secret.contains(&true).then(|| starred(text, &is_secret))
    }
}

/// Prints nothing of what is secret.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

/// The text with three stars for each run of bytes that is secret.
fn starred(text: &str, is_secret: &[bool]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut was_secret = false;
    for (char, secret) in text.char_indices().map(|(place, char)| {
        let secret = is_secret.get(place).copied().unwrap_or(false);
        (char, secret)
    }) {
        match (secret, was_secret) {
            (false, _) => shown.push(char),
            (true, false) => shown.push_str("***"),
            (true, true) => {}
        }
        was_secret = secret;
    }
    shown
}

/// The letters of a text as they are compared, with their places. Escapes of
/// addresses are what they stand for, since everybody escapes other letters;
/// JSON's `\/` is the slash of base64.
fn letters(text: &[u8]) -> impl Iterator<Item = (Range<usize>, u8)> {
    let mut place = 0_usize;
    std::iter::from_fn(move || {
        while text.get(place) == Some(&b'\\') {
            place = place.saturating_add(1);
        }
        let start = place;
        let (byte, length) = match text.get(start..)? {
            [b'%', high, low, ..] => match unescaped(*high, *low) {
                Some(byte) => (byte, 3),
                None => (b'%', 1),
            },
            [byte, ..] => (*byte, 1),
            [] => return None,
        };
        place = start.saturating_add(length);
        Some((start..place, fold(byte)))
    })
}

/// The byte of two hexadecimal digits.
fn unescaped(high: u8, low: u8) -> Option<u8> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    u8::try_from((digit(high)? << 4) | digit(low)?).ok()
}

/// Both alphabets of base64 in one, and no case: what is equal so is equal
/// enough.
const fn fold(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other.to_ascii_lowercase(),
    }
}

/// How a key may be said: as it is, in base64 behind whatever, and in
/// hexadecimal digits.
fn spellings(key: &[u8]) -> Vec<Vec<u8>> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let hex = |byte: u8| [digit(byte >> 4), digit(byte & 15)];
    vec![
        key.to_vec(),
        key.iter().copied().flat_map(hex).collect(),
        base64(key, 0),
        base64(key, 1),
        base64(key, 2),
    ]
}

/// The digits of base64 that depend on nothing but `bytes`, if `before` bytes
/// stand before them in a group of three. Four digits are three bytes.
fn base64(bytes: &[u8], before: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const DIGIT_BITS: usize = 6;
    let start = before.saturating_mul(8);
    let end = start.saturating_add(bytes.len().saturating_mul(8));
    let bit = |at: usize| {
        let at = at.saturating_sub(start);
        let byte = bytes.get(at / 8).copied().unwrap_or(0);
        // The highest bit first.
        u8::from(byte & (0x80_u8 >> (at % 8)) != 0)
    };
    let digits = start.div_ceil(DIGIT_BITS)..end / DIGIT_BITS;
    digits
        .map(|digit| {
            let from = digit.saturating_mul(DIGIT_BITS);
            let bits = (from..from.saturating_add(DIGIT_BITS)).map(bit);
            let value = bits.fold(0_u8, |value, bit| (value << 1) | bit);
            DIGITS.get(usize::from(value)).copied().unwrap_or(b'A')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bourse_vocab::FailureKind;

    use super::*;

    const KEY: &str = "q7Zt+9/Lm_x2-Vb.K4~wRnE8ydHs";

    fn secrets() -> Secrets {
        Secrets::of(&Credential::Bearer(Key::new(KEY)))
    }

    /// The base64 of a text, by a machine of its own.
    fn encoded(text: &str) -> String {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for group in text.as_bytes().chunks(3) {
            let mut three = [0; 3];
            three[..group.len()].copy_from_slice(group);
            let word = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for place in 0..4 {
                let digit = digits[(word >> (18 - 6 * place)) as usize & 63];
                let is_digit = place <= group.len();
                out.push(if is_digit { digit.into() } else { '=' });
            }
        }
        out
    }

    #[test]
    fn a_key_is_hidden_in_every_spelling_and_place() {
        let everything_escaped: String = KEY.bytes().map(|b| format!("%{b:02X}")).collect();
        let hex: String = KEY.bytes().map(|b| format!("{b:02x}")).collect();
        let mut texts = vec![
            KEY.to_owned(),
            KEY.to_uppercase(),
            "q7Zt%2B9%2FLm_x2-Vb.K4~wRnE8ydHs".to_owned(),
            "q7Zt%2b9%2fLm_x2-Vb.K4%7EwRnE8ydHs".to_owned(),
            everything_escaped,
            hex,
        ];
        for before in ["", ":", "u:", "user:", "Bearer "] {
            for after in ["", "x", " and more"] {
                let text = encoded(&format!("{before}{KEY}{after}"));
                texts.push(text.replace('/', "\\/"));
                texts.push(text.replace('+', "-").replace('/', "_"));
                texts.push(text);
            }
        }
        for text in texts {
            for (before, after) in [("", ""), ("the key é", " is wrong"), ("x", "y")] {
                let said = format!("{before}{text}{after}");
                let hidden = secrets().hide(&said).unwrap_or(said.clone());
                assert!(hidden.contains("***"), "{hidden}");
                assert!(hidden.len() + KEY.len() <= said.len() + 3, "{hidden}");
                assert!(hidden.starts_with(before), "{hidden}");
            }
        }
    }

    #[test]
    fn a_part_of_a_key_is_hidden_and_what_is_none_of_it_is_not() {
        for part in [&KEY[..16], &KEY[9..], &KEY[4..20]] {
            assert_eq!(secrets().hide(part).as_deref(), Some("***"));
        }
        let text = "The model is overloaded, try again (q7Zt).";
        assert_eq!(secrets().hide(text), None);
        let short = Secrets::of(&Credential::Bearer(Key::new("12345678")));
        assert_eq!(short.hide("no 12345678!").as_deref(), Some("no ***!"));
        assert_eq!(short.hide("no 1234567!"), None);
        let none = Secrets::of(&Credential::Bearer(Key::new("none")));
        assert_eq!(none.hide("none of it"), None);
    }

    #[test]
    fn all_that_a_failure_says_is_cleaned_and_its_code_is_cut() {
        let said = UpstreamError {
            provider: None,
            status: Some(400),
            code: Some(format!("bad_{KEY}{}", "x".repeat(9_000))),
            request_id: Some(format!("req-{KEY}")),
            raw: Some(format!("{{\"key\":\"{}\"}}", encoded(KEY))),
            refused_us: false,
            is_unpaid: false,
        };
        let failure = Failure::new(FailureKind::InvalidRequest, format!("wrong: {KEY}"))
            .inside(format!("sent {KEY}"))
            .upstream(said);
        let clean = secrets().clean(failure);
        let printed = format!("{clean:?}{:?}", secrets());
        for secret in [KEY, &encoded(KEY), &KEY[..12], &KEY[12..]] {
            assert!(!printed.contains(secret), "{printed}");
        }
        let upstream = clean.upstream.unwrap();
        assert!(upstream.code.unwrap().len() <= CODE_BYTES_MAX);
        assert_eq!(clean.message, "wrong: ***");
    }
}
