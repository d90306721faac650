//! Which sorts of tools a request may offer.
//!
//! A function and a custom tool are run by the client. Every other sort is run
//! by the provider, which bills what it does there (a search, a session, a
//! fetched page) by a price that nothing here knows, so it is refused; and so
//! are OpenRouter's server tools, like its plugins.

use bourse_vocab::Failure;
use bourse_vocab::json::Value;

use crate::json::{Kind, folded, text, walk};

/// Tools that the client runs.
const RUN_BY_CLIENTS: [&str; 2] = ["function", "custom"];
/// A choice among tools on offer (OpenAI, function calling guide, 2026).
const CHOICE_AMONG: &str = "allowed_tools";

/// Whether a tool of this sort is run by the client.
#[must_use]
pub fn is_run_by_client(kind: &str) -> bool {
    RUN_BY_CLIENTS.contains(&kind)
}

/// The refusal of a tool of another sort.
#[must_use]
pub fn refusal(path: &str, kind: &str) -> Failure {
    let kind: String = kind.chars().take(64).collect();
    let remedy = if kind.starts_with("openrouter:") {
        "this server runs no server tools; remove it, or offer a function"
    } else {
        "the provider would run it at a price that is not known here; remove it, or offer a function"
    };
    Failure::invalid(format!("{path}: `{}`: {remedy}", kind.escape_debug()))
}

/// Refuses the tools of a list, as JSON text, that a provider would run. Every
/// `type` of a tool counts, however it is spelled and however often it is
/// there, because parsers differ in which they take.
///
/// # Errors
/// Names the tool and the remedy.
pub fn check_list(list: &[u8]) -> Result<(), Failure> {
    for (index, tool) in walk::elements(list).enumerate() {
        let mut is_known = false;
        for member in walk::members(tool.value) {
            let path = || format!("tools[{index}].type");
            let name = spelled(member.name);
            is_known |= matches!(name.as_deref(), Some("type" | "function"));
            if name.as_deref() == Some("type") && member.kind == Kind::String {
                let kind = text::string(member.value).unwrap_or_default();
                if !is_run_by_client(&kind) {
                    return Err(refusal(&path(), &kind));
                }
                continue;
            }
            let is_kind = name.is_none_or(|name| folded(&name) == "type");
            if is_kind && member.kind != Kind::Null {
                return Err(Failure::invalid(format!(
                    "{}: must be `function` or `custom`, spelled so",
                    path()
                )));
            }
        }
        if !is_known {
            return Err(Failure::invalid(format!(
                "tools[{index}].type: is required; it must be `function` or `custom`"
            )));
        }
    }
    Ok(())
}

/// A name without its escapes.
fn spelled(name: &[u8]) -> Option<String> {
    let quoted = [b"\"", name, b"\""].concat();
    text::string(&quoted).map(std::borrow::Cow::into_owned)
}

/// Refuses a choice, read from `field`, of what is no tool of the client's.
///
/// # Errors
/// Names the choice and the remedy.
pub fn check_choice(field: &str, choice: &Value) -> Result<(), Failure> {
    let Some(members) = choice.as_object() else {
        return Ok(());
    };
    for (name, value) in members {
        let Some(kind) = value.as_str().filter(|_| folded(name) == "type") else {
            continue;
        };
        if name != "type" || (!is_run_by_client(kind) && kind != CHOICE_AMONG) {
            return Err(refusal(&format!("{field}.{name}"), kind));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal_of(list: &str) -> Option<String> {
        check_list(list.as_bytes())
            .err()
            .map(|failure| failure.message.to_string())
    }

    #[test]
    fn only_tools_that_the_client_runs_are_offered() {
        for list in [
            "[]",
            r#"[{"type":"function","function":{"name":"f","parameters":{"type":"web_search"}}}]"#,
            r#"[{"function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}]"#,
            r#"[{"type":null,"function":{"name":"f"}}]"#,
        ] {
            assert_eq!(refusal_of(list), None, "{list}");
        }
        for (list, place) in [
            (r#"[{"type":"web_search"}]"#, "tools[0].type: `web_search`"),
            (
                r#"[{"type":"function","function":{}},{"type":"openrouter:datetime"}]"#,
                "tools[1].type: `openrouter:datetime`",
            ),
            (
                r#"[{"type":"function","type":"web_search"}]"#,
                "tools[0].type: `web_search`",
            ),
            (
                r#"[{"type":"web_search","type":"function"}]"#,
                "tools[0].type: `web_search`",
            ),
            (
                r#"[{"type":"function","type":"web_search"}]"#,
                "tools[0].type: `web_search`",
            ),
            (r#"[{"type":"web_search"}]"#, "tools[0].type: `web_search`"),
            (
                r#"[{"type":"function","Type":"web_search"}]"#,
                "tools[0].type: must be",
            ),
            (r#"[{"type":["web_search"]}]"#, "tools[0].type: must be"),
            (r#"[{"google_search":{}}]"#, "tools[0].type: is required"),
        ] {
            let refused = refusal_of(list).unwrap_or_default();
            assert!(refused.starts_with(place), "{list}: {refused}");
        }
    }

    #[test]
    fn a_choice_is_among_tools_of_the_client() {
        let check = |text: &str| {
            let choice = bourse_vocab::json::parse(text.as_bytes()).unwrap();
            check_choice("tool_choice", &choice).is_ok()
        };
        for text in [
            r#"{"type":"function","function":{"name":"f"}}"#,
            r#"{"name":"f"}"#,
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}"#,
        ] {
            assert!(check(text), "{text}");
        }
        for text in [
            r#"{"type":"openrouter:web_search"}"#,
            r#"{"type":"web_search_preview"}"#,
            r#"{"Type":"function"}"#,
        ] {
            assert!(!check(text), "{text}");
        }
    }
}
