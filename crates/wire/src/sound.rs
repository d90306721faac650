//! How long a sound is, by its own bytes.
//!
//! What is billed by the second must be known roughly before it is sent. Each
//! format says in some way how long it is, and a header can lie: so its word
//! counts only where it is more than what so many bytes must last at the
//! highest rate that the format has. Providers count for themselves, and that
//! is what is paid; a lie here only delays the bill.
//!
//! Nothing is decoded. Every walk is bounded, and what lies beyond the bound is
//! taken to go on as it began.

mod flac;
mod mp3;
mod mp4;
mod ogg;
mod view;
mod wav;
mod webm;

#[cfg(test)]
mod tests;

pub use view::View;

/// The sorts of files that vendors of transcription take
/// (platform.openai.com/docs/guides/speech-to-text, November 2026: flac, mp3,
/// mp4, mpeg, mpga, m4a, ogg, wav, webm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RIFF WAVE.
    Wav,
    /// FLAC.
    Flac,
    /// Ogg, with Opus or Vorbis in it.
    Ogg,
    /// MPEG audio, layers I to III.
    Mp3,
    /// ISO base media: MP4, M4A.
    Mp4,
    /// WebM and Matroska.
    WebM,
}

impl Format {
    /// The highest rate that is plausible, in bytes a second. Where there is
    /// no bound by the format, that of uncompressed sound in 192,000 samples
    /// of 4 bytes on 2 channels.
    const fn bytes_a_second_max(self) -> u64 {
        match self {
            Self::Wav => 192_000 * 4 * 2,
            Self::Flac => 192_000 * 3 * 2,
            // Vorbis at its best quality, and Opus, whose most is 510 kbit/s
            // (RFC 6716, section 2.1.1).
            Self::Ogg | Self::WebM => 64_000,
            // 320 kbit/s is the most of layer III, 448 of layer I (ISO
            // 11172-3, table of bit rates).
            Self::Mp3 => 56_000,
            // AAC has at most 288 kbit/s a channel at 48 kHz (ISO 14496-3).
            Self::Mp4 => 72_000,
        }
    }

    /// How a file is called that is one, and what it is sent as where its
    /// client says nothing.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::Mp3 => "mp3",
            Self::Mp4 => "m4a",
            Self::WebM => "webm",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Ogg => "audio/ogg",
            Self::Mp3 => "audio/mpeg",
            Self::Mp4 => "audio/mp4",
            Self::WebM => "audio/webm",
        }
    }
}

/// The slowest that speech is sent at, in bytes a second: Opus has at least 6
/// kbit/s (RFC 6716, section 2.1.1). What is in no format that is known here
/// is taken to last as long as it could.
const BYTES_A_SECOND_MIN: u64 = 750;
/// The longest that anything is taken to last: what 25 MB are at
/// [`BYTES_A_SECOND_MIN`], nearly ten hours. Headers say years.
pub const LENGTH_MS_MAX: u64 = 36_000_000;

/// What is known of a sound's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// What it is in, if that is known.
    pub format: Option<Format>,
    /// What it says, in milliseconds.
    pub told_ms: Option<u64>,
    /// What so many bytes last at least; at most, where neither format nor
    /// length are known.
    pub by_bytes_ms: u64,
}

impl Measured {
    /// How long it is taken to be, in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u64 {
        let told = self.told_ms.unwrap_or(0);
        told.max(self.by_bytes_ms).clamp(1, LENGTH_MS_MAX)
    }
}

/// Measures a sound.
#[must_use]
pub fn measure(sound: &View<'_>) -> Measured {
    let bytes = sound.bytes();
    let lasts = |rate: u64| bytes.saturating_mul(1_000) / rate.max(1);
    let Some(format) = format_of(sound) else {
        return Measured {
            format: None,
            told_ms: None,
            by_bytes_ms: lasts(BYTES_A_SECOND_MIN).min(LENGTH_MS_MAX),
        };
    };
    let told_ms = match format {
        Format::Wav => wav::length_ms(sound),
        Format::Flac => flac::length_ms(sound),
        Format::Ogg => ogg::length_ms(sound),
        Format::Mp3 => mp3::length_ms(sound),
        Format::Mp4 => mp4::length_ms(sound),
        Format::WebM => webm::length_ms(sound),
    };
    // What does not say how long it is may be as slow as any.
    let rate = match told_ms {
        Some(_) => format.bytes_a_second_max(),
        None => BYTES_A_SECOND_MIN,
    };
    Measured {
        format: Some(format),
        told_ms,
        by_bytes_ms: lasts(rate),
    }
}

/// What the first bytes say.
fn format_of(sound: &View<'_>) -> Option<Format> {
    let head: [u8; 12] = sound.array(0).or_else(|| {
        // A frame of MPEG's may be shorter than the heads of others.
        let [a, b, c, d] = sound.array::<4>(0)?;
        Some([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0])
    })?;
    match &head {
        [
            b'R',
            b'I',
            b'F',
            b'F' | b'X',
            _,
            _,
            _,
            _,
            b'W',
            b'A',
            b'V',
            b'E',
        ] => Some(Format::Wav),
        [b'f', b'L', b'a', b'C', ..] => Some(Format::Flac),
        [b'O', b'g', b'g', b'S', ..] => Some(Format::Ogg),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(Format::Mp4),
        // EBML (RFC 8794, section 11.2.1).
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Format::WebM),
        [b'I', b'D', b'3', ..] => Some(Format::Mp3),
        [a, b, c, d, ..] if mp3::frame([*a, *b, *c, *d]).is_some() => Some(Format::Mp3),
        _ => None,
    }
}

/// So many units of which there are so many in a second, in milliseconds,
/// rounded up; `None` if that is not known.
fn to_ms(units: u64, a_second: u64) -> Option<u64> {
    if units == 0 || a_second == 0 {
        return None;
    }
    let ms = u128::from(units)
        .saturating_mul(1_000)
        .div_ceil(u128::from(a_second));
    Some(
        u64::try_from(ms)
            .unwrap_or(LENGTH_MS_MAX)
            .min(LENGTH_MS_MAX),
    )
}
