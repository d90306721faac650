//! Which sorts of tools a request may offer.
//!
//! A function and a custom tool are run by the client. Every other sort is run
//! by the provider, which bills what it does there (a search, a session, a
//! fetched page) by a price that nothing here knows, so it is refused; and so
//! are OpenRouter's server tools, like its plugins.

use bourse_vocab::Failure;
use bourse_vocab::chat::ToolChoice;
use bourse_vocab::json::{Map, Value};

use super::parameters::REQUIRED;
use crate::json::{Kind, folded, text, walk};
use crate::object::object;

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

/// Sorts of choices, with the members that the document of OpenRouter's chat
/// completions and OpenAI's SDKs give them, and those of the object that is
/// named like the sort (November 2026). What is not there is refused: OpenAI
/// answers it with `unknown_parameter`, no SDK sends it, and a choice without
/// it might be another one.
const CHOICES: [(&str, &[&str], &[&str]); 3] = [
    ("function", &["type", "function", "name"], &["name"]),
    ("custom", &["type", "custom", "name"], &["name"]),
    (
        CHOICE_AMONG,
        &["type", CHOICE_AMONG, "mode", "tools"],
        &["mode", "tools"],
    ),
];

/// Reads which tool is to be called, from `field`. Nothing is told of a choice
/// that only OpenAI's format has: one of custom tools, or among several.
///
/// # Errors
/// Names what is wrong, or no tool of the client's, and the remedy.
pub fn read_choice(field: &str, choice: &Value) -> Result<Option<ToolChoice>, Failure> {
    const EXPECTED: &str = "must be none, auto, required or the name of a function, \
                            as {\"type\": \"function\", \"function\": {\"name\": …}}";
    let unexpected = || Failure::invalid(format!("{field}: {EXPECTED}"));
    let members = match choice {
        Value::String(word) => {
            return match word.as_str() {
                "auto" => Ok(Some(ToolChoice::Auto)),
                "none" => Ok(Some(ToolChoice::None)),
                word if word == REQUIRED.0 || word == REQUIRED.1 => Ok(Some(ToolChoice::Required)),
                _ => Err(unexpected()),
            };
        }
        Value::Object(members) => members,
        _ => return Err(unexpected()),
    };
    let kind = match members.get("type") {
        None | Some(Value::Null) => "function",
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(unexpected()),
    };
    let Some((_, known, inside)) = CHOICES.iter().find(|(sort, ..)| *sort == kind) else {
        return Err(refusal(&format!("{field}.type"), kind));
    };
    refuse_unknown(field, members, known)?;
    if let Some(Value::Object(inner)) = members.get(kind) {
        refuse_unknown(&format!("{field}.{kind}"), inner, inside)?;
    }
    if kind != "function" {
        return Ok(None);
    }
    let named = members.get("function").unwrap_or(choice).get("name");
    match named.and_then(Value::as_str) {
        Some(name) => Ok(Some(ToolChoice::Named(name.to_owned()))),
        None => Err(unexpected()),
    }
}

/// Refuses members that are not on a list. `null` counts as absent.
fn refuse_unknown(path: &str, members: &Map, known: &[&str]) -> Result<(), Failure> {
    let is_unknown =
        |(name, value): &(&String, &Value)| !value.is_null() && !known.contains(&name.as_str());
    match members.iter().find(is_unknown) {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(64).collect();
            Err(Failure::invalid(format!(
                "{path}.{}: is no member of a choice of tools; remove it",
                name.escape_debug()
            )))
        }
    }
}

/// The object that names a function, as everybody understands it.
pub fn write_named(out: &mut Vec<u8>, name: &str) {
    object(out, |choice| {
        choice.put("type", "function");
        choice.nested("function", |out| {
            object(out, |function| {
                function.put("name", name);
            });
        });
    });
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

    fn choice(text: &str) -> Result<Option<ToolChoice>, String> {
        let choice = bourse_vocab::json::parse(text.as_bytes()).unwrap();
        read_choice("tool_choice", &choice).map_err(|failure| failure.message.to_string())
    }

    #[test]
    fn a_choice_is_among_tools_of_the_client() {
        for (text, read) in [
            (r#""auto""#, Some(ToolChoice::Auto)),
            (r#""none""#, Some(ToolChoice::None)),
            (r#""any""#, Some(ToolChoice::Required)),
            (
                r#"{"type":"function","function":{"name":"f"}}"#,
                Some(ToolChoice::Named("f".to_owned())),
            ),
            (
                r#"{"name":"f","type":null,"x":null}"#,
                Some(ToolChoice::Named("f".to_owned())),
            ),
            (
                r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}"#,
                None,
            ),
            (r#"{"type":"allowed_tools","mode":"auto","tools":[]}"#, None),
            (r#"{"type":"custom","custom":{"name":"c"}}"#, None),
        ] {
            assert_eq!(choice(text), Ok(read), "{text}");
        }
        for text in [
            r#"{"type":"openrouter:web_search"}"#,
            r#"{"type":"web_search_preview"}"#,
            r#"{"Type":"function"}"#,
            r#""best""#,
            r#"{"type":7,"function":{"name":"f"}}"#,
            r#"{"type":"function"}"#,
        ] {
            assert!(choice(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_member_that_no_choice_has_is_refused_by_its_name() {
        for (text, place) in [
            (
                r#"{"type":"function","function":{"name":"f"},"strict":true}"#,
                "tool_choice.strict: ",
            ),
            (
                r#"{"type":"function","function":{"name":"f","Name":"g"}}"#,
                "tool_choice.function.Name: ",
            ),
            (
                r#"{"function":{"name":"f"},"Type":"web_search"}"#,
                "tool_choice.Type: ",
            ),
            (
                r#"{"type":"custom","custom":{"name":"c","x":1}}"#,
                "tool_choice.custom.x: ",
            ),
            (
                r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[],"a\nb":0}}"#,
                "tool_choice.allowed_tools.a\\nb: ",
            ),
        ] {
            let refused = choice(text).err().unwrap_or_default();
            assert!(refused.starts_with(place), "{text}: {refused}");
        }
    }
}
