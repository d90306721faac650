//! The data that a command works on. Only `serve` and `init` make it or bring
//! its tables up to date: a command in the wrong directory must not print a
//! key for a database that nobody serves, nor call empty books balanced.

use std::path::Path;
use std::sync::Arc;

use bourse_store::{Step, Store};

use super::{Error, Misused};
use crate::config::Config;

/// The store that the configuration means, as it is.
///
/// # Errors
/// [`Misused`] where there is no data, or its tables are of another version;
/// what the store says otherwise.
pub(super) async fn existing(config: &Config) -> Result<Arc<dyn Store>, Error> {
    let store = found(config).await?;
    let steps = match store.schema().await {
        Ok(steps) => steps,
        Err(error) => {
            store.close().await;
            return Err(error.into());
        }
    };
    if let Some(why) = unfit(&steps) {
        let place = place(config);
        store.close().await;
        return Err(Misused::because(format!("{place}: {why}")));
    }
    Ok(store)
}

/// The same whatever its tables are: for commands that are about those.
///
/// # Errors
/// [`Misused`] where there is no data.
pub(super) async fn found(config: &Config) -> Result<Arc<dyn Store>, Error> {
    if let Some(file) = config.database.file(&config.data_dir)
        && !file.exists()
    {
        return Err(Misused::because(none_in(&config.data_dir)));
    }
    Ok(bourse_store::connect(&config.database, &config.data_dir).await?)
}

fn none_in(data_dir: &Path) -> String {
    let here = std::env::current_dir();
    let here = here.map_or_else(|_| "?".to_owned(), |here| here.display().to_string());
    format!(
        "there is no Bourse data in {} (server.data_dir; the working directory is {here}); name \
         the right configuration with --config, or make the data with `bourse init` or a first \
         `bourse serve`",
        data_dir.display()
    )
}

/// Where the data is, for a message.
pub(super) fn place(config: &Config) -> String {
    match config.database.file(&config.data_dir) {
        Some(file) => file.display().to_string(),
        None => format!("{:?}", config.database),
    }
}

/// Why tables with these steps cannot be worked on.
fn unfit(steps: &[Step]) -> Option<String> {
    let taken = steps.iter().filter(|step| step.applied).count();
    if taken == steps.len() {
        return None;
    }
    if taken == 0 {
        return Some(
            "there is no Bourse data in it yet; make it with `bourse init` or a first \
             `bourse serve`"
                .to_owned(),
        );
    }
    Some(format!(
        "its tables are those of an earlier version (step {taken} of {}); `bourse schema plan` \
         says what is missing, and the next `bourse serve` or `bourse schema up` takes it",
        steps.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(version: i64, applied: bool) -> Step {
        Step {
            version,
            name: "x",
            applied,
            loses: "",
        }
    }

    #[test]
    fn tables_that_do_not_fit_are_told_with_the_remedy() {
        assert_eq!(unfit(&[step(1, true), step(2, true)]), None);
        let new = unfit(&[step(1, false), step(2, false)]).unwrap();
        assert!(new.contains("bourse init"), "{new}");
        let old = unfit(&[step(1, true), step(2, false)]).unwrap();
        assert!(old.contains("step 1 of 2"), "{old}");
    }
}
