//! What operators look at: the page of metrics, and what they load to read
//! it.

use std::collections::{BTreeMap, BTreeSet};

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::Exchange;

const RULES: &str = include_str!("../../../../ops/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../ops/grafana/bourse.json");

/// Labels of each family's series.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// Reads a page as the text format 0.0.4 says, and refuses what it does not
/// allow.
fn read(page: &str) -> Labels {
    assert!(page.ends_with('\n'));
    let mut labels = Labels::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut series = BTreeSet::new();
    let mut family = "";
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect(line);
            assert!(!text.is_empty() && !kinds.contains_key(name), "{line}");
            family = name;
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect(line);
            assert_eq!(name, family, "a type follows its help");
            assert!(
                ["counter", "gauge", "summary", "histogram"].contains(&kind),
                "{line}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            kinds.insert(name, kind);
            labels.entry(name.to_owned()).or_default();
            continue;
        }
        let (one, value) = line.rsplit_once(' ').expect(line);
        // A limit that is none is `+Inf`, as the format writes it.
        let is_none = value == "+Inf" && family.ends_with("_limit");
        let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
        assert!(is_number || is_none, "{line}");
        assert!(series.insert(one), "{one} is there twice");
        let (name, rest) = one.split_once('{').unwrap_or((one, "}"));
        let of = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            (kinds.get(family) == Some(&"histogram")).then_some(family)
        });
        assert_eq!(of.unwrap_or(name), family, "series are with their family");
        labels.entry(name.to_owned()).or_default();
        let pairs = rest.strip_suffix('}').expect(line);
        for pair in pairs.split("\",").filter(|pair| !pair.is_empty()) {
            let (label, _) = pair.split_once("=\"").expect(line);
            labels
                .entry(name.to_owned())
                .or_default()
                .insert(label.to_owned());
        }
    }
    labels
}

/// Every selector of a text: the metric, and the labels in its braces.
fn selectors(text: &str) -> Vec<(String, Vec<String>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("bourse_")
        .filter(|(at, _)| !text[..*at].ends_with(is_word))
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            let inner = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split('}').next());
            let labels = inner
                .unwrap_or_default()
                .split(',')
                .filter_map(|pair| pair.split(['=', '!']).next())
                .filter(|label| !label.is_empty())
                .map(str::to_owned)
                .collect();
            (name.to_owned(), labels)
        })
        .collect()
}

/// Every expression of the dashboard.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    expressions.collect()
}

#[test]
fn the_page_is_prometheus_text_and_has_all_that_rules_and_dashboard_ask_for() {
    let exchange = Exchange::single(Script::default());
    let management = exchange.command(&["key", "create", "--management", "--quiet"]);
    exchange.chat(json!({})).answer();
    exchange.stream(json!({}));
    let mut conn = exchange.connect();
    let head = format!("authorization: Bearer {}\r\n", management.trim());
    conn.request("GET", "/metrics", &head, b"");
    let labels = read(&conn.receive().text());

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() > 10);
    let asked: Vec<_> = expressions
        .iter()
        .map(String::as_str)
        .chain([RULES])
        .flat_map(selectors)
        .collect();
    assert!(asked.len() > 30, "{}", asked.len());
    for (name, wanted) in asked {
        let there = labels
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not there"));
        for label in wanted {
            assert!(
                there.contains(&label),
                "{name} has no label {label}: {there:?}"
            );
        }
    }
    exchange.close();
}
