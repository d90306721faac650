//! Which targets, in what order, and when to stop trying.
//!
//! Pure: the time and a random number are arguments. A call's way through
//! this crate: [`preferences`] says what the caller wants, [`filter`] drops
//! the endpoints that cannot or must not serve, [`arrange`] puts the rest
//! in order by one of the [`strategies`], [`plan`] walks them as attempts fail. [`health`]
//! remembers how they have been doing, [`lengths`] how long their answers are,
//! [`pace`] how fast they think out of sight, [`density`] how long their tokens are,
//! and [`trust`] whether they keep the limits that they are told.

pub mod arrange;
pub mod candidate;
pub mod density;
pub mod filter;
pub mod health;
pub mod lengths;
pub mod pace;
pub mod plan;
pub mod preferences;
pub mod strategies;
pub mod trust;
