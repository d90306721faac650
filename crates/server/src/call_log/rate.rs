//! How many lines there may be.

/// Milliseconds of a second.
const SECOND_MS: u64 = 1_000;

/// At most so many in each second; what is beyond is counted.
#[derive(Debug)]
pub(super) struct Rate {
    per_s_max: u32,
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Rate {
    pub(super) const fn new(per_s_max: u32) -> Self {
        Self {
            per_s_max,
            second: 0,
            lines: 0,
            left_out: 0,
        }
    }

    /// Whether there is room for one more line.
    pub(super) const fn has_room(&mut self, now_ms: u64) -> bool {
        let second = now_ms / SECOND_MS;
        // A clock that was set back begins a second, too.
        if second != self.second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines < self.per_s_max {
            self.lines += 1;
            return true;
        }
        self.left_out(1);
        false
    }

    /// Counts lines that there will never be.
    pub(super) const fn left_out(&mut self, lines: u64) {
        self.left_out = self.left_out.saturating_add(lines);
    }

    /// How many there were since the last time.
    pub(super) const fn take_left_out(&mut self) -> u64 {
        std::mem::replace(&mut self.left_out, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_so_many_in_a_second_are_counted() {
        let mut rate = Rate::new(3);
        let of = |rate: &mut Rate, at_ms| (0..5).filter(|_| rate.has_room(at_ms)).count();
        assert_eq!(of(&mut rate, 10_000), 3);
        assert_eq!(of(&mut rate, 10_999), 0);
        assert_eq!(rate.take_left_out(), 7);
        assert_eq!(of(&mut rate, 11_000), 3);
        assert_eq!(of(&mut rate, 4_000), 3, "the clock was set back");
        rate.left_out(40);
        assert_eq!(rate.take_left_out(), 44);
        assert_eq!(rate.take_left_out(), 0);
    }
}
