//! The table of docs/reliability.md.

use std::fs;
use std::path::Path;

use super::ground::Ground;

/// One measured row.
pub struct Row {
    /// The figure, such as `F12`.
    pub figure: &'static str,
    /// What happened.
    pub scenario: String,
    /// What is wanted.
    pub goal: &'static str,
    /// What was seen of Bourse.
    pub bourse: String,
    /// Whether that is what is wanted.
    pub met: bool,
    /// What was seen of nginx, where comparing makes sense.
    pub nginx: Option<String>,
    /// What was seen of LiteLLM, where comparing makes sense.
    pub litellm: Option<String>,
}

const HEADER: &str = "| F | scenario | goal | Bourse | | nginx | LiteLLM | command, day, binary |";

const TOP: &str = "\
# Reliability

<!-- The table is written by `./dev soak resilience`; run it again rather than edit. -->

What a client sees while providers, disk and configuration fail: the release binary on loopback, with simulated providers (`bourse sim`)
behind it and load in an open loop, so that arrivals do not wait for answers. *0 in n* comes with the rate that the true one does not exceed
with 95 % confidence. *nginx* stands before the same providers with every reason in `proxy_next_upstream` and the same 30 s for a silent
provider; it keeps no books. *LiteLLM* is its proxy with the router's defaults, three retries and the same 30 s, at a rate that one process
of it carries. Rows
that miss their goal are as measured. Load, providers and the server share the machine's cores, so each row says how many were busy with
other work before: times above a few milliseconds and rates are that work's as much as ours.

";

/// The rows as lines of the page.
fn lines(rows: &[Row], tail: &str) -> Vec<String> {
    let line = |row: &Row| {
        let nginx = row.nginx.as_deref().unwrap_or("–");
        let litellm = row.litellm.as_deref().unwrap_or("–");
        let met = if row.met { "met" } else { "MISSED" };
        format!(
            "| {} | {} | {} | {} | {met} | {nginx} | {litellm} | {} |",
            row.figure,
            row.scenario,
            row.goal,
            row.bourse,
            tail.replace("FIGURE", row.figure)
        )
    };
    rows.iter().map(line).collect()
}

/// The rows for a terminal.
pub fn table(rows: &[Row]) -> String {
    let mut table = comfy_table::Table::new();
    table.set_header(["F", "scenario", "goal", "Bourse", "", "nginx", "LiteLLM"]);
    for row in rows {
        let met = if row.met { "met" } else { "MISSED" };
        table.add_row([
            row.figure,
            &row.scenario,
            row.goal,
            &row.bourse,
            met,
            row.nginx.as_deref().unwrap_or("–"),
            row.litellm.as_deref().unwrap_or("–"),
        ]);
    }
    table.to_string()
}

/// Puts measured rows in place of those of the same figures.
pub fn write(file: &Path, rows: &[Row], ground: &Ground) -> Result<(), String> {
    let before = fs::read_to_string(file).unwrap_or_default();
    let day = jiff::Zoned::now().date();
    let tail = format!(
        "`./dev soak resilience --only FIGURE --seconds {} --rate {} --seed {}`, {day}, {}; {:.1} cores busy with other work",
        ground.seconds,
        ground.rate,
        ground.seed,
        origin(ground),
        ground.busy
    );
    let text = replaced(&before, rows, &tail);
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn replaced(before: &str, rows: &[Row], tail: &str) -> String {
    let figure = |line: &str| line.split('|').nth(1).unwrap_or_default().trim().to_owned();
    let measured = |line: &str| rows.iter().any(|row| row.figure == figure(line));
    let kept = before.lines().filter(|line| line.starts_with("| F"));
    let mut all: Vec<String> = kept
        .filter(|line| *line != HEADER && !measured(line))
        .map(str::to_owned)
        .chain(lines(rows, tail))
        .collect();
    // Stable: rows of one figure keep their order.
    all.sort_by_key(|line| figure(line));
    format!(
        "{TOP}{HEADER}\n|---|---|---|---|---|---|---|---|\n{}\n",
        all.join("\n")
    )
}

/// Which binary it was: by its commit if it was built for this, else by when
/// it was.
fn origin(ground: &Ground) -> String {
    if ground.is_built_here {
        return crate::bench::commit();
    }
    let changed = fs::metadata(&ground.bourse).and_then(|file| file.modified());
    let changed = changed
        .ok()
        .and_then(|at| jiff::Timestamp::try_from(at).ok());
    changed.map_or("a binary of an unknown day".to_owned(), |at| {
        format!("a binary of {}", at.strftime("%Y-%m-%d %H:%M UTC"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_rows_replace_theirs_and_the_others_stay() {
        let row = |figure, bourse: &str| Row {
            figure,
            scenario: "something".to_owned(),
            goal: "0",
            bourse: bourse.to_owned(),
            met: bourse == "0",
            nginx: None,
            litellm: None,
        };
        let first = replaced(
            "",
            &[row("F20", "7"), row("F12", "1"), row("F12", "2")],
            "how FIGURE",
        );
        let again = replaced(&first, &[row("F12", "0")], "later");
        let rows: Vec<&str> = again
            .lines()
            .filter(|line| line.starts_with("| F1") || line.starts_with("| F2"))
            .collect();
        assert_eq!(
            rows,
            [
                "| F12 | something | 0 | 0 | met | – | – | later |",
                "| F20 | something | 0 | 7 | MISSED | – | – | how F20 |",
            ]
        );
        assert_eq!(again.matches(HEADER).count(), 1);
        assert!(again.starts_with("# Reliability"));
    }
}
