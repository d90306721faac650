//! Talking with a model over one connection.
//!
//! A session is opened like a call ([`opening`]): its caller is let in, its
//! model's targets are put in order, money is set aside, and the targets are
//! asked until one speaks. From then on events pass in both directions
//! ([`session`]), and every answer in it is a call of its own, with a hold, an
//! end and a record ([`answer`], [`terms`]).
//!
//! A provider that listens begins answers by itself. So the money for the next
//! answer is set aside at all times, for as much as it can cost ([`meter`]), and
//! nothing passes that makes it dearer than what is set aside.

pub mod answer;
pub mod meter;
pub mod opening;
pub mod session;
pub mod sessions;
pub mod terms;

pub use opening::{Opened, open};
pub use session::Session;
pub use sessions::Sessions;
