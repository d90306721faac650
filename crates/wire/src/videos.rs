//! Films: what clients ask for, how each vendor is asked, and how it is asked
//! after its work.
//!
//! Clients speak one shape, OpenRouter's ([`asked`]). Vendors speak several, a
//! [`Codec`] each: every request is written anew, and a job is named by what the
//! vendor calls it. What a model makes is said by its vendor's documents
//! ([`Limits`]); whatever lies beside it is refused with what comes nearest.

pub mod asked;
mod openai;
pub mod reply;
mod veo;

use bourse_vocab::videos::{Progress, Shape, Tier};
use bourse_vocab::{Failure, Next};

pub use asked::{Asked, Picture};

use crate::embeddings::Written;

/// Bytes of a name that a vendor gives to a job: known ones have some 80.
const NAME_BYTES_MAX: usize = 512;

/// What a model makes, as its vendor documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long, in seconds.
    pub seconds: &'static [u64],
    /// How long unless it is said.
    pub usual_seconds: u64,
    /// The names of its sizes.
    pub resolutions: &'static [&'static str],
    /// Its sizes in pixels, where it is told those.
    pub sizes: &'static [(u32, u32)],
    /// Its shapes.
    pub ratios: &'static [&'static str],
    /// Which pictures it goes by: `first_frame`, `last_frame`.
    pub frames: &'static [&'static str],
    /// Pictures of what is to be shown, at most.
    pub references_max: usize,
    /// Whether it is told what luck begins with.
    pub seed: bool,
    /// Whether there is sound, which is not asked for.
    pub audio: bool,
}

/// A film that is to be made, with all that its price depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// How long.
    pub seconds: u64,
    /// How large, as its price goes.
    pub tier: Tier,
    /// How large in pixels, where the vendor is told those.
    pub size: Option<(u32, u32)>,
    /// The name of its size, where the vendor is told that.
    pub resolution: Option<&'static str>,
    /// Its shape, where the vendor is told that and the client has said one.
    pub ratio: Option<&'static str>,
}

/// One shape of a vendor's interface for films.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// What a model makes; `None` of one that is not known here.
    fn limits(&self, model: &str) -> Option<&'static Limits>;

    /// What is to be made.
    ///
    /// # Errors
    /// The model does not make it: the message names the member, and what comes
    /// nearest.
    fn order(&self, asked: &Asked, model: &str) -> Result<Order, Failure>;

    /// Writes the request for a model, named as its vendor does.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure>;

    /// What the vendor calls the job that it has taken.
    ///
    /// # Errors
    /// It says no name.
    fn accepted(&self, body: &[u8]) -> Result<String, Failure>;

    /// Where a job is asked after, below the vendor's address, without a slash
    /// in front.
    fn path(&self, name: &str) -> String;

    /// How far it has come.
    ///
    /// # Errors
    /// The answer says nothing of it.
    fn progress(&self, name: &str, body: &[u8]) -> Result<Progress, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::OpenAi => &openai::OpenAi,
        Shape::Veo => &veo::Veo,
    }
}

/// What another provider may be able to do.
fn elsewhere(message: impl Into<String>) -> Failure {
    Failure::invalid(message.into()).next(Next::TryAnother)
}

/// A vendor's answer that cannot be understood. Whether it has begun to work
/// nobody knows.
fn unreadable() -> Failure {
    Failure::unavailable("The provider's answer about the job cannot be understood")
}

/// A name that can stand in a path, and makes no other path than was meant.
fn checked_name(name: &str) -> Result<String, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    let is_name = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(is_plain)
        && !name.contains("..")
        && !name.starts_with('/');
    if is_name {
        Ok(name.to_owned())
    } else {
        Err(unreadable())
    }
}

/// How long a film is to be, of a model with these limits.
fn seconds(asked: &Asked, model: &str, limits: &Limits) -> Result<u64, Failure> {
    let Some(wanted) = asked.seconds else {
        return Ok(limits.usual_seconds);
    };
    if limits.seconds.contains(&wanted) {
        return Ok(wanted);
    }
    let all: Vec<_> = limits.seconds.iter().map(u64::to_string).collect();
    let nearest = limits
        .seconds
        .iter()
        .min_by_key(|known| known.abs_diff(wanted))
        .copied()
        .unwrap_or(limits.usual_seconds);
    Err(elsewhere(format!(
        "duration: {model} makes films of {} seconds; the nearest is {nearest}",
        all.join(", ")
    )))
}

/// One of the words that a model knows.
fn known(
    member: &str,
    wanted: &str,
    words: &'static [&'static str],
    model: &str,
) -> Result<&'static str, Failure> {
    words
        .iter()
        .copied()
        .find(|word| word.eq_ignore_ascii_case(wanted))
        .ok_or_else(|| {
            elsewhere(format!(
                "{member}: {model} makes {}; choose one of them, or another model",
                words.join(", ")
            ))
        })
}

/// Refuses pictures that a model does not go by, and wishes that it cannot be
/// told.
fn check_wishes(asked: &Asked, model: &str, limits: &Limits) -> Result<(), Failure> {
    for (frame, name) in [(&asked.first, "first_frame"), (&asked.last, "last_frame")] {
        if frame.is_some() && !limits.frames.contains(&name) {
            return Err(elsewhere(format!(
                "frame_images: {model} goes by no {name} here; remove it, or choose another model"
            )));
        }
    }
    if asked.last.is_some() && asked.first.is_none() {
        return Err(elsewhere(format!(
            "frame_images: {model} wants a first_frame beside a last_frame"
        )));
    }
    if asked.references.len() > limits.references_max {
        return Err(elsewhere(format!(
            "input_references: {model} takes {} of them at most",
            limits.references_max
        )));
    }
    if asked.seed.is_some() && !limits.seed {
        return Err(elsewhere(format!(
            "seed: {model} cannot be told one here; remove it, or choose another model"
        )));
    }
    match (asked.audio, limits.audio) {
        (Some(false), true) => Err(elsewhere(format!(
            "generate_audio: films of {model} always have sound here; remove it, or choose another model"
        ))),
        (Some(true), false) => Err(elsewhere(format!(
            "generate_audio: it is not known whether films of {model} have sound; remove it, or choose another model"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
