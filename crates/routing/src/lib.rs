//! Which targets, in what order, and when to stop trying.
//!
//! Pure: the time and a random number are arguments. A call's way through
//! this crate: [`preferences`] says what the caller wants, [`filter`] drops
//! the endpoints that cannot or must not serve, [`arrange`] puts the rest
//! in order by one of the [`strategies`], [`plan`] walks them as attempts fail
//! and [`budget`] says how often they may. What a failure means is in
//! [`classes`]. [`health`] remembers how endpoints have been doing: its
//! [`breaker`] keeps calls away from what is broken, [`load`] and [`relief`]
//! from what is slow, [`quota`] from what is full, and [`patience`] and [`gaps`]
//! from waiting for what says nothing.
//! [`lengths`] is how long their answers are, [`pace`] how fast they think out
//! of sight, [`density`] how long their tokens are, [`trust`] whether they
//! keep the limits that they are told, and [`tool_use`] whether they call tools as
//! these want to be called. What that makes of an endpoint beside the others of
//! its model is its [`quality`].

pub mod arrange;
pub mod breaker;
pub mod bucket;
pub mod budget;
pub mod candidate;
pub mod classes;
pub mod density;
pub mod filter;
pub mod gaps;
pub mod health;
pub mod lengths;
pub mod load;
pub mod pace;
pub mod patience;
pub mod plan;
pub mod preferences;
pub mod quality;
pub mod quantiles;
pub mod quota;
pub mod relief;
#[cfg(test)]
mod simulation;
pub mod strategies;
pub mod tool_use;
pub mod trust;
