//! Tools on offer.
//!
//! A namespace is a group of the client's tools, as Codex offers those of a
//! server (platform.openai.com/docs, function calling guide, November 2026). No
//! other format has groups, so each of its tools is offered alone, under both
//! names, and its calls are told to the client as it knows them.

use std::borrow::Cow;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Tool, ToolChoice};
use bourse_vocab::json::{Map, Value};

use super::custom;
use crate::dialect::tools;
use crate::fields::{Fields, Path};
use crate::json::{text, walk};

/// The most tools of one request, as in chat completions.
const TOOLS_MAX: usize = 512;
/// What a group of tools says that it is.
const NAMESPACE: &str = "namespace";
/// What stands between the name of a group and that of its tool. Names of
/// functions have no other signs than letters, digits, `_` and `-`.
const BETWEEN: &str = "__";

/// The name under which a tool of a group is offered.
#[must_use]
pub fn flat(namespace: Option<&str>, name: &str) -> String {
    match namespace.filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{namespace}{BETWEEN}{name}"),
        None => name.to_owned(),
    }
}

/// Refuses the tools of a list, as JSON text, that a provider would run. What
/// else is wrong with them, their parser says.
///
/// # Errors
/// Names the tool and the remedy.
pub fn check_list(list: &[u8]) -> Result<(), Failure> {
    for (index, tool) in walk::elements(list).enumerate() {
        let path = format!("tools[{index}]");
        if text_of(tool.value, b"type").as_deref() != Some(NAMESPACE) {
            check(tool.value, &path)?;
            continue;
        }
        for (number, inner) in inside(tool.value).enumerate() {
            check(inner, &format!("{path}.tools[{number}]"))?;
        }
    }
    Ok(())
}

fn check(tool: &[u8], path: &str) -> Result<(), Failure> {
    match text_of(tool, b"type") {
        Some(kind) if tools::is_run_by_client(&kind) => Ok(()),
        Some(kind) => Err(tools::refusal(&format!("{path}.type"), &kind)),
        None => Err(Failure::invalid(format!(
            "{path}.type: is required; it must be `function` or `custom`"
        ))),
    }
}

fn text_of(tool: &[u8], wanted: &[u8]) -> Option<String> {
    let member = walk::members(tool).find(|member| member.name == wanted)?;
    text::string(member.value).map(Cow::into_owned)
}

/// The tools of a group.
fn inside(group: &[u8]) -> impl Iterator<Item = &[u8]> {
    let list = walk::members(group).find(|member| member.name == b"tools");
    list.into_iter()
        .flat_map(|list| walk::elements(list.value))
        .map(|tool| tool.value)
}

/// A tool whose calls are told otherwise than those of a plain function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The name under which it is offered.
    pub flat: String,
    /// The group that it stands in.
    pub namespace: Option<String>,
    /// The name that the client gave it.
    pub name: String,
    /// Whether its input is plain text.
    pub is_custom: bool,
}

/// Those of a list, as JSON text.
#[must_use]
pub fn own(list: &[u8]) -> Vec<Own> {
    let mut own = Vec::new();
    let mut add = |tool: &[u8], namespace: Option<&str>| {
        let is_custom = text_of(tool, b"type").as_deref() == Some("custom");
        if let Some(name) = text_of(tool, b"name")
            && (is_custom || namespace.is_some())
        {
            own.push(Own {
                flat: flat(namespace, &name),
                namespace: namespace.map(str::to_owned),
                name,
                is_custom,
            });
        }
    };
    for tool in walk::elements(list) {
        if text_of(tool.value, b"type").as_deref() == Some(NAMESPACE) {
            let name = text_of(tool.value, b"name");
            for inner in inside(tool.value) {
                add(inner, name.as_deref());
            }
        } else {
            add(tool.value, None);
        }
    }
    own
}

/// Reads `tools`.
pub(super) fn read(fields: &mut Fields<'_>, extras: &mut Map) -> Result<Vec<Tool>, Failure> {
    let path = Path::Member(&Path::Root, "tools");
    let list = fields.array("tools", TOOLS_MAX)?.unwrap_or_default();
    let mut read = Vec::with_capacity(list.len());
    for (index, item) in list.into_iter().enumerate() {
        let path = Path::Item(&path, index);
        if item.get("type").and_then(Value::as_str) != Some(NAMESPACE) {
            read.push(tool(item, None, &path, extras)?);
            continue;
        }
        let mut group = Fields::of(item, &path)?;
        group.take("type");
        let name = group.required_text("name")?;
        let inner = Path::Member(&path, "tools");
        let list = group.array("tools", TOOLS_MAX)?.unwrap_or_default();
        for (number, item) in list.into_iter().enumerate() {
            read.push(tool(
                item,
                Some(&name),
                &Path::Item(&inner, number),
                extras,
            )?);
        }
        group.rest_into(extras);
    }
    if read.len() > TOOLS_MAX {
        return Err(path.invalid(format_args!("at most {TOOLS_MAX} tools are accepted")));
    }
    Ok(read)
}

fn tool(
    item: Value,
    namespace: Option<&str>,
    path: &Path<'_>,
    extras: &mut Map,
) -> Result<Tool, Failure> {
    let mut tool = Fields::of(item, path)?;
    let kind = tool.required_text("type")?;
    if !tools::is_run_by_client(&kind) {
        return Err(tools::refusal(&format!("{path}.type"), &kind));
    }
    let name = tool.required_text("name")?;
    if name.is_empty() {
        return Err(tool.invalid("name", "must not be empty"));
    }
    let is_custom = kind == "custom";
    // Any text is what a function with one text takes as well.
    if is_custom
        && let Some(format) = tool.take("format")
        && format.get("type").and_then(Value::as_str) != Some("text")
    {
        tool.put_back("format", format);
    }
    let read = Tool::Function {
        name: flat(namespace, &name),
        description: tool.text("description")?,
        parameters: if is_custom {
            Some(custom::schema())
        } else {
            tool.object("parameters")?.map(Value::Object)
        },
        strict: if is_custom {
            None
        } else {
            tool.flag("strict")?
        },
        cache: None,
    };
    tool.rest_into(extras);
    Ok(read)
}

/// Reads which tool is to be called. A custom tool is a function to everybody
/// else, and so is the choice of one. A choice among several has no equal in
/// the vocabulary.
pub(super) fn read_choice(fields: &mut Fields<'_>) -> Result<Option<ToolChoice>, Failure> {
    let Some(value) = fields.take("tool_choice") else {
        return Ok(None);
    };
    let choice = tools::read_choice("tool_choice", &value)?;
    if choice.is_some() {
        return Ok(choice);
    }
    if value.get("type").and_then(Value::as_str) == Some("custom")
        && let Some(name) = value.get("name").and_then(Value::as_str)
    {
        return Ok(Some(ToolChoice::Named(name.to_owned())));
    }
    fields.put_back("tool_choice", value);
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_a_group_have_both_names_and_none_is_run_by_a_provider() {
        let list = r#"[{"type":"function","name":"f"},{"type":"custom","name":"c"},
            {"type":"namespace","name":"mcp__a","description":"d","tools":[
                {"type":"function","name":"g"}]}]"#;
        check_list(list.as_bytes()).unwrap();
        let own = own(list.as_bytes());
        let names: Vec<_> = own.iter().map(|own| own.flat.as_str()).collect();
        assert_eq!(names, ["c", "mcp__a__g"]);
        for (list, place) in [
            (r#"[{"type":"web_search"}]"#, "tools[0].type: `web_search`"),
            (
                r#"[{"type":"namespace","name":"n","tools":[{"type":"mcp"}]}]"#,
                "tools[0].tools[0].type: `mcp`",
            ),
            (r#"[{"name":"f"}]"#, "tools[0].type: is required"),
        ] {
            let refused = check_list(list.as_bytes()).unwrap_err();
            assert!(refused.message.starts_with(place), "{}", refused.message);
        }
    }
}
