//! What documents say about the sources, as far as a script can tell: the
//! files that they name exist, the names that the extension table registers
//! under exist, every key of the configuration is explained and every named
//! thread is in the table of threads.

use std::collections::BTreeSet;

use super::Problem;
use super::rust::idents;
use super::tree::Tree;

const RULE: &str = "documents";
const PAGE: &str = "ARCHITECTURE.md";
const FIND: &str = "| question | answer |";
const EXTEND: &str = "| to add | write | register | comes free |";
const ROOMS: &str = "| room | what is in it | begin with |";
const CONFIGURATION: &str = "docs/configuration.md";
const KEYS: &str = "crates/server/src/config/raw.rs";

pub fn check(tree: &Tree) -> Vec<Problem> {
    [
        links(tree),
        rooms(tree),
        named_files(tree),
        registers(tree),
        keys(tree),
        threads(tree),
    ]
    .concat()
}

/// The rows below a table's header, each a list of cells.
pub fn rows(page: &str, header: &str) -> Vec<Vec<String>> {
    page.lines()
        .skip_while(|line| line.trim() != header)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim().trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// What a text has in backticks.
pub fn backticked(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

fn page(tree: &Tree) -> &str {
    tree.files.get(PAGE).map_or("", String::as_str)
}

/// Whether there is a file, or a folder with files.
fn exists(tree: &Tree, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    tree.files.contains_key(path)
        || tree
            .files
            .range(folder.clone()..)
            .next()
            .is_some_and(|(file, _)| file.starts_with(&folder))
}

/// Links from one document to another file lead somewhere.
fn links(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in &tree.files {
        if !path.ends_with(".md") || path.starts_with("fixtures/") {
            continue;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let full = joined(folder, target);
            if !exists(tree, &full) {
                let message = format!("links to {target}, which does not exist");
                problems.push(Problem::new(RULE, path, message));
            }
        }
    }
    problems
}

fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Every crate is a row of the rooms, and the files to begin with exist.
fn rooms(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut said = BTreeSet::new();
    for row in rows(page(tree), ROOMS) {
        let [room, _, begin, ..] = row.as_slice() else {
            continue;
        };
        let room = backticked(room).pop().unwrap_or_default();
        for file in backticked(begin) {
            let full = format!("crates/{room}/src/{file}");
            if !exists(tree, &full) {
                problems.push(Problem::new(RULE, full, format!("{PAGE} begins with it")));
            }
        }
        said.insert(room);
    }
    for one in tree
        .crates
        .iter()
        .filter(|one| one.folder.starts_with("crates/"))
    {
        if !said.contains(&one.name) {
            let message = format!("is not among the rooms of {PAGE}");
            problems.push(Problem::new(RULE, &one.name, message));
        }
    }
    problems
}

/// Files and folders that documents name exist: with `crates/` or without
/// it, as the tables write them. A `<placeholder>` (or `NNNN`, a number) ends
/// what is looked at.
fn named_files(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in &tree.files {
        let is_document = path.ends_with(".md") && !path.starts_with("fixtures/");
        // Records and the log of changes tell what was.
        if !is_document || path == "CHANGELOG.md" || path.starts_with("docs/decisions/") {
            continue;
        }
        for name in backticked(text) {
            let name = name.replace("NNNN", "<number>");
            let known = name.split('<').next().unwrap_or_default();
            let known = known.rsplit_once('/').map_or("", |(folder, _)| folder);
            let wanted = if name.contains('<') {
                known
            } else {
                name.as_str()
            };
            let is_path = wanted.contains("/src/")
                || wanted.ends_with("/src")
                || ["crates/", "xtask/", "scripts/", "docs/"]
                    .iter()
                    .any(|folder| wanted.starts_with(folder));
            if !is_path || wanted.contains([' ', '*', '{', '"']) {
                continue;
            }
            if !exists(tree, wanted) && !exists(tree, &format!("crates/{wanted}")) {
                let message = format!("names `{name}`, which does not exist");
                problems.push(Problem::new(RULE, path, message));
            }
        }
    }
    problems
}

/// Names that something new registers under exist in the sources.
fn registers(tree: &Tree) -> Vec<Problem> {
    let sources = tree.crates.iter().flat_map(|one| &one.sources);
    let known: BTreeSet<String> = sources.flat_map(|source| idents(&source.tokens)).collect();
    let mut problems = Vec::new();
    let cells = rows(page(tree), EXTEND)
        .into_iter()
        .filter_map(|row| row.get(2).cloned())
        .chain(
            rows(page(tree), FIND)
                .into_iter()
                .filter_map(|row| row.get(1).cloned()),
        );
    for cell in cells {
        for name in backticked(&cell) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            let name = name.trim_end_matches(['!', '(', ')']);
            if name.is_empty() || !name.chars().all(is_name) {
                continue;
            }
            for word in name.split("::").filter(|word| !known.contains(*word)) {
                let message = format!("{PAGE} names it, and there is no such name");
                problems.push(Problem::new(RULE, word, message));
            }
        }
    }
    problems
}

/// Every key of the configuration is explained.
fn keys(tree: &Tree) -> Vec<Problem> {
    let (Some(raw), Some(manual)) = (tree.files.get(KEYS), tree.files.get(CONFIGURATION)) else {
        return Vec::new();
    };
    let is_word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let explained: BTreeSet<&str> = manual.split(is_word).collect();
    raw.lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
        .map(|(key, _)| key)
        .filter(|key| !key.contains('(') && !explained.contains(key))
        .map(|key| Problem::new(RULE, key, format!("{CONFIGURATION} does not explain it")))
        .collect()
}

/// Every thread that is given a name is in the table of threads.
fn threads(tree: &Tree) -> Vec<Problem> {
    let table = rows(page(tree), "| thread | how many | does |");
    let said: Vec<String> = table
        .iter()
        .filter_map(|row| row.first())
        .flat_map(|cell| backticked(cell))
        .collect();
    let mut problems = Vec::new();
    for one in tree
        .crates
        .iter()
        .filter(|one| one.folder.starts_with("crates/"))
    {
        if one.name == "sim" {
            continue;
        }
        for source in one
            .sources
            .iter()
            .filter(|source| one.is_product(&source.path))
        {
            for name in thread_names(&source.text) {
                let is_said = said.iter().any(|thread| {
                    let stem = thread.trim_end_matches('N');
                    thread == &name || (stem != thread && name.starts_with(stem))
                });
                if !is_said {
                    let message = format!("starts the thread `{name}`, which {PAGE} does not list");
                    problems.push(Problem::new(RULE, &source.path, message));
                }
            }
        }
    }
    problems
}

/// Literals that follow `.name(` or `.thread_name(` where a thread is built.
fn thread_names(text: &str) -> Vec<String> {
    if !text.contains("thread::Builder") && !text.contains("thread_name(") {
        return Vec::new();
    }
    let begin = |text: &str| {
        let inside = text.trim_start_matches("format!(").strip_prefix('"')?;
        inside.split('"').next().map(str::to_owned)
    };
    let plain = text.split(".name(").skip(1);
    let named = text.split(".thread_name(").skip(1);
    plain.chain(named).filter_map(begin).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    const MAP: &str = "\
| room | what is in it | begin with |
|---|---|---|
| `a` | things | `lib.rs` |

| thread | how many | does |
|---|---|---|
| `worker-N` | some | work |

| question | answer |
|---|---|
| where | `a/src/lib.rs`, `Thing::made` |

| to add | write | register | comes free |
|---|---|---|---|
| a thing | `a/src/things/<name>.rs` | a row in `THINGS` | all |
";

    fn problems(changed: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![
            (PAGE, MAP),
            (
                "docs/configuration.md",
                "`listen` is the address; [map](../ARCHITECTURE.md)",
            ),
            (KEYS, "pub struct Raw {\n    pub listen: String,\n}\n"),
            ("crates/server/Cargo.toml", ""),
            ("crates/a/Cargo.toml", ""),
            (
                "crates/a/src/lib.rs",
                "static THINGS: u8 = 0; impl Thing { fn made() {} }",
            ),
            ("crates/a/src/things/one.rs", ""),
        ];
        files.retain(|(path, _)| changed.iter().all(|(other, _)| other != path));
        files.extend(changed);
        check(&planted(&files))
            .into_iter()
            .filter(|problem| problem.subject != "server")
            .map(|problem| format!("{}: {}", problem.subject, problem.message))
            .collect()
    }

    #[test]
    fn a_true_map_is_let_pass() {
        assert_eq!(problems(&[]), [""; 0]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let found = problems(&[(
            "docs/x.md",
            "[a](y.md) [b](https://x) [c](configuration.md#d)",
        )]);
        assert_eq!(found, ["docs/x.md: links to y.md, which does not exist"]);
    }

    #[test]
    fn a_file_that_is_named_and_absent_is_found() {
        for (name, is_found) in [
            ("a/src/gone.rs", true),
            ("crates/b/", true),
            ("a/src/<format>/x.rs", false),
            ("a/src/gone/<name>.rs", true),
            ("xtask/gate.toml", true),
            ("http://x/src/y", false),
        ] {
            let text = format!("See `{name}`.");
            let found = problems(&[("docs/x.md", &text)]);
            let is_url = name.contains("://");
            assert_eq!(
                found.len(),
                usize::from(is_found || is_url),
                "{name}: {found:?}"
            );
        }
    }

    #[test]
    fn a_room_whose_file_is_absent_and_a_crate_without_a_room_are_found() {
        let map = MAP.replace("`lib.rs`", "`first.rs`");
        assert_eq!(
            problems(&[(PAGE, &map)]),
            ["crates/a/src/first.rs: ARCHITECTURE.md begins with it"]
        );
        let found = problems(&[("crates/b/Cargo.toml", "")]);
        assert_eq!(found, ["b: is not among the rooms of ARCHITECTURE.md"]);
    }

    #[test]
    fn a_name_of_the_tables_that_is_not_in_the_sources_is_found() {
        let found = problems(&[("crates/a/src/lib.rs", "static THINGS: u8 = 0;")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("Thing: "), "{found:?}");
    }

    #[test]
    fn a_key_without_an_explanation_is_found() {
        let raw = "pub struct Raw {\n    pub listen: String,\n    pub workers: u8,\n}\n";
        let found = problems(&[(KEYS, raw)]);
        assert_eq!(
            found,
            ["workers: docs/configuration.md does not explain it"]
        );
    }

    #[test]
    fn a_named_thread_that_the_map_does_not_list_is_found() {
        let start = |name: &str| {
            format!(
                "static THINGS: u8 = 0; impl Thing {{ fn made() {{ std::thread::Builder::new().name({name}) }} }}"
            )
        };
        let text = start("format!(\"worker-{index}\")");
        assert!(problems(&[("crates/a/src/lib.rs", &text)]).is_empty());
        let text = start("\"sweeper\".to_owned()");
        let found = problems(&[("crates/a/src/lib.rs", &text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`sweeper`"), "{found:?}");
    }
}
