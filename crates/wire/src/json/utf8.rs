//! Whether a text that comes in pieces is UTF-8.

/// Checks a text piece by piece. A character that is cut in two is held
/// until the rest of it arrives.
#[derive(Debug, Clone, Default)]
pub(super) struct Utf8 {
    held: [u8; 4],
    len: usize,
}

/// The text is not UTF-8; the offset counts from the piece's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotUtf8 {
    pub offset: usize,
}

impl Utf8 {
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = piece;
        while self.len > 0 {
            let Some((byte, after)) = rest.split_first() else {
                return Ok(());
            };
            rest = after;
            if let Some(slot) = self.held.get_mut(self.len) {
                *slot = *byte;
            }
            self.len = self.len.saturating_add(1);
            let held = self.held.get(..self.len).unwrap_or_default();
            if self.len >= width(held.first().copied().unwrap_or(0)) {
                if std::str::from_utf8(held).is_err() {
                    return Err(NotUtf8 { offset: 0 });
                }
                self.len = 0;
            }
        }
        let (whole, cut) = split_at_cut(rest);
        if simdutf8::basic::from_utf8(whole).is_err() {
            let before = piece.len().saturating_sub(rest.len());
            let valid = std::str::from_utf8(whole)
                .err()
                .map_or(0, |error| error.valid_up_to());
            return Err(NotUtf8 {
                offset: before.saturating_add(valid),
            });
        }
        for (slot, byte) in self.held.iter_mut().zip(cut) {
            *slot = *byte;
        }
        self.len = cut.len();
        Ok(())
    }

    /// Whether no character is left unfinished.
    pub(super) const fn is_whole(&self) -> bool {
        self.len == 0
    }
}

/// How many bytes a character has that begins with `lead`.
const fn width(lead: u8) -> usize {
    match lead {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    }
}

/// Splits off a character that is cut by the end of the piece.
fn split_at_cut(piece: &[u8]) -> (&[u8], &[u8]) {
    for (back, byte) in piece.iter().rev().take(3).enumerate() {
        let back = back.saturating_add(1);
        match byte {
            0x80..=0xBF => {}
            lead if width(*lead) > back => {
                let cut = piece.len().saturating_sub(back);
                return piece.split_at_checked(cut).unwrap_or((piece, &[]));
            }
            _ => break,
        }
    }
    (piece, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], cut: usize) -> bool {
        let mut utf8 = Utf8::default();
        text.chunks(cut).all(|piece| utf8.push(piece).is_ok()) && utf8.is_whole()
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        for text in ["", "a", "é", "a€b", "🦀🦀", "ab🦀é€"] {
            for cut in 1..6 {
                assert!(check(text.as_bytes(), cut), "{text} {cut}");
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused_however_it_is_cut() {
        for text in [
            &b"\x80"[..],
            b"\xc3",
            b"\xc3a",
            b"\xe2\x82",
            b"\xed\xa0\x80",
            b"\xf0\x9f\xa6",
            b"\xff\xff",
            b"\xc0\x80",
            b"a\xf5\x80\x80\x80",
            b"\x80\x80\x80\x80",
        ] {
            for cut in 1..6 {
                assert!(!check(text, cut), "{text:?} {cut}");
            }
        }
    }
}
