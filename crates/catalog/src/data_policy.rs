//! What a provider does with prompts and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the holder of an endpoint does with what it is sent.
///
/// What is not known is assumed to be the worst: a caller who demands
/// privacy must never get it by an omission in a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataPolicy {
    /// Prompts or answers may be used for training.
    pub training: bool,
    /// Prompts or answers are stored after the call.
    pub retains: bool,
    /// Zero data retention is promised for this endpoint.
    #[serde(default)]
    pub zdr: bool,
}

impl DataPolicy {
    /// Nothing is known: assume training and storage.
    pub const UNKNOWN: Self = Self {
        training: true,
        retains: true,
        zdr: false,
    };
    /// No training, but stored for a while (abuse monitoring and the like).
    pub const RETAINS: Self = Self {
        training: false,
        retains: true,
        zdr: false,
    };
    /// Neither trained on nor stored.
    pub const ZERO_RETENTION: Self = Self {
        training: false,
        retains: false,
        zdr: true,
    };

    /// Whether this says two things that cannot both be true.
    #[must_use]
    pub const fn is_contradictory(self) -> bool {
        self.zdr && (self.retains || self.training)
    }
}

impl Default for DataPolicy {
    fn default() -> Self {
        Self::UNKNOWN
    }
}
