//! The configuration file that `init` writes.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bourse_providers::Provider;

use crate::cli::Error;

/// What the file says.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) listen: SocketAddr,
    pub(super) data_dir: PathBuf,
    /// Slugs of built-in providers, with the variable of each one's key.
    providers: Vec<(&'static str, Option<&'static str>)>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            data_dir: PathBuf::from("data"),
            providers: Vec::new(),
        }
    }
}

/// The most names of others that a misspelled provider is told.
const NEAREST_MAX: usize = 3;

impl Wanted {
    /// Providers whose key is in the environment.
    pub(super) fn in_environment() -> Vec<&'static str> {
        bourse_providers::all()
            .filter(|provider| provider.env().iter().any(|name| is_set(name)))
            .map(Provider::slug)
            .collect()
    }

    /// # Errors
    /// A slug that no built-in provider has; says which are near.
    pub(super) fn set_providers(&mut self, slugs: &[String]) -> Result<(), Error> {
        for slug in slugs {
            let Some(provider) = bourse_providers::by_slug(slug) else {
                return Err(format!(
                    "--provider: there is no built-in provider `{slug}`{}; one of your own is \
                     written with `format` and `base_url`, see docs/configuration.md",
                    nearest(slug)
                )
                .into());
            };
            let set = provider.env().iter().copied().find(|name| is_set(name));
            let variable = set.or_else(|| provider.env().first().copied());
            if !self
                .providers
                .iter()
                .any(|(known, _)| *known == provider.slug())
            {
                self.providers.push((provider.slug(), variable));
            }
        }
        Ok(())
    }

    /// Variables that the file names and that are not set.
    pub(super) fn unset_variables(&self) -> impl Iterator<Item = &'static str> + '_ {
        let variables = self.providers.iter().filter_map(|(_, variable)| *variable);
        variables.filter(|name| !is_set(name))
    }

    /// The file.
    pub(super) fn text(&self) -> String {
        let mut out = format!(
            "# Every key has a default; docs/configuration.md explains them all, and\n\
             # `bourse check` says what this file brings.\n\
             \n\
             [server]\n\
             listen = \"{}\"\n\
             # hosts = [\"bourse.example.com\"]   # names that a proxy in front of it passes on\n\
             data_dir = {:?}\n\
             \n\
             [database]\n\
             url = \"sqlite\"                     # inside data_dir; or {{ env = \"DATABASE_URL\" }} with postgres://…\n\
             \n\
             [billing]\n\
             markup_ppm = 0                     # added to provider prices; 55000 is 5.5 %\n\
             \n\
             [log]\n\
             calls = \"failed\"                   # a line for each call that failed; or \"all\", \"none\"\n",
            self.listen,
            self.data_dir.display().to_string(),
        );
        if self.providers.is_empty() {
            out.push_str(
                "\n# Without a provider answers are simulated. Each has a section of its own:\n\
                 # [providers.openai]\n\
                 # api_key = { env = \"OPENAI_API_KEY\" }\n",
            );
        }
        for (slug, variable) in &self.providers {
            // Writing to a string does not fail.
            let _ = write!(out, "\n[providers.{slug}]\n");
            match variable {
                // Read at the start: a file with it can be written before it is set.
                Some(name) if is_set(name) => {
                    let _ = writeln!(out, "api_key = {{ env = {name:?} }}");
                }
                Some(name) => {
                    let _ = writeln!(out, "# api_key = {{ env = {name:?} }}   # once it is set");
                }
                None => out.push_str("# api_key = \"…\"\n"),
            }
        }
        out
    }
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.trim().is_empty())
}

/// What was probably meant.
fn nearest(slug: &str) -> String {
    let wanted = slug.to_ascii_lowercase();
    let near = |known: &&str| known.contains(&*wanted) || wanted.contains(*known);
    let names = bourse_providers::all().map(|provider| provider.slug());
    let names: Vec<_> = names.filter(near).take(NEAREST_MAX).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" (did you mean {}?)", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    #[test]
    fn the_file_that_is_written_is_a_good_one_and_says_what_was_wanted() {
        let mut wanted = Wanted {
            data_dir: PathBuf::from("/var/lib/\"odd\" dir"),
            ..Wanted::default()
        };
        let slugs = [
            "openai".to_owned(),
            "anthropic".to_owned(),
            "openai".to_owned(),
        ];
        wanted.set_providers(&slugs).unwrap();
        let config = Config::parse("f", &wanted.text(), &Environment::default()).unwrap();
        assert_eq!(config.listen, wanted.listen);
        assert_eq!(config.data_dir, wanted.data_dir);
        let slugs: Vec<_> = config.providers.iter().map(|given| &*given.slug).collect();
        assert_eq!(slugs, ["anthropic", "openai"]);
        let plain = Wanted::default().text();
        Config::parse("f", &plain, &Environment::default()).unwrap();
    }

    #[test]
    fn a_provider_that_nobody_knows_is_refused_with_what_is_near() {
        let wrong = ["open".to_owned()];
        let why = Wanted::default()
            .set_providers(&wrong)
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("did you mean") && why.contains("openai"),
            "{why}"
        );
    }
}
