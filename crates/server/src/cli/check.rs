//! `bourse check`: is the configuration good?

use super::{Common, Error, say};

pub(super) fn run(common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    let catalog = crate::market::catalog(&config)?;
    say(format_args!(
        "The configuration is good: {} providers configured, {} models and {} endpoints in the catalog.",
        config.providers.len(),
        catalog.models().len(),
        catalog.all_endpoints().len()
    ));
    Ok(())
}
