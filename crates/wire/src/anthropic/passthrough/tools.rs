//! Which tools a request may offer, and which edits of its context.
//!
//! A tool of the client's own has no `type` or is `custom`. Of those whose
//! schema is Anthropic's, the client runs some itself: a shell, an editor of
//! files, a screen, a memory (platform.claude.com, tool use overview, November
//! 2026). All others run at Anthropic, which bills what they do there (a
//! search, a page, a container, another model) by prices that nothing here
//! knows, and samples the answer several times over one prompt.

use bourse_vocab::Failure;

use crate::dialect::tools::refusal;
use crate::json::{Kind, folded, text, walk};

/// How the sorts of tools begin whose schema is Anthropic's and which the
/// client runs; a date follows.
const RUN_BY_CLIENTS: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];
/// Edits of the context that Anthropic makes before the model reads it. The
/// third one (`compact_20260112`) has a model write a summary, whose tokens the
/// usage of the answer leaves out (platform.claude.com, compaction, 2026).
const EDITS: [&str; 2] = ["clear_tool_uses_20250919", "clear_thinking_20251015"];

/// Whether a tool of this sort is run by the client.
fn is_run_by_client(kind: &str) -> bool {
    kind == "custom"
        || RUN_BY_CLIENTS
            .iter()
            .any(|beginning| kind.starts_with(beginning))
}

/// Refuses the tools of a list, as JSON text, that a provider would run. Every
/// `type` of a tool counts, however it is spelled and however often it is
/// there, because parsers differ in which they take.
///
/// # Errors
/// Names the tool and the remedy.
pub(super) fn check_list(list: &[u8]) -> Result<(), Failure> {
    for (index, tool) in walk::elements(list).enumerate() {
        if tool.kind != Kind::Object {
            return Err(Failure::invalid(format!(
                "tools.{index}: must be an object"
            )));
        }
        each_type(tool.value, &format!("tools.{index}"), |path, kind| {
            if is_run_by_client(kind) {
                Ok(())
            } else {
                Err(refusal(path, kind))
            }
        })?;
    }
    Ok(())
}

/// Refuses edits of the context that cost more than the answer says.
///
/// # Errors
/// Names the edit and the remedy.
pub(super) fn check_context_management(object: &[u8]) -> Result<(), Failure> {
    for member in walk::members(object) {
        let name = spelled(member.name);
        if name.as_deref() != Some("edits") || !matches!(member.kind, Kind::Array | Kind::Null) {
            return Err(Failure::invalid(
                "context_management: may have one member, edits, which is an array",
            ));
        }
        for (index, edit) in walk::elements(member.value).enumerate() {
            let path = format!("context_management.edits.{index}");
            each_type(edit.value, &path, |path, kind| {
                if EDITS.contains(&kind) {
                    return Ok(());
                }
                Err(Failure::invalid(format!(
                    "{path}: must be one of {}; others are billed beside the answer, at a price \
                     that is not known here",
                    EDITS.join(", ")
                )))
            })?;
        }
    }
    Ok(())
}

/// Hands every `type` of an object to `check`, and refuses what is spelled so
/// that some parser takes it for one.
fn each_type(
    object: &[u8],
    path: &str,
    check: impl Fn(&str, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = format!("{path}.type");
    for member in walk::members(object) {
        let name = spelled(member.name);
        let is_type = name.as_deref().is_none_or(|name| folded(name) == "type");
        if !is_type || member.kind == Kind::Null {
            continue;
        }
        let kind = text::string(member.value);
        match kind.filter(|_| name.as_deref() == Some("type")) {
            Some(kind) => check(&path, &kind)?,
            None => {
                return Err(Failure::invalid(format!(
                    "{path}: must be a string, and spelled so"
                )));
            }
        }
    }
    Ok(())
}

/// A name without its escapes.
fn spelled(name: &[u8]) -> Option<String> {
    let quoted = [b"\"", name, b"\""].concat();
    text::string(&quoted).map(std::borrow::Cow::into_owned)
}
