//! Members of messages that OpenRouter added.
//!
//! OpenAI's reference of chat completions has neither (2026), and vendors that
//! copy it either refuse a member that they do not know or ignore it. Ignoring
//! one of these is not harmless in the same way for both, so neither is sent.

use bourse_vocab::Format;
use bourse_vocab::chat::{Loss, Part};
use bourse_vocab::json::Value;

use super::{Dialect, ReasoningStyle, Thoughts};

/// Changes how hard to think from its place on (openrouter.ai, API document,
/// October 2026). Whoever is not told thinks as before: another answer, at
/// another cost.
const CONFIGURATION_UPDATE: &str = "configuration_update";
/// What an earlier answer cited, or what was read in its files. An answer's
/// text has what the model needs of it.
const ANNOTATIONS: &str = "annotations";

/// The text of an earlier answer's thoughts, where it says something else than
/// their pieces, which come first.
const REASONING: &str = "reasoning";

/// Whether the vendor knows the members of messages that OpenRouter added:
/// those who are asked to think in its shape are gateways that copy it.
#[must_use]
pub const fn takes_openrouters(dialect: &Dialect) -> bool {
    matches!(dialect.reasoning, ReasoningStyle::Object)
}

/// What is lost with a member of the message at `at` that the vendor is not
/// sent; `None` if it is sent. Empty annotations are left out on the way.
#[must_use]
pub fn loss(dialect: &Dialect, at: &str, name: &str) -> Option<Loss> {
    let field = || format!("{at}.{name}");
    match name {
        REASONING if dialect.thoughts == Thoughts::Details => None,
        REASONING => Some(Loss::new(field(), "its pieces say otherwise")),
        _ if takes_openrouters(dialect) => None,
        CONFIGURATION_UPDATE => Some(Loss::content(
            field(),
            "the provider cannot change how it thinks on the way; send reasoning with the request",
        )),
        ANNOTATIONS => Some(Loss::new(field(), "the provider takes none back")),
        _ => None,
    }
}

/// What is lost with the members of a message that a format cannot say, if the
/// part at `at` stands for such members: the reader of chat completions keeps
/// those that it does not know as a part without a type. An answer that is
/// replayed has some (`annotations`), and without them the model reads the same
/// words; `configuration_update` is no such member.
#[must_use]
pub fn members_of_message(part: &Part, at: &str) -> Option<Vec<Loss>> {
    let Part::Opaque {
        format: format @ Format::OpenAiChat,
        value: Value::Object(members),
    } = part
    else {
        return None;
    };
    if ["type", "tool_call"]
        .iter()
        .any(|name| members.contains_key(name))
    {
        return None;
    }
    // A part of a message, or of a tool's result, which is a message here.
    let message = at.split_once('.').map_or(at, |(message, _)| message);
    let lost = |name: &String| {
        let loss = loss(&Dialect::PLAIN, message, name);
        let unknown = || {
            let reason = format!("only {format} has this member");
            Loss::new(format!("{message}.{name}"), reason)
        };
        loss.unwrap_or_else(unknown)
    };
    Some(members.keys().map(lost).collect())
}

/// Puts the name of a message's author before its text, where the vendor knows
/// no participants. In place: a prompt may be 32 MiB, and each copy of it
/// counts.
pub fn put_name_before(text: &mut String, name: &str) {
    const BETWEEN: &str = ": ";
    text.reserve_exact(name.len() + BETWEEN.len());
    text.insert_str(0, BETWEEN);
    text.insert_str(0, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openrouter_added_goes_to_whoever_copies_it() {
        const GATEWAY: Dialect = Dialect {
            reasoning: ReasoningStyle::Object,
            ..Dialect::PLAIN
        };
        for (name, refused) in [
            ("configuration_update", Some(true)),
            ("annotations", Some(false)),
            ("prefix", None),
        ] {
            let lost = loss(&Dialect::PLAIN, "messages[0]", name);
            assert_eq!(lost.as_ref().map(|loss| loss.is_content), refused, "{name}");
            if let Some(lost) = lost {
                assert_eq!(lost.field, format!("messages[0].{name}"));
            }
            assert_eq!(loss(&GATEWAY, "messages[0]", name), None);
        }
    }
}
