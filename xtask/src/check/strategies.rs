//! The list of strategies that callers read is that of the sources.

use super::Problem;
use super::documents::{backticked, rows};
use super::tree::Tree;

const RULE: &str = "strategies";
const PAGE: &str = "docs/routing.md";
const HEADER: &str = "| `sort` | suffix | does |";

/// A strategy as callers know it: name, suffix, sentence.
pub type Known<'a> = (&'a str, Option<&'a str>, &'a str);

/// Compares the table with the strategies there are; the last one is the
/// order where nobody asks for one, and has neither name nor suffix there.
pub fn check(tree: &Tree, known: &[Known<'_>]) -> Vec<Problem> {
    let Some(page) = tree.files.get(PAGE) else {
        return Vec::new();
    };
    let said: Vec<_> = rows(page, HEADER)
        .into_iter()
        .map(|row| {
            let cell = |index: usize| row.get(index).map_or("", String::as_str);
            let first = |cell| backticked(cell).into_iter().next().unwrap_or_default();
            (first(cell(0)), first(cell(1)), cell(2).to_owned())
        })
        .collect();
    let expected: Vec<_> = known
        .iter()
        .map(|(name, suffix, about)| {
            let suffix = suffix
                .map(|suffix| format!(":{suffix}"))
                .unwrap_or_default();
            ((*name).to_owned(), suffix, (*about).to_owned())
        })
        .collect();
    let missing = expected.iter().filter(|row| !said.contains(row));
    let surplus = said.iter().filter(|row| !expected.contains(row));
    let line =
        |(name, suffix, about): &(String, String, String)| format!("`{name}` `{suffix}` {about}");
    missing
        .map(|row| Problem::new(RULE, PAGE, format!("does not list {}", line(row))))
        .chain(surplus.map(|row| {
            Problem::new(
                RULE,
                PAGE,
                format!("lists what is no strategy: {}", line(row)),
            )
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    const KNOWN: &[Known<'_>] = &[
        ("price", Some("floor"), "Cheap first."),
        ("latency", None, "Soon first."),
        ("", None, "Drawn."),
    ];

    fn found(table: &str) -> Vec<String> {
        let page = format!("# T\n\n{HEADER}\n|---|---|---|\n{table}");
        check(&planted(&[(PAGE, &page)]), KNOWN)
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    }

    const TRUE: &str = "| `price` | `:floor` | Cheap first. |\n| `latency` | – | Soon first. |\n\
        | – | – | Drawn. |\n";

    #[test]
    fn a_true_table_is_let_pass() {
        assert_eq!(found(TRUE), [""; 0]);
    }

    #[test]
    fn a_row_that_is_missing_surplus_or_wrong_is_found() {
        let without = TRUE.replace("| `latency` | – | Soon first. |\n", "");
        assert_eq!(found(&without), ["does not list `latency` `` Soon first."]);
        let with = format!("{TRUE}| `luck` | – | Any. |\n");
        assert_eq!(found(&with), ["lists what is no strategy: `luck` `` Any."]);
        assert_eq!(found(&TRUE.replace(":floor", ":cheap")).len(), 2);
        assert_eq!(found(&TRUE.replace("Drawn", "Dealt")).len(), 2);
    }
}
