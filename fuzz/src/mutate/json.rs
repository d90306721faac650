//! Changes by structure.

use super::spans::{Span, find};
use crate::chance::Chance;

/// Values that readers disagree about, or that are at an edge of a type.
const ODD: &[&[u8]] = &[
    b"null",
    b"true",
    b"false",
    b"0",
    b"-0",
    b"-1",
    b"1.0",
    b"1e400",
    b"-1e400",
    b"1e-400",
    b"5e-324",
    b"0.1",
    b"00",
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"0x10",
    b"NaN",
    b"Infinity",
    b"2147483648",
    b"4294967296",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551615",
    b"18446744073709551616",
    b"123456789012345678901234567890",
    b"1E+2",
    b"10000000",
    b"\"\"",
    b"\" \"",
    b"\"0\"",
    b"\"auto\"",
    b"\"\\u0000\"",
    b"\"\\ud83e\"",
    b"\"\\ud83e\\udd80\"",
    b"\"\\udd80\\ud83e\"",
    b"\"\\q\"",
    b"\"\\",
    b"\"\x00\"",
    b"\"\xff\xfe\"",
    b"\"\xc0\xaf\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xe2\x80\xa8\"",
    b"\"[DONE]\"",
    b"\"data:image/png;base64,AAAA\"",
    b"\"data:,\"",
    b"\"http://10.0.0.1/\"",
    b"\"file:///etc/passwd\"",
    b"{}",
    b"[]",
    b"[{}]",
    b"[[]]",
    b"{\"\":{}}",
    b"[null]",
    b"[\"\"]",
    b"{\"type\":\"text\",\"text\":\"x\"}",
    b"{\"type\":\"x\"}",
    b"{\"a\":1,\"a\":2}",
    b"",
    b",",
    b":",
    b"//x",
];
/// Signs that look like others to whoever folds names: the Kelvin sign, the
/// long s, and a soft hyphen that is not seen.
const ALIKE: &[&str] = &[
    "\u{212a}", "\u{17f}", "\u{ad}", "\\u0061", "\u{0}", " ", "A", "_",
];
/// How deep something is put: below, at and beyond the bounds that parsers have.
const DEPTHS: &[usize] = &[1, 2, 5, 31, 63, 64, 65, 126, 127, 128, 129, 200, 1_000];
/// How often a text is repeated.
const TIMES: &[usize] = &[2, 3, 17, 100, 1_000, 4_096];

/// Changes one value. Nothing is done, and false returned, where there is none.
pub fn change(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) -> bool {
    let spans = find(input);
    let Some(span) = chance.pick(&spans).cloned() else {
        return false;
    };
    match chance.below(12) {
        0..=2 => replace(input, &span, chance.pick(ODD).copied().unwrap_or_default()),
        3 => duplicate(input, &span, chance),
        4 => leave_out(input, &span),
        5 => swap(input, &span, &spans, chance),
        6 => bury(input, &span, chance),
        7 => rename(input, &span, chance),
        8 | 9 => splice(input, &span, other, chance),
        10 => repeat(input, &span, chance),
        _ => scratch(input, &span, chance),
    }
    true
}

fn replace(input: &mut Vec<u8>, span: &Span, by: &[u8]) {
    input.splice(span.at.clone(), by.iter().copied());
}

fn part(input: &[u8], at: std::ops::Range<usize>) -> Vec<u8> {
    input.get(at).unwrap_or_default().to_vec()
}

/// A member that is there twice, perhaps with another value the second time.
fn duplicate(input: &mut Vec<u8>, span: &Span, chance: &mut Chance) {
    let whole = span.whole();
    let mut copy = b",".to_vec();
    if chance.one_in(2) {
        copy.extend(part(input, whole.start..span.at.start));
        copy.extend_from_slice(chance.pick(ODD).copied().unwrap_or_default());
    } else {
        copy.extend(part(input, whole.clone()));
    }
    input.splice(whole.end..whole.end, copy);
}

/// Takes a member out, and the comma beside it.
fn leave_out(input: &mut Vec<u8>, span: &Span) {
    let mut whole = span.whole();
    if input.get(whole.end) == Some(&b',') {
        whole.end += 1;
    } else if whole.start > 0 && input.get(whole.start - 1) == Some(&b',') {
        whole.start -= 1;
    }
    input.drain(whole);
}

fn swap(input: &mut Vec<u8>, span: &Span, spans: &[Span], chance: &mut Chance) {
    let Some(second) = chance.pick(spans) else {
        return;
    };
    let (one, two) = match span.at.start <= second.at.start {
        true => (span, second),
        false => (second, span),
    };
    if one.at.end > two.at.start {
        // One is in the other: the inner takes its place.
        let inner = part(input, two.at.clone());
        return replace(input, one, &inner);
    }
    let (first, last) = (part(input, one.at.clone()), part(input, two.at.clone()));
    input.splice(two.at.clone(), first);
    input.splice(one.at.clone(), last);
}

/// Puts a value deep into arrays or objects.
fn bury(input: &mut Vec<u8>, span: &Span, chance: &mut Chance) {
    let depth = chance.pick(DEPTHS).copied().unwrap_or(1);
    let (before, after): (&[u8], &[u8]) = match chance.below(3) {
        0 => (b"[", b"]"),
        1 => (b"{\"content\":", b"}"),
        _ => (b"{\"a\":[", b"]}"),
    };
    let mut deep = before.repeat(depth);
    deep.extend(part(input, span.at.clone()));
    // Not always closed.
    if !chance.one_in(8) {
        deep.extend(after.repeat(depth));
    }
    replace(input, span, &deep);
}

/// Another name, or the same in other letters.
fn rename(input: &mut Vec<u8>, span: &Span, chance: &mut Chance) {
    let Some(member) = span.member else {
        return scratch(input, span, chance);
    };
    let at = member + 1 + chance.below(span.at.start.saturating_sub(member + 2));
    let sign = chance.pick(ALIKE).copied().unwrap_or_default();
    let Some(byte) = input.get(at).copied() else {
        return;
    };
    match chance.below(3) {
        0 => drop(input.splice(at..=at, [byte ^ 0x20])),
        1 => drop(input.splice(at..=at, sign.bytes())),
        _ => drop(input.splice(at..at, sign.bytes())),
    }
}

/// A value of the other input in the place of this one, or beside it.
fn splice(input: &mut Vec<u8>, span: &Span, other: &[u8], chance: &mut Chance) {
    let theirs = find(other);
    let alike: Vec<&Span> = theirs
        .iter()
        .filter(|one| one.first == span.first)
        .collect();
    // Half of the time something of the same sort, which fits more often.
    let chosen = match chance.one_in(2) {
        true => chance.pick(&alike).copied(),
        false => chance.pick(&theirs),
    };
    let Some(chosen) = chosen else {
        return;
    };
    if chance.one_in(2) {
        return replace(input, span, &part(other, chosen.at.clone()));
    }
    let mut beside = b",".to_vec();
    beside.extend(part(other, chosen.whole()));
    let end = span.at.end;
    input.splice(end..end, beside);
}

/// Repeats what is inside a text or a container.
fn repeat(input: &mut Vec<u8>, span: &Span, chance: &mut Chance) {
    let times = chance.pick(TIMES).copied().unwrap_or(2);
    let room = super::INPUT_BYTES_MAX / span.at.len().max(1);
    let inside = part(input, span.at.start + 1..span.at.end.saturating_sub(1));
    let times = times.min(room);
    let long = match span.first {
        b'"' => inside.repeat(times),
        _ => {
            let mut list = inside.clone();
            for _ in 1..times {
                list.push(b',');
                list.extend_from_slice(&inside);
            }
            list
        }
    };
    if span.at.len() >= 2 {
        input.splice(span.at.start + 1..span.at.end - 1, long);
    }
}

/// Breaks a value inside: a byte that no text may have, an escape that is
/// none, half a sign.
fn scratch(input: &mut Vec<u8>, span: &Span, chance: &mut Chance) {
    const BYTES: &[&[u8]] = &[
        b"\\",
        b"\"",
        b"\n",
        b"\r",
        b"\t",
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xc3",
        b"\xf0\x9f",
        b"\\ud800",
        b"\\u00",
        b"\\u0000",
        b"}",
        b"]",
        b"{",
        b"[",
        b",",
        b":",
        b"e",
        b"-",
        b"0",
        b"\xef\xbb\xbf",
    ];
    let at = span.at.start + chance.below(span.at.len() + 1);
    let bytes = chance.pick(BYTES).copied().unwrap_or_default();
    if at <= input.len() {
        input.splice(at..at, bytes.iter().copied());
    }
}
