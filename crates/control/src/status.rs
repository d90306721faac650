//! How the server and its endpoints are doing now: what `/routing/status` tells.
//!
//! Counters only grow, from the start of the server on: whoever wants to know
//! how much there is a second asks twice and divides. The server keeps no
//! rates for it, and nothing is counted for it on the way of a call.

use std::collections::BTreeMap;

use bourse_vocab::Nanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::Dollars;

/// How a server is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RoutingStatus")]
pub struct Status {
    /// When, in milliseconds since 1970
    pub at_ms: u64,
    /// Which version serves
    #[serde(default)]
    pub version: String,
    /// Since when it serves, in milliseconds since 1970
    #[serde(default)]
    pub started_ms: u64,
    /// What an operator must know and is not over
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    /// Whether answers come from simulated providers
    pub simulated: bool,
    /// Model calls
    pub calls: Calls,
    /// What is on its way into the database
    pub journal: Journal,
    /// Endpoints that can be called, with each of their credentials
    pub targets: u64,
    /// Every endpoint that was ever asked, by its id
    pub endpoints: Vec<Endpoint>,
}

/// Something that an operator must know
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RoutingAlarm")]
pub struct Alarm {
    /// What it is, in a word that stays
    pub kind: String,
    /// Whom it is about
    pub subject: String,
    /// What helps
    pub remedy: String,
}

/// Model calls of a server
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Calls {
    /// Calls that were admitted
    pub admitted: u64,
    /// Calls that failed, by whose fault it was
    pub failed: BTreeMap<String, u64>,
    /// Calls that were not let in although nothing was wrong with them, by reason
    pub shed: BTreeMap<String, u64>,
    /// Calls under way
    pub in_flight: u64,
    /// How many may be under way; null while nobody is refused
    pub limit: Option<u64>,
    /// Batch calls that wait until their worker has time
    pub waiting: u64,
    /// How long a ready call waits for its worker, in microseconds
    pub delay_us: u64,
    /// Answers that are read on for clients that left
    pub drains: u64,
    /// Targets that were asked beside a late one, by which of the two answered
    #[serde(default)]
    pub hedges: BTreeMap<String, u64>,
    /// Streams that broke and were to be gone on with, by whether they were
    #[serde(default)]
    pub continuations: BTreeMap<String, u64>,
}

/// What is on its way into the database
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Journal {
    /// Bytes that the database has not seen yet
    pub unapplied_bytes: u64,
    /// Holds that are neither posted nor voided
    pub holds_open: u64,
    /// Seconds since the database last answered; null while it does
    pub database_away_s: Option<u64>,
    /// Seconds since the database last took over what calls cost; null while it does
    pub database_behind_s: Option<u64>,
    /// Why no call can be served; null while calls can
    pub trouble: Option<String>,
}

/// What is known of an endpoint, or of one of its tiers of service
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RoutingEndpoint")]
pub struct Endpoint {
    /// Its id
    pub endpoint: String,
    /// The model's slug
    pub model: String,
    /// The provider's slug
    pub provider: String,
    /// Attempts that have ended
    pub attempts: Attempts,
    /// Input tokens
    pub prompt_tokens: u64,
    /// Output tokens
    pub completion_tokens: u64,
    /// What the provider charged
    #[schemars(with = "Dollars")]
    pub cost: Nanos,
    /// What customers were charged
    #[schemars(with = "Dollars")]
    pub charge: Nanos,
    /// Its health, with each credential of its provider
    pub credentials: Vec<Credential>,
}

/// Attempts that have ended
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Attempts {
    /// Those that answered wholly
    pub succeeded: u64,
    /// Those that failed
    pub failed: u64,
    /// Those that were told to slow down
    pub rate_limited: u64,
    /// Those that the client left
    pub cancelled: u64,
}

/// The health of an endpoint with one credential
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RoutingCredential")]
pub struct Credential {
    /// Which of the provider's credentials, from 0
    pub credential: u16,
    /// Who fails
    pub breakers: Breakers,
    /// Milliseconds until the next probe is due at the latest; null if none is waited for
    pub probe_in_ms: Option<u64>,
    /// Milliseconds for which its provider wants it to rest; null if it need not
    pub rest_ms: Option<u64>,
    /// Attempts under way
    pub in_flight: u64,
    /// How many at once its provider is believed to carry, learned from what it refused; null while it refuses none
    pub calls_max: Option<u64>,
    /// Milliseconds to the first content, over the last five to ten minutes
    pub first_content_ms: Option<Quantiles>,
    /// Output tokens a second of one answer, over the last five to ten minutes
    pub tokens_per_s: Option<Quantiles>,
}

/// What breaks an endpoint, its credential and all of its provider
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Breakers {
    /// That of the endpoint with this credential
    pub endpoint: Breaker,
    /// That of the credential
    pub credential: Breaker,
    /// That of the provider
    pub provider: Breaker,
}

/// Whether somebody may be sent to
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Breaker {
    /// It may
    #[default]
    Closed,
    /// One call finds out whether it is back
    Probe,
    /// It may not
    Open,
}

/// The value that a share of the samples does not exceed
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Quantiles {
    /// Half of the samples
    pub p50: u64,
    /// All but one in a hundred
    pub p99: u64,
}

/// How a provider is doing, from its endpoints that were asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProviderHealth {
    /// How many were asked.
    pub endpoints: u64,
    /// How many of them may be sent to.
    pub well: u64,
    /// Attempts that answered wholly.
    pub succeeded: u64,
    /// Attempts that failed, or were told to slow down.
    pub failed: u64,
}

impl ProviderHealth {
    /// The same in a few words.
    #[must_use]
    pub fn state(&self) -> String {
        match self.well {
            0 => "down".to_owned(),
            well if well == self.endpoints => "well".to_owned(),
            well => format!("{well} of {} endpoints are well", self.endpoints),
        }
    }
}

impl Status {
    /// Providers that were asked, by their slug.
    #[must_use]
    pub fn providers(&self) -> BTreeMap<&str, ProviderHealth> {
        let mut known: BTreeMap<&str, ProviderHealth> = BTreeMap::new();
        for endpoint in &self.endpoints {
            let provider = known.entry(&endpoint.provider).or_default();
            provider.endpoints = provider.endpoints.saturating_add(1);
            let is_well = endpoint.is_well();
            provider.well = provider.well.saturating_add(u64::from(is_well));
            let attempts = &endpoint.attempts;
            provider.succeeded = provider.succeeded.saturating_add(attempts.succeeded);
            let failed = attempts.failed.saturating_add(attempts.rate_limited);
            provider.failed = provider.failed.saturating_add(failed);
        }
        known
    }
}

impl Endpoint {
    /// Whether one of its credentials may be sent to.
    fn is_well(&self) -> bool {
        self.credentials.iter().any(|credential| {
            let breakers = credential.breakers;
            [breakers.endpoint, breakers.credential, breakers.provider]
                .iter()
                .all(|breaker| *breaker == Breaker::Closed)
        })
    }
}
