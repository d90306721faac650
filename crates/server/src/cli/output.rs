//! What commands print: lines, tables, questions.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};

use super::Error;
use crate::config::{Level, Problem, told};
pub(crate) use crate::spelled::plain;

/// Prints a line of output. A reader that has seen enough ends the program
/// quietly; output that cannot be written for another reason, such as a full
/// disk, is a failure: whoever reads it would take a part for the whole.
pub(crate) fn say(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("bourse: standard output: {error}");
            std::process::exit(1);
        }
    }
}

/// Prints what a program reads.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn say_json(value: &impl serde::Serialize) -> Result<(), Error> {
    say(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table in the one style that there is, as wide as the terminal at most.
pub(super) fn table<const N: usize>(heading: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(heading);
    table
}

/// Prints a table, or that there is nothing in it.
pub(super) fn say_table(table: &Table, none: &str) {
    match table.is_empty() {
        true => say(none),
        false => say(table),
    }
}

/// Tells what is wrong with a configuration, with the lines that it is about.
pub(super) fn complain(problems: &[Problem]) {
    let in_colour = crate::logging::is_coloured();
    for problem in problems {
        eprintln!("{}", told(problem, in_colour));
    }
    let errors = problems
        .iter()
        .filter(|one| one.level == Level::Error)
        .count();
    match errors {
        0 => {}
        1 => eprintln!("bourse: the configuration has a mistake"),
        many => eprintln!("bourse: the configuration has {many} mistakes"),
    }
}

/// Asks whoever sits there, unless they said yes before.
///
/// # Errors
/// They say no, or nobody sits there: then `remedy` says which option means
/// yes.
pub(super) fn confirm(question: &str, said_yes: bool, remedy: &str) -> Result<(), Error> {
    if said_yes {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(format!("{question} Nothing was changed; {remedy} says yes").into());
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err("nothing was changed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_empty_and_a_filled_one_has_its_heading() {
        let mut keys = table(["label", "name"]);
        assert!(keys.is_empty());
        keys.add_row(["sk-…", "ci"]);
        let shown = keys.to_string();
        assert!(shown.contains("label") && shown.contains("ci"), "{shown}");
        assert_eq!(shown.lines().count(), 5, "{shown}");
    }
}
