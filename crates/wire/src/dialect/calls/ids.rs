//! Ids of earlier calls that the next vendor takes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use bourse_vocab::chat::{Message, Part};

use crate::dialect::CallIds;
use crate::json::{CALL_ID_BYTES_MAX, is_nine_alphanumerics};

/// The messages with ids that a vendor takes, each result still under the id
/// of its call; borrowed if they are all right as they are.
///
/// Conversations wander: ids come from vendors with other letters, from
/// servers that count from `call_0` in every turn, and from clients that have
/// none. The same conversation always gets the same ids, also after it has
/// grown, so that the caches of prompts stay good.
#[must_use]
pub fn fit_ids(messages: &[Message], rule: CallIds) -> Cow<'_, [Message]> {
    let mut fitter = Fitter::new(rule);
    let fitted: Vec<Vec<String>> = messages.iter().map(|m| fitter.message(m)).collect();
    if !fitter.changed {
        return Cow::Borrowed(messages);
    }
    let mut messages = messages.to_vec();
    for (message, ids) in messages.iter_mut().zip(fitted) {
        rename(message, ids);
    }
    Cow::Owned(messages)
}

/// Writes the ids of the message's calls and results over the old ones, and
/// over the seals that name a call.
fn rename(message: &mut Message, ids: Vec<String>) {
    let mut renamed: Vec<(String, String)> = Vec::new();
    let mut ids = ids.into_iter();
    for part in &mut message.parts {
        let slot = match part {
            Part::ToolCall { id, .. } => id,
            Part::ToolResult { call_id, .. } => call_id,
            _ => continue,
        };
        let Some(id) = ids.next() else { continue };
        renamed.push((std::mem::replace(slot, id.clone()), id));
    }
    for part in &mut message.parts {
        if let Part::Reasoning(piece) = part
            && let Some(id) = &mut piece.id
            && let Some((_, new)) = renamed.iter().find(|(old, _)| old == id)
        {
            id.clone_from(new);
        }
    }
}

struct Fitter {
    rule: CallIds,
    changed: bool,
    used: HashSet<String>,
    /// What is known of each old id.
    known: HashMap<String, Known>,
}

/// The calls with one id.
#[derive(Default)]
struct Known {
    /// How many candidates were tried for it.
    attempts: u32,
    /// New ids of calls without a result so far.
    open: VecDeque<String>,
    /// The new id of the latest call.
    latest: String,
}

impl Fitter {
    fn new(rule: CallIds) -> Self {
        Self {
            rule,
            changed: false,
            used: HashSet::new(),
            known: HashMap::new(),
        }
    }

    /// The new ids of the message's calls and results, in order.
    fn message(&mut self, message: &Message) -> Vec<String> {
        let mut ids = Vec::new();
        for part in &message.parts {
            let (old, new) = match part {
                Part::ToolCall { id, .. } => (id, self.call(id)),
                Part::ToolResult { call_id, .. } => (call_id, self.result(call_id)),
                _ => continue,
            };
            self.changed |= *old != new;
            ids.push(new);
        }
        ids
    }

    fn call(&mut self, old: &str) -> String {
        let unique = match self.rule {
            CallIds::Any => old.is_empty(),
            CallIds::UpToForty => old.is_empty() || old.len() > CALL_ID_BYTES_MAX,
            CallIds::NineAlphanumerics | CallIds::UniqueWords => true,
        };
        // Going on where the last search ended keeps a thousand calls with
        // one id from costing a million looks.
        let tried = self.known.get(old).map_or(0, |known| known.attempts);
        let (attempts, new) = if unique {
            (tried.saturating_add(1)..)
                .map(|attempt| (attempt, candidate(self.rule, old, attempt)))
                .find(|(_, new)| !self.used.contains(new))
                .unwrap_or_default()
        } else {
            (tried, old.to_owned())
        };
        self.used.insert(new.clone());
        let known = self.known.entry(old.to_owned()).or_default();
        known.attempts = attempts;
        known.open.push_back(new.clone());
        known.latest.clone_from(&new);
        new
    }

    /// A result answers the first open call with its id; one that comes twice
    /// the latest.
    fn result(&mut self, old: &str) -> String {
        match self.known.get_mut(old) {
            Some(known) => known.open.pop_front().unwrap_or(known.latest.clone()),
            None => candidate(self.rule, old, 1),
        }
    }
}

/// What an id becomes; other attempts give others.
fn candidate(rule: CallIds, old: &str, attempt: u32) -> String {
    let word: String = match rule {
        CallIds::NineAlphanumerics if attempt == 1 && is_nine_alphanumerics(old.as_bytes()) => {
            return old.to_owned();
        }
        CallIds::NineAlphanumerics => return nine(old, attempt),
        CallIds::UpToForty if old.len() > CALL_ID_BYTES_MAX => {
            return format!("call_{}", nine(old, attempt));
        }
        CallIds::UniqueWords => old.chars().map(word_character).collect(),
        CallIds::Any | CallIds::UpToForty => old.to_owned(),
    };
    let word = if word.is_empty() { "call" } else { &word };
    if attempt == 1 {
        word.to_owned()
    } else {
        format!("{word}_{attempt}")
    }
}

const fn word_character(c: char) -> char {
    if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
        c
    } else {
        '_'
    }
}

/// Nine letters and digits that stand for any id: a hash of it (FNV-1a), so
/// that the same id always becomes the same.
fn nine(id: &str, attempt: u32) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let bytes = id.bytes().chain(attempt.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut text = String::with_capacity(9);
    for _ in 0..9 {
        let at = usize::try_from(hash % 62).unwrap_or(0);
        text.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'0')));
        hash /= 62;
    }
    text
}

#[cfg(test)]
mod tests {
    use bourse_vocab::chat::Role;

    use super::*;

    /// Calls are written as `c`, results as `r`, before their id.
    fn conversation(parts: &[&str]) -> Vec<Message> {
        let part = |text: &&str| {
            let (kind, id) = text.split_at(1);
            let (role, part) = match kind {
                "c" => (
                    Role::Assistant,
                    Part::ToolCall {
                        id: id.to_owned(),
                        name: "f".to_owned(),
                        arguments: "{}".to_owned(),
                    },
                ),
                _ => (
                    Role::Tool,
                    Part::ToolResult {
                        call_id: id.to_owned(),
                        name: None,
                        parts: Vec::new(),
                        is_error: false,
                        cache: None,
                    },
                ),
            };
            Message {
                role,
                name: None,
                parts: vec![part],
            }
        };
        parts.iter().map(part).collect()
    }

    fn id_of(message: &Message) -> &str {
        match &message.parts[0] {
            Part::ToolCall { id, .. } => id,
            Part::ToolResult { call_id, .. } => call_id,
            _ => "",
        }
    }

    fn check(rule: CallIds, given: &[&str], expected: &[&str]) {
        let given = conversation(given);
        let fitted = fit_ids(&given, rule);
        assert_eq!(fitted.as_ref(), conversation(expected));
        let is_borrowed = matches!(fitted, Cow::Borrowed(_));
        assert_eq!(is_borrowed, given == fitted.as_ref());
    }

    #[test]
    fn ids_that_fit_are_left_alone() {
        check(
            CallIds::Any,
            &["ca.1", "ra.1", "ca.1", "ra.1"],
            &["ca.1", "ra.1", "ca.1", "ra.1"],
        );
        check(CallIds::UniqueWords, &["ca_1", "ra_1"], &["ca_1", "ra_1"]);
        check(
            CallIds::NineAlphanumerics,
            &["cD681PevKs", "rD681PevKs"],
            &["cD681PevKs", "rD681PevKs"],
        );
    }

    #[test]
    fn ids_that_come_again_are_told_apart_and_results_follow_their_calls() {
        check(
            CallIds::UniqueWords,
            &["ccall_0", "rcall_0", "ccall_0", "rcall_0", "rcall_0"],
            &["ccall_0", "rcall_0", "ccall_0_2", "rcall_0_2", "rcall_0_2"],
        );
        check(
            CallIds::UniqueWords,
            &["ca:1", "ca.1", "ra.1", "ra:1"],
            &["ca_1", "ca_1_2", "ra_1_2", "ra_1"],
        );
    }

    #[test]
    fn empty_ids_are_made_up_for_everybody() {
        for rule in [CallIds::Any, CallIds::UniqueWords] {
            check(
                rule,
                &["c", "c", "r", "r"],
                &["ccall", "ccall_2", "rcall", "rcall_2"],
            );
        }
    }

    #[test]
    fn nine_characters_stand_for_any_id_always_the_same() {
        let given = conversation(&[
            "ccall_PTLP8xhu3uwZk4l3nlnrrJha",
            "rcall_PTLP8xhu3uwZk4l3nlnrrJha",
            "c",
            "c",
        ]);
        let fitted = fit_ids(&given, CallIds::NineAlphanumerics).into_owned();
        let ids: Vec<&str> = fitted.iter().map(id_of).collect();
        assert!(
            ids.iter().all(|id| is_nine_alphanumerics(id.as_bytes())),
            "{ids:?}"
        );
        assert_eq!(ids[0], ids[1]);
        assert!(ids[2] != ids[3] && ids[2] != ids[0]);
        assert_eq!(
            fitted,
            fit_ids(&given, CallIds::NineAlphanumerics).into_owned()
        );
    }

    #[test]
    fn an_id_that_is_too_long_becomes_a_short_one_and_others_stay() {
        let long = "x".repeat(41);
        let given = [
            format!("c{long}"),
            format!("r{long}"),
            format!("c{}", "x".repeat(40)),
            format!("c{long}"),
            format!("r{long}"),
        ];
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let given = conversation(&given);
        let fitted = fit_ids(&given, CallIds::UpToForty);
        let ids: Vec<&str> = fitted.iter().map(id_of).collect();
        assert!(ids.iter().all(|id| id.len() <= 40), "{ids:?}");
        assert_eq!((ids[0], ids[3]), (ids[1], ids[4]));
        assert_ne!(ids[0], ids[3]);
        assert_eq!(ids[2], "x".repeat(40));
        check(
            CallIds::UpToForty,
            &["ccall_0", "rcall_0", "ccall_0", "rcall_0", "c", "r"],
            &["ccall_0", "rcall_0", "ccall_0", "rcall_0", "ccall", "rcall"],
        );
    }

    #[test]
    fn a_seal_that_names_a_call_goes_with_it() {
        use bourse_vocab::chat::{Reasoning, ReasoningKind};
        let mut given = conversation(&["ca.1"]);
        given[0].parts.insert(
            0,
            Part::Reasoning(Reasoning {
                kind: ReasoningKind::Encrypted("S".to_owned()),
                id: Some("a.1".to_owned()),
                scheme: None,
                replayed: None,
            }),
        );
        let fitted = fit_ids(&given, CallIds::UniqueWords);
        let Part::Reasoning(piece) = &fitted[0].parts[0] else {
            panic!("no reasoning")
        };
        assert_eq!(piece.id.as_deref(), Some("a_1"));
    }
}
