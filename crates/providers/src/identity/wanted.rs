//! What an operator writes of credentials, and where it is looked up.

use crate::{Credential, Key};

use super::Identity;

/// What the operator wrote. Everything else of it is unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `default`: whatever the vendor's own programs would find.
    pub is_default: bool,
    /// `machine`: the identity of the machine that this runs on.
    pub is_machine: bool,
    /// The text of a file with credentials.
    pub json: Option<Key>,
    /// A profile in the vendor's own files.
    pub profile: Option<String>,
    /// A role that is taken on with the token in `token_file`.
    pub role_arn: Option<String>,
    /// What its sessions are called.
    pub session_name: Option<String>,
    /// A token that somebody else renews.
    pub token_file: Option<String>,
    /// The directory that the client belongs to.
    pub tenant_id: Option<String>,
    /// Who asks.
    pub client_id: Option<String>,
    /// What the client is known by.
    pub client_secret: Option<Key>,
    /// Another address of the token service.
    pub authority: Option<String>,
    /// What the token is for, where that is not the usual.
    pub scope: Option<String>,
    /// The region, where the vendor has such.
    pub region: Option<String>,
}

impl Wanted {
    /// The members that are set, by their names in the configuration.
    fn set(&self) -> Vec<&'static str> {
        [
            ("default", self.is_default),
            ("machine", self.is_machine),
            ("file", self.json.is_some()),
            ("profile", self.profile.is_some()),
            ("role_arn", self.role_arn.is_some()),
            ("session_name", self.session_name.is_some()),
            ("token_file", self.token_file.is_some()),
            ("tenant_id", self.tenant_id.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("authority", self.authority.is_some()),
            ("scope", self.scope.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_set)| is_set.then_some(name))
        .collect()
    }

    /// Refuses members that the vendor has no use for.
    pub(super) fn only(&self, vendor: &str, known: &[&str]) -> Result<(), String> {
        match self.set().iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(other) => Err(format!(
                "`{other}` means nothing to {vendor}; there are {}",
                known.join(", ")
            )),
        }
    }
}

/// Environment and files, as they are when the configuration is read.
pub trait Surroundings {
    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of a file; `None` if there is no such file.
    ///
    /// # Errors
    /// It cannot be read.
    fn file(&self, path: &str) -> Result<Option<String>, String>;
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Found {
    /// Something that does not expire.
    Fixed(Credential),
    /// Somebody who gets tokens.
    Identity {
        /// Who.
        identity: Box<Identity>,
        /// The project that it belongs to, where its file says so.
        project: Option<String>,
    },
}

impl Found {
    pub(super) fn identity(identity: Identity) -> Self {
        Self::Identity {
            identity: Box::new(identity),
            project: None,
        }
    }
}
