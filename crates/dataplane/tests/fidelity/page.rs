//! `docs/fidelity.md`: written here, and compared with what is committed.

use std::fmt::Write as _;

use bourse_vocab::Format;

use crate::answers;
use crate::asked::{self, Asked};
use crate::clients::CLIENTS;
use crate::columns::COLUMNS;
use crate::{Cell, workspace};

/// The environment variable that has the page written instead.
const UPDATE: &str = "BOURSE_FIDELITY_UPDATE";

const TOP: &str = "\
# Fidelity

<!-- Written by `cargo xtask fidelity` from what the test `fidelity` of the data plane sees; run it again rather than edit. -->

What becomes of each feature of each client API at each provider. Every cell is what a test saw: the feature is asked for through its
endpoint (`fixtures/fidelity/requests`), written for the target down the road that a call takes, and looked for in what would be sent, by
patterns that share nothing with the codecs. The test fails if anything is lost in silence, and if this page says something else.
[Why it is done so](decisions/0056-fidelity-is-shown.md).

| | means |
|---|---|
| **n** | native: asked for in the provider's own words, or done by Bourse itself |
| **e** | emulated: something else is asked for that does the same |
| **d** | degraded: lost in part or whole, and told in `openrouter_metadata.translation_losses`; `provider.require_parameters` refuses it instead |
| **r** | refused with 400 before anything is sent, in the client's format, with the field's path; another provider is tried if there is one |
| · | the client's API has no words for it |

A loss names the field as the client sent it (`input[2].content[0]`, `contents[0].parts[1]`, `system.0`), what happened to it
(`dropped`, `degraded`, `emulated`) and why. It is shown to who asks with `X-OpenRouter-Metadata: enabled`, and
kept in the generation's record (`GET /api/v1/generation`, `translation_losses`).

";

/// Compares the page with what was seen, or writes it.
pub fn check(asked: &Asked, answers: &[answers::Row]) {
    let page = page(asked, answers);
    let file = workspace().join("docs/fidelity.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, page).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = committed.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(
        committed == page,
        "docs/fidelity.md is not what was seen; run `cargo xtask fidelity`. First: {differs:?}"
    );
}

fn page(asked: &Asked, answers: &[answers::Row]) -> String {
    let mut page = TOP.to_owned();
    page.push_str(
        "## Who is asked\n\n| column | provider and model | stands for |\n|---|---|---|\n",
    );
    for column in COLUMNS {
        let of = column.of();
        let _ = writeln!(page, "| {} | {of} | {} |", column.id, column.stands_for);
    }
    page.push_str(
        "\nEvery format is there, with two models where generations of models are told different things. Of the dialects of chat completions \
         those are there of which each has a rule that no other has; another provider of the same dialect is the same column.\n",
    );
    for client in CLIENTS {
        let _ = write!(page, "\n## Asked by {}\n\n| feature |", client.name);
        for column in COLUMNS {
            let _ = write!(page, " {} |", column.id);
        }
        let _ = writeln!(page, "\n|---|{}", ":-:|".repeat(COLUMNS.len()));
        let mut group = "";
        for row in &asked.rows {
            let cells = COLUMNS
                .iter()
                .map(|column| row.cells[&(client.id, column.id)]);
            let cells: Vec<Cell> = cells.collect();
            if cells.iter().all(|cell| *cell == Cell::Unsaid) {
                continue;
            }
            if row.group != group {
                let blank = " |".repeat(COLUMNS.len());
                let _ = writeln!(page, "| **{}** |{blank}", row.group);
                group = &row.group;
            }
            line(&mut page, &row.feature.name, &cells);
        }
    }
    told(&mut page, asked);
    answered(&mut page, answers);
    sum(&mut page, &asked.rows);
    page
}

fn line(page: &mut String, name: &str, cells: &[Cell]) {
    let _ = write!(page, "| {name} |");
    for cell in cells {
        let _ = write!(page, " {} |", letter(*cell));
    }
    page.push('\n');
}

const fn letter(cell: Cell) -> &'static str {
    match cell {
        Cell::Native => "n",
        Cell::Emulated => "e",
        Cell::Degraded => "d",
        Cell::Refused => "r",
        Cell::Unsaid => "·",
        Cell::Silent => "SILENT",
    }
}

/// What callers are told, provider by provider.
fn told(page: &mut String, asked: &Asked) {
    page.push_str(
        "\n## What is told\n\nThe sentences of losses, and of which features they are told.\n",
    );
    for column in COLUMNS {
        let Some(sentences) = asked.told.get(column.id) else {
            continue;
        };
        let _ = writeln!(page, "\n**{}**\n", column.id);
        for (sentence, features) in sentences {
            let _ = writeln!(page, "- {sentence}: {}", features.join(", "));
        }
    }
}

fn answered(page: &mut String, answers: &[answers::Row]) {
    page.push_str(
        "\n## Answers\n\nWhat clients of each API find in answers of providers of each format, whole and streamed (`fixtures/fidelity/answers`). \
         `·`: the format has no such answer, or the client cannot ask for it.\n\n| feature | client |",
    );
    for format in Format::ALL {
        let _ = write!(page, " {format} |");
    }
    let _ = writeln!(page, "\n|---|---|{}", ":-:|".repeat(Format::ALL.len()));
    for row in answers {
        for client in CLIENTS {
            let cells = Format::ALL.map(|format| row.cells[&(client.id, format)]);
            if cells.iter().any(|cell| *cell != Cell::Unsaid) {
                let name = format!("{} | {}", row.feature.name, client.name);
                line(page, &name, &cells);
            }
        }
    }
}

fn sum(page: &mut String, rows: &[asked::Row]) {
    let cells = || rows.iter().flat_map(|row| row.cells.values());
    let count = |of: Cell| cells().filter(|cell| **cell == of).count();
    let all = cells().filter(|cell| **cell != Cell::Unsaid).count();
    let _ = writeln!(
        page,
        "\n## In sum\n\n{} features of requests in {all} cells: {} native, {} emulated, {} degraded, {} refused, none lost in silence.",
        rows.len(),
        count(Cell::Native),
        count(Cell::Emulated),
        count(Cell::Degraded),
        count(Cell::Refused),
    );
}
