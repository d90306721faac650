//! A body that is being written, and what could not be said in it.

use bourse_vocab::chat::{Loss, Reason, Request};
use bourse_vocab::json::{Map, Value};

use super::super::model::Model;

/// A body that is being written.
pub struct Draft<'a> {
    pub request: &'a Request,
    pub model: Model,
    pub losses: Vec<Loss>,
    pub body: Map,
    /// What only its maker's models know.
    pub more: Map,
    /// How much effort is asked for.
    pub effort: Option<&'static str>,
}

impl Draft<'_> {
    pub fn set(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    pub fn lose(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    /// Notes what the caller's program relies on and the model cannot be told.
    pub fn refuse(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(field, reason));
    }
}
