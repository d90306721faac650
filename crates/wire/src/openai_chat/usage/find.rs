//! Finding what a whole reply says it counted, wherever it says it.

use bourse_vocab::UsageReport;

use super::read_usage_text;
use crate::json::walk::{self, Entry};
use crate::json::{Kind, text};
use crate::lossy;

/// Everything that a reply counts: beside its choices, in one of them
/// (Moonshot), or in Groq's own member `x_groq`.
///
/// It is read from the text and not from the parsed value, which has only the
/// last of two members of one name: a count that was told would be undone by
/// an empty one behind it, and the bill would depend on the road. Several
/// reports are merged, as they are where bytes pass.
#[must_use]
pub fn usage_of_reply(body: &[u8]) -> Option<UsageReport> {
    let body = lossy::utf8(body);
    let mut found = None;
    for member in walk::members(body.as_bytes()) {
        match plain_name(member.name).as_deref() {
            Some("usage") => count(&member, &mut found),
            Some("x_groq") => usages_in(member.value, &mut found),
            Some("choices") => {
                walk::elements(member.value).for_each(|choice| usages_in(choice.value, &mut found));
            }
            _ => {}
        }
    }
    found
}

/// A member's name without its escapes.
fn plain_name(name: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
    if name.contains(&b'\\') {
        let quoted = [b"\"", name, b"\""].concat();
        return text::string(&quoted).map(|name| name.into_owned().into());
    }
    std::str::from_utf8(name).ok().map(Into::into)
}

fn usages_in(object: &[u8], found: &mut Option<UsageReport>) {
    walk::members(object)
        .filter(|member| member.name == b"usage")
        .for_each(|member| count(&member, found));
}

/// Takes in one report; `null` is none.
fn count(usage: &Entry<'_>, found: &mut Option<UsageReport>) {
    if usage.kind == Kind::Null {
        return;
    }
    let report = read_usage_text(std::str::from_utf8(usage.value).unwrap_or_default());
    match found {
        Some(before) => before.merge(&report),
        None => *found = Some(report),
    }
}
