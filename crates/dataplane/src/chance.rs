//! Where calls draw by chance. The one place of the data plane that does.

use rand::distr::{Distribution, StandardUniform};

/// A draw from all that there is of a type; of fractions, from 0 to 1.
#[must_use]
pub fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    #[cfg(test)]
    if let Some(drawn) = seeded::draw() {
        return drawn;
    }
    rand::random()
}

/// Draws that come again, on the thread that asked for them.
#[cfg(test)]
pub mod seeded {
    use std::cell::RefCell;

    use rand::distr::{Distribution, StandardUniform};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    thread_local! {
        static DICE: RefCell<Option<StdRng>> = const { RefCell::new(None) };
    }

    /// From here on, draws of this thread follow from `seed`.
    pub fn seed(seed: u64) {
        DICE.with_borrow_mut(|dice| *dice = Some(StdRng::seed_from_u64(seed)));
    }

    pub(super) fn draw<T>() -> Option<T>
    where
        StandardUniform: Distribution<T>,
    {
        DICE.with_borrow_mut(|dice| Some(dice.as_mut()?.random()))
    }
}
