//! FLAC (RFC 9639, section 8.2): the first block has the rate of samples and
//! how many there are, if that was known when it was written.

use super::to_ms;
use super::view::View;

/// Where STREAMINFO begins: behind the mark and the block's own head.
const INFO_AT: u64 = 8;

/// How long it is.
pub(super) fn length_ms(sound: &View<'_>) -> Option<u64> {
    if sound.u8(4)? & 0x7f != 0 {
        return None;
    }
    // 20 bits of rate, 3 of channels, 5 of sample size, 36 of samples.
    let bits = sound.be_u64(INFO_AT.saturating_add(10))?;
    to_ms(bits & 0xF_FFFF_FFFF, bits >> 44)
}
