//! Which calls are traced.

/// The share of calls that are traced.
///
/// Whoever begins a trace decides for all of it: a call with a parent is
/// traced if its caller keeps the trace. The others are drawn by their own
/// id, so that each part of one trace, and the same record read twice, comes
/// to the same answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Calls whose draw is below this are traced.
    below: u64,
}

/// The draw is made of the last 56 bits of a trace's id, which are random
/// ("Trace Context", level 2, random trace id flag).
const DRAW_BITS: u32 = 56;

impl Sampling {
    /// Traces `ratio` of the calls, from 0 to 1; `None` for any other number.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // A share of 2^56, rounded.
    pub fn ratio(ratio: f64) -> Option<Self> {
        let all = (1_u64 << DRAW_BITS) as f64;
        (0.0..=1.0).contains(&ratio).then_some(Self {
            below: (ratio * all) as u64,
        })
    }

    /// Whether a trace that begins here is kept.
    #[must_use]
    pub const fn keeps(self, trace: [u8; 16]) -> bool {
        let draw = u128::from_be_bytes(trace) & ((1 << DRAW_BITS) - 1);
        draw < self.below as u128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_all_and_about_a_quarter_are_kept() {
        let kept = |ratio: f64| {
            let sampling = Sampling::ratio(ratio).unwrap();
            // A walk over the circle of ids that visits it evenly.
            let step = 0x9e37_79b9_7f4a_7c15_u64;
            let ids = (0..10_000_u64).map(|n| u128::from(n.wrapping_mul(step)));
            ids.filter(|id| sampling.keeps(id.to_be_bytes())).count()
        };
        assert_eq!(kept(0.0), 0);
        assert_eq!(kept(1.0), 10_000);
        assert!((2_400..2_600).contains(&kept(0.25)), "{}", kept(0.25));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for ratio in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Sampling::ratio(ratio), None);
        }
    }
}
