//! Tokens of clouds, kept fresh.
//!
//! Every identity of the configuration has one [`Source`], and every source
//! one task on the control runtime that asks its token service. So there is
//! never more than one question under way, and none is asked by a call: a
//! call takes what is there, which is a load of a pointer, and waits only where
//! nothing has been there yet.
//!
//! A token is asked for anew when a quarter of its life is left, and at most ten
//! minutes before its end. What fails is asked again after a while that doubles,
//! and what was refused after a longer one: a credential that is revoked is one
//! alarm, and a question every few minutes.

mod outside;
mod source;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bourse_dataplane::alarms::Alarms;
use bourse_dataplane::clock::Clock;
use bourse_providers::{Credential, Identity};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::{Config, ProviderConfig};
pub use outside::By;
use outside::Network;
pub use source::Source;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The sources of a server, which outlive changes of the configuration that do
/// not touch them.
pub struct Tokens {
    /// `None` where nothing is asked: commands beside a server.
    server: Option<Server>,
    kept: Mutex<Vec<Kept>>,
}

struct Server {
    runtime: Handle,
    alarms: Arc<Alarms>,
}

struct Kept {
    provider: String,
    identity: Identity,
    by: By,
    source: Arc<Source>,
    asking: Option<JoinHandle<()>>,
}

impl Tokens {
    /// Of a server: asks on this runtime.
    pub fn new(runtime: Handle, alarms: &Arc<Alarms>) -> Self {
        let server = Server {
            runtime,
            alarms: Arc::clone(alarms),
        };
        Self {
            server: Some(server),
            kept: Mutex::default(),
        }
    }

    /// Of a command beside a server: nobody is asked.
    pub fn idle() -> Self {
        Self {
            server: None,
            kept: Mutex::default(),
        }
    }

    /// What a provider is called with by this identity: the source that there is,
    /// or a new one that begins to ask.
    ///
    /// # Errors
    /// TLS cannot be used.
    pub fn credential(
        &self,
        provider: &str,
        identity: &Identity,
        by: &By,
    ) -> Result<Credential, Error> {
        let mut kept = self.kept();
        let known = kept.iter().find(|known| {
            known.provider == provider && known.identity == *identity && known.by == *by
        });
        if let Some(known) = known {
            return Ok(Credential::Rotating(known.source.clone()));
        }
        let source = Arc::new(Source::new(provider, identity.clone(), Clock::System));
        let asking = match &self.server {
            None => None,
            Some(server) => {
                let network = Network::new(identity, by)?;
                let who = identity.describe();
                tracing::info!(provider, who, "tokens of a cloud are asked for");
                let keeping = Arc::clone(&source).keep_fresh(network, Arc::clone(&server.alarms));
                Some(server.runtime.spawn(keeping))
            }
        };
        kept.push(Kept {
            provider: provider.to_owned(),
            identity: identity.clone(),
            by: by.clone(),
            source: Arc::clone(&source),
            asking,
        });
        Ok(Credential::Rotating(source))
    }

    /// Lets go of sources that the configuration has no more.
    pub fn keep_only(&self, config: &Config) {
        let is_wanted = |kept: &Kept| {
            config.providers.iter().any(|given| {
                given.slug == kept.provider
                    && given.identity.as_ref() == Some(&kept.identity)
                    && By::of(config, given) == kept.by
            })
        };
        self.kept().retain(|kept| {
            let is_wanted = is_wanted(kept);
            if !is_wanted {
                if let Some(asking) = &kept.asking {
                    asking.abort();
                }
                if let Some(server) = &self.server {
                    kept.source.forget(&server.alarms);
                }
            }
            is_wanted
        });
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl By {
    /// How the services of a provider's identity are reached.
    pub fn of(config: &Config, given: &ProviderConfig) -> Self {
        Self {
            roads: Arc::clone(&config.roads),
            via: given.via.clone(),
        }
    }
}

/// Asks for one token of each identity, and says what came of it.
pub async fn try_all(config: &Config) -> Vec<Result<String, String>> {
    let mut told = Vec::new();
    for given in &config.providers {
        let Some(identity) = &given.identity else {
            continue;
        };
        let source = Source::new(&given.slug, identity.clone(), Clock::System);
        let who = format!("{}: {}", given.slug, identity.describe());
        let asked = match Network::new(identity, &By::of(config, given)) {
            Ok(network) => source.ask(&network).await.map_err(|no_token| no_token.why),
            Err(error) => Err(error.to_string()),
        };
        told.push(match asked {
            Ok(fresh) => Ok(format!("{who}: a token for {} s", fresh.life.as_secs())),
            Err(why) => Err(format!("{who}: {why}")),
        });
    }
    told
}
