//! Which tools a request may offer.
//!
//! Functions are run by the client. Every other tool of Google's runs at
//! Google (a search, a map, a page, code, a store of files), which bills what
//! it does there by prices that nothing here knows, or it is the screen of a
//! computer, whose calls no other vendor could be shown (ai.google.dev, "Tools
//! and agents" and pricing, November 2026).

use bourse_vocab::Failure;

use super::super::request::camel;
use crate::dialect::tools::refusal;
use crate::json::{Kind, folded, text, walk};

/// The member of a tool that declares functions.
const FUNCTIONS: &str = "functionDeclarations";

/// Refuses the tools of a list, as JSON text, that a provider would run. A name
/// counts however it is spelled, because parsers differ in what they take.
/// Returns how many functions are declared.
///
/// # Errors
/// Names the tool and the remedy.
pub(super) fn check_list(list: &[u8]) -> Result<u32, Failure> {
    let mut functions = 0_u32;
    for (index, tool) in walk::elements(list).enumerate() {
        let path = format!("tools[{index}]");
        if tool.kind != Kind::Object {
            return Err(Failure::invalid(format!("{path}: must be an object")));
        }
        let mut is_declared = false;
        for member in walk::members(tool.value) {
            let name = spelled(member.name);
            let name = name.unwrap_or_else(|| String::from_utf8_lossy(member.name).into_owned());
            if member.kind == Kind::Null {
                continue;
            }
            if folded(&name) != folded(FUNCTIONS) {
                return Err(refusal(&path, &camel(&name)));
            }
            if camel(&name) != FUNCTIONS {
                return Err(Failure::invalid(format!(
                    "{path}.{}: write `{FUNCTIONS}`",
                    name.escape_default()
                )));
            }
            if is_declared {
                return Err(Failure::invalid(format!(
                    "{path}.{FUNCTIONS}: is there twice, in two spellings; send one"
                )));
            }
            is_declared = true;
            let declared = walk::elements(member.value).count();
            functions = functions.saturating_add(u32::try_from(declared).unwrap_or(u32::MAX));
        }
    }
    Ok(functions)
}

/// A name without its escapes.
fn spelled(name: &[u8]) -> Option<String> {
    let quoted = [b"\"", name, b"\""].concat();
    text::string(&quoted).map(std::borrow::Cow::into_owned)
}
