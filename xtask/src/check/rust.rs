//! Reading Rust as tokens: enough to see names, strings, modules and
//! functions, without following what they mean.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The tokens without items that are compiled for tests only.
pub fn production(tokens: &TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut kept = Vec::new();
    let mut rest = tokens.as_slice();
    while let [first, more @ ..] = rest {
        if let Some(after) = test_item(rest) {
            rest = after;
            continue;
        }
        kept.push(match first {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), production(&group.stream()));
                // Where it is written stays known.
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            other => other.clone(),
        });
        rest = more;
    }
    kept.into_iter().collect()
}

/// If an item for tests begins here, what comes after it.
fn test_item(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else {
        return None;
    };
    if hash.as_char() != '#' || !is_for_tests(attribute) {
        return None;
    }
    let end = tokens.iter().position(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    })?;
    tokens.get(end + 1..)
}

/// Whether an attribute's brackets say `test` or `cfg(test)`.
fn is_for_tests(attribute: &Group) -> bool {
    let mut tokens = attribute.stream().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(name)), None) => name == "test",
        (Some(TokenTree::Ident(name)), Some(TokenTree::Group(condition))) => {
            let mut words = idents(&condition.stream()).into_iter();
            name == "cfg" && words.next().is_some_and(|word| word == "test")
        }
        _ => false,
    }
}

/// Every token, groups opened.
pub fn flat(tokens: &TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens.clone() {
        if let TokenTree::Group(group) = &token {
            let inner = flat(&group.stream());
            all.push(token);
            all.extend(inner);
        } else {
            all.push(token);
        }
    }
    all
}

/// Every name.
pub fn idents(tokens: &TokenStream) -> Vec<String> {
    flat(tokens)
        .into_iter()
        .filter_map(|token| match token {
            TokenTree::Ident(ident) => Some(ident.to_string()),
            _ => None,
        })
        .collect()
}

/// Every string, as it is written, with its line. Documentation is not
/// among them, though it is an attribute with a string.
pub fn strings(tokens: &TokenStream) -> Vec<(String, usize)> {
    let all = flat(tokens);
    let mut found = Vec::new();
    for (index, token) in all.iter().enumerate() {
        let TokenTree::Literal(literal) = token else {
            continue;
        };
        let before = |n: usize| index.checked_sub(n).and_then(|at| all.get(at));
        if let (Some(TokenTree::Ident(name)), Some(TokenTree::Punct(equals))) =
            (before(2), before(1))
            && name == "doc"
            && equals.as_char() == '='
        {
            continue;
        }
        let text = literal.to_string();
        if text.contains('"') {
            found.push((text, literal.span().start().line));
        }
    }
    found
}

/// A path such as `crate::a::b`, by its segments.
pub type Path = Vec<String>;

/// Every path that begins with `crate` or `super`, in `use` trees and in
/// expressions. A tree is taken apart into its leaves.
pub fn paths(tokens: &TokenStream) -> Vec<Path> {
    let mut found = Vec::new();
    collect_paths(&tokens.clone().into_iter().collect::<Vec<_>>(), &mut found);
    found
}

fn collect_paths(tokens: &[TokenTree], found: &mut Vec<Path>) {
    let mut rest = tokens;
    while let [first, more @ ..] = rest {
        match first {
            TokenTree::Ident(ident) if *ident == "crate" || *ident == "super" => {
                rest = path_tree(rest, &[], found);
            }
            TokenTree::Group(group) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                collect_paths(&inner, found);
                rest = more;
            }
            _ => rest = more,
        }
    }
}

/// Reads a path, or a tree of them, and returns what comes after it.
fn path_tree<'a>(
    tokens: &'a [TokenTree],
    before: &[String],
    found: &mut Vec<Path>,
) -> &'a [TokenTree] {
    let mut path = before.to_vec();
    let mut rest = tokens;
    loop {
        match rest {
            [TokenTree::Ident(ident), more @ ..] => {
                path.push(ident.to_string());
                rest = more;
            }
            [TokenTree::Group(group), more @ ..] if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for branch in inner.split(is_comma) {
                    path_tree(branch, &path, found);
                }
                return more;
            }
            _ => break,
        }
        match rest {
            [TokenTree::Punct(one), TokenTree::Punct(two), more @ ..]
                if one.as_char() == ':' && two.as_char() == ':' =>
            {
                rest = more;
            }
            _ => break,
        }
    }
    if !path.is_empty() {
        found.push(path);
    }
    rest
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// From `fn` to the closing brace.
    pub lines: usize,
}

/// Every function with a body.
pub fn functions(tokens: &TokenStream) -> Vec<Function> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            found.extend(functions(&group.stream()));
        }
        let (TokenTree::Ident(word), Some(TokenTree::Ident(name))) = (token, tokens.get(index + 1))
        else {
            continue;
        };
        if *word != "fn" {
            continue;
        }
        let after = tokens.get(index + 2..).unwrap_or_default();
        let body = after.iter().find_map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(Some(group)),
            TokenTree::Punct(punct) if punct.as_char() == ';' => Some(None),
            _ => None,
        });
        if let Some(Some(body)) = body {
            let (first, last) = (word.span().start().line, body.span_close().end().line);
            found.push(Function {
                name: name.to_string(),
                lines: last.saturating_sub(first) + 1,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().unwrap()
    }

    #[test]
    fn items_for_tests_are_left_out_wherever_they_are() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() {} } \
            #[cfg(all(unix))] fn c() {} mod m { #[test] #[ignore] fn d() {} fn e() {} } \
            #[cfg(test)] use x::y; fn f() {}";
        let words = idents(&production(&tokens(text)));
        for name in ["a", "c", "e", "f"] {
            assert!(words.iter().any(|word| word == name), "{name}");
        }
        for name in ["b", "d", "y"] {
            assert!(words.iter().all(|word| word != name), "{name}");
        }
    }

    #[test]
    fn paths_are_found_in_trees_and_in_expressions() {
        let text = "use crate::a::{b, c::{D, e::*}, self}; fn f() { crate::g::h(super::i::J); }";
        let found: Vec<String> = paths(&tokens(text))
            .iter()
            .map(|path| path.join("::"))
            .collect();
        assert_eq!(
            found,
            [
                "crate::a::b",
                "crate::a::c::D",
                "crate::a::c::e",
                "crate::a::self",
                "crate::g::h",
                "super::i::J",
            ]
        );
    }

    #[test]
    fn strings_are_found_without_documentation_and_comments() {
        let text =
            "/// \"doc\"\nfn a() {\n// \"comment\"\nlet x = \"one\"; f(r#\"two\"#, 3, 'c'); }";
        let found = strings(&tokens(text));
        assert_eq!(
            found,
            [("\"one\"".to_owned(), 4), ("r#\"two\"#".to_owned(), 4)]
        );
    }

    #[test]
    fn functions_are_measured_from_fn_to_their_last_brace() {
        let text = "trait T { fn none(&self); fn some(&self) {\n} }\n\
            impl A { pub async fn long<const N: usize>(f: fn(u8) -> u8) -> B\n where C: D {\n\n\n} }";
        let found = functions(&tokens(text));
        let lines: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines)).collect();
        assert_eq!(lines, [("some", 2), ("long", 5)]);
    }
}
