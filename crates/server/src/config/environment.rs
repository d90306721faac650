//! The process's variables at one moment.
//!
//! A variable may hold bytes that are not UTF-8, and `std::env::vars` panics
//! at the first. Most variables have nothing to do with Bourse, so only one
//! that is asked for is a mistake.

use std::ffi::OsString;

/// Variables by name. It has no `Debug`: it holds keys of providers.
#[derive(Default)]
pub struct Environment {
    texts: Vec<(String, String)>,
    /// Names of those whose values are not UTF-8.
    unreadable: Vec<String>,
}

impl Environment {
    /// Everything that this process was given.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable.
    ///
    /// # Errors
    /// A sentence if it is set to something that is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&str>, String> {
        if self.unreadable.iter().any(|unreadable| unreadable == name) {
            return Err(not_text(name));
        }
        let found = self.texts.iter().find(|(variable, _)| variable == name);
        Ok(found.map(|(_, value)| value.as_str()))
    }

    /// Variables whose names begin with `prefix`, sorted, and a sentence for
    /// each whose value is not UTF-8.
    pub fn beginning_with<'a>(&'a self, prefix: &str) -> (Vec<(&'a str, &'a str)>, Vec<String>) {
        let mut texts: Vec<_> = self
            .texts
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        texts.sort_unstable();
        let unreadable = self.unreadable.iter();
        let problems = unreadable
            .filter(|name| name.starts_with(prefix))
            .map(|name| not_text(name))
            .collect();
        (texts, problems)
    }
}

fn not_text(name: &str) -> String {
    format!("the environment variable {name} is not valid UTF-8")
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    /// A variable whose name is not UTF-8 cannot be asked for and is left out.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            match value.into().into_string() {
                Ok(value) => environment.texts.push((name, value)),
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }
}
