//! What is said of the metrics, in docs/metrics.md and in the files of
//! `ops/`, is what the exposition has.

use std::collections::BTreeMap;

use super::Problem;
use super::documents::{backticked, rows};
use super::rust::{production, strings};
use super::tree::Tree;

const RULE: &str = "metrics";
/// Where families are written down, as literals.
const EXPOSITION: [&str; 2] = [
    "crates/dataplane/src/exposition.rs",
    "crates/dataplane/src/exposition/process.rs",
];
/// The page that is made of them.
pub const PAGE: &str = "docs/metrics.md";
const HEADER: &str = "| metric | type | meaning |";
/// What operators load into their own systems.
const OPS: &str = "ops/";
const PREFIXES: [&str; 2] = ["bourse_", "process_"];
const KINDS: [&str; 4] = ["counter", "gauge", "histogram", "summary"];

/// A family: its kind and help.
type Families = BTreeMap<String, (String, String)>;

const TOP: &str = "\
# Metrics

<!-- The table is written by `cargo xtask metrics` from the exposition; run it again rather than edit. -->

`GET /metrics` is Prometheus's text format 0.0.4, for management keys (`authorization: Bearer …`), and without one at a local [`server.admin_listen`](configuration.md#server), written by the official client library. Labels are
ids of the catalog (`model`, `provider`, `endpoint`) and words of ours (`outcome`, `blame`, `reason`, `stream`, `percentile`, `kind`), so no caller can make a new series. Counters begin at
0 when the server starts. Families of endpoints have no series until the endpoint has been asked. Times are seconds, sizes bytes, money dollars. The
histograms count into fourteen buckets from 50 ms to ten minutes, once for whole answers (`stream=\"no\"`) and once for streams; what `process_*` says is the
operating system's word, where there is `/proc`.

```yaml
scrape_configs:
  - job_name: bourse
    authorization: { credentials_file: /etc/prometheus/bourse-management-key }
    static_configs: [{ targets: [\"127.0.0.1:8787\"] }]
rule_files: [\"ops/prometheus/alerts.yml\"]
```

[ops/prometheus/alerts.yml](../ops/prometheus/alerts.yml) has alert rules, [ops/grafana/bourse.json](../ops/grafana/bourse.json) a Grafana
dashboard. `./dev test metrics` has promtool read both the rules and a running server's page.

";

/// The families that the sources have.
fn families(tree: &Tree) -> Families {
    let sources = tree.crates.iter().flat_map(|one| &one.sources);
    let mut found = Families::new();
    for source in sources.filter(|one| EXPOSITION.contains(&one.path.as_str())) {
        let words: Vec<_> = strings(&production(&source.tokens));
        let words: Vec<&str> = words
            .iter()
            .map(|(word, _)| word.trim_matches('"'))
            .collect();
        find(&words, &mut found);
    }
    found
}

/// Adds the families among the literals of a file.
fn find(words: &[&str], found: &mut Families) {
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    for at in 0..words.len() {
        let name = word(at);
        if !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let (kind, help) = match word(at + 1) {
            kind if KINDS.contains(&kind) => (kind, word(at + 2)),
            // A row of counters has no kind of its own.
            help => ("counter", help),
        };
        // A name that begins no family is not followed by a sentence.
        if help.ends_with('.') {
            found.insert(name.to_owned(), (kind.to_owned(), help.to_owned()));
        }
    }
}

/// The page as it should be.
pub fn page(tree: &Tree) -> String {
    let rows: String = families(tree)
        .iter()
        .map(|(name, (kind, help))| format!("| `{name}` | {kind} | {help} |\n"))
        .collect();
    format!("{TOP}{HEADER}\n|---|---|---|\n{rows}")
}

pub fn check(tree: &Tree) -> Vec<Problem> {
    let families = families(tree);
    if families.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if let Some(said) = tree.files.get(PAGE)
        && *said != page(tree)
    {
        let known: Vec<String> = rows(said, HEADER)
            .iter()
            .filter_map(|row| backticked(row.first()?).into_iter().next())
            .collect();
        let missing = families.keys().find(|name| !known.contains(name));
        let what = missing.map_or(String::new(), |name| format!(" ({name} is missing)"));
        let message = format!("is not what `cargo xtask metrics` writes{what}");
        problems.push(Problem::new(RULE, PAGE, message));
    }
    for (path, text) in tree.files.iter().filter(|(path, _)| path.starts_with(OPS)) {
        for name in names(text).filter(|name| !is_known(&families, name)) {
            let message = format!("{name} is in no exposition");
            problems.push(Problem::new(RULE, format!("{path} {name}"), message));
        }
        if path.ends_with(".json")
            && let Err(error) = serde_json::from_str::<serde_json::Value>(text)
        {
            problems.push(Problem::new(RULE, path, format!("is not JSON: {error}")));
        }
    }
    problems
}

/// Every metric that a text names.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

/// Whether it is a family, or a series of a histogram.
fn is_known(families: &Families, name: &str) -> bool {
    let histogram = ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|suffix| families.get(name.strip_suffix(suffix)?))
        .any(|(kind, _)| kind == "histogram" || kind == "summary");
    histogram || families.contains_key(name)
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    const SOURCE: &str = r#"
        const ROWS: &[Family] = &[("bourse_tokens_total", "Tokens.", |m| m.tokens)];
        fn all(page: &mut Page) {
            page.single("bourse_calls", "gauge", "Calls under way.", 1);
            page.family("bourse_time", "histogram", "Time.");
            page.value(&[("stream", "no")], 3);
        }
    "#;

    const PROCESS: &str = r#"
        fn tell(page: &mut Page) {
            let stat = read("/proc/self/stat");
            page.single("process_open_fds", "gauge", "Open files.", 1);
        }
    "#;

    fn with(page: &str, ops: &str) -> Vec<String> {
        let tree = planted(&[
            (
                "crates/dataplane/Cargo.toml",
                "[package]\nname = \"bourse-dataplane\"\n",
            ),
            (EXPOSITION[0], SOURCE),
            (EXPOSITION[1], PROCESS),
            (PAGE, page),
            ("ops/a.yml", ops),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_page_and_rules_that_name_what_there_is_are_content() {
        let tree = planted(&[
            (
                "crates/dataplane/Cargo.toml",
                "[package]\nname = \"bourse-dataplane\"\n",
            ),
            (EXPOSITION[0], SOURCE),
            (EXPOSITION[1], PROCESS),
        ]);
        let page = page(&tree);
        assert!(page.contains("| `bourse_calls` | gauge | Calls under way. |\n"));
        assert!(page.contains("| `bourse_tokens_total` | counter | Tokens. |\n"));
        assert!(page.contains("| `process_open_fds` | gauge | Open files. |\n"));
        assert_eq!(page.matches("`bourse_time`").count(), 1);
        let rules = "rate(bourse_tokens_total[5m]) > bourse_time_bucket{le=\"1\"}";
        assert_eq!(with(&page, rules), Vec::<String>::new());
        assert!(with(&page.replace("Tokens.", "Other."), "")[0].contains("cargo xtask metrics"));
    }

    #[test]
    fn a_metric_that_nobody_has_is_found() {
        let problems = with(
            "",
            "expr: bourse_calls + bourse_gone_total + bourse_calls_sum",
        );
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].contains("(bourse_calls is missing)"),
            "{problems:?}"
        );
        assert!(problems[1].contains("bourse_gone_total"), "{problems:?}");
        assert!(problems[2].contains("bourse_calls_sum"), "{problems:?}");
    }
}
