//! The page of what was found wrong names files and tests that are there: a
//! test that is renamed or taken out must not leave a promise behind.

use super::Problem;
use super::documents::backticked;
use super::tree::Tree;

const RULE: &str = "proofs";
const PAGE: &str = "docs/proofs.md";
/// The header of the page's tables. In the last cell a file comes before the
/// tests that are in it.
const HEADER: &str = "| found | mended | held by |";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let page = tree.files.get(PAGE).map_or("", String::as_str);
    let tables = page.split(HEADER).skip(1);
    let rows = tables.flat_map(|table| {
        let lines = table.lines().skip(2);
        lines.take_while(|line| line.starts_with('|'))
    });
    rows.flat_map(|row| of_row(tree, row)).collect()
}

fn of_row(tree: &Tree, row: &str) -> Vec<Problem> {
    let cells: Vec<&str> = row.trim().trim_matches('|').split(" | ").collect();
    let [found, .., held_by] = cells.as_slice() else {
        return vec![Problem::new(RULE, row, "has no last cell")];
    };
    let subject = found.trim();
    let mut problems = Vec::new();
    let mut file = None;
    let mut tests = 0_usize;
    for name in backticked(held_by) {
        if name.contains('/') {
            file = text(tree, &name);
            if file.is_none() {
                let message = format!("names {name}, which does not exist");
                problems.push(Problem::new(RULE, subject, message));
            }
            continue;
        }
        tests += 1;
        let is_there = ["fn", "def"].iter().any(|keyword| {
            let begin = format!("{keyword} {name}(");
            file.is_some_and(|file| file.contains(&begin))
        });
        if !is_there {
            let message = format!("is held by {name}, which is not in the file before it");
            problems.push(Problem::new(RULE, subject, message));
        }
    }
    if tests == 0 {
        problems.push(Problem::new(RULE, subject, "is held by no test"));
    }
    problems
}

/// A file's text; those of the crates are named without `crates/`.
fn text<'a>(tree: &'a Tree, path: &str) -> Option<&'a str> {
    let below = format!("crates/{path}");
    let found = tree.files.get(path).or_else(|| tree.files.get(&below));
    found.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    fn found(held_by: &str) -> Vec<String> {
        let page = format!(
            "# A page\n\n{HEADER}\n|---|---|---|\n| it was wrong | `x` | {held_by} |\n\n| other |\n"
        );
        let files = [
            (PAGE, page.as_str()),
            ("crates/wire/src/a.rs", "fn it_is_right() {}"),
            ("tests/b.py", "def test_it_is_right():"),
        ];
        let problems = check(&planted(&files)).into_iter();
        problems.map(|problem| problem.message).collect()
    }

    #[test]
    fn tests_that_are_there_are_let_pass() {
        for held_by in [
            "`wire/src/a.rs`: `it_is_right`",
            "`wire/src/a.rs`: `it_is_right`; `tests/b.py`: `test_it_is_right`",
        ] {
            assert_eq!(found(held_by), [""; 0], "{held_by}");
        }
    }

    #[test]
    fn a_test_or_a_file_that_is_not_there_is_found() {
        for (held_by, message) in [
            (
                "`wire/src/a.rs`: `it_was_right`",
                "is held by it_was_right, which is not in the file before it",
            ),
            (
                "`tests/b.py`: `it_is_right`",
                "is held by it_is_right, which is not in the file before it",
            ),
            ("nothing", "is held by no test"),
        ] {
            assert_eq!(found(held_by), [message], "{held_by}");
        }
        let missing = found("`wire/src/c.rs`: `it_is_right`");
        assert_eq!(missing.len(), 2, "{missing:?}");
    }
}
