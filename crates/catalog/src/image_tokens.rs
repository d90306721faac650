//! How many tokens a picture is, by the rules that vendors publish.
//!
//! Which model has which rule is data, see [`crate::quirks`]; here is the
//! arithmetic, in whole numbers. Where a rule scales a picture down, the
//! sides are rounded up, so that a rounding of the vendor's is not missed.
#![deny(clippy::float_arithmetic)]

use bourse_vocab::facts::{Detail, Image, PixelSize, Source};

/// What a picture of unknown size is estimated as: it is scaled down to
/// about this by most vendors, or by whoever sends it.
const TYPICAL: PixelSize = PixelSize {
    width: 1024,
    height: 1024,
};
/// Sides of OpenAI's squares, in pixels.
const TILE: u64 = 512;
const PATCH: u64 = 32;
/// Side of Anthropic's squares.
const BLOCK: u64 = 28;
/// Tokens of one of Gemini's squares, up to which size a picture is only
/// one, and the least and the largest side that one has.
const CROP_TOKENS: u64 = 258;
const CROP_WHOLE: u64 = 384;
const CROP_SIDE: (u64, u64) = (256, 768);
/// The most tokens of a picture that is cropped: 256 for the whole of it,
/// and 2,048 for what is cut out.
const CROPS_MAX: u64 = 2_304;
/// Tokens of any picture where no rule is documented, at least and at most.
/// The largest that open models make of one are 16,384 (`max_pixels` of
/// Qwen2-VL, `preprocessor_config.json`, 2024), of squares of 28 pixels.
const UNDOCUMENTED: (u64, u64) = (5_000, 16_384);
/// The same, for estimates: small pictures are seldom below this.
const UNDOCUMENTED_TYPICAL: (u64, u64) = (256, 5_000);

/// A vendor's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ImageTokens {
    /// The picture is fitted into 2,048 pixels, then its shorter side into
    /// 768, and each square of 512 pixels counts, besides a base. With low
    /// detail the base is all.
    Tiles {
        /// Tokens of any picture.
        base: u32,
        /// Tokens of a square.
        tile: u32,
    },
    /// Each square of 32 pixels counts; how much a picture is scaled down
    /// before depends on the detail.
    Patches {
        /// Hundredths of a token for a square.
        hundredths: u32,
        /// With low detail.
        low: Scale,
        /// With high detail.
        high: Scale,
        /// With original detail.
        original: Scale,
        /// With none stated.
        auto: Scale,
    },
    /// Each square of 28 pixels counts.
    Blocks(Scale),
    /// A small picture is 258 tokens, of a larger one each square counts as
    /// much.
    Crops,
    /// Every picture has the same number of tokens.
    Same {
        /// As a rule.
        usual: u32,
        /// If the request asks for the highest resolution.
        most: u32,
    },
    /// Nothing is published.
    #[default]
    Undocumented,
}

/// How far a picture is scaled down before its squares are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scale {
    /// Pixels of the longer side, at most.
    pub edge_max: u32,
    /// Squares, at most.
    pub squares_max: u32,
}

impl Scale {
    /// Not at all.
    pub const FREE: Self = Self {
        edge_max: u32::MAX,
        squares_max: u32::MAX,
    };

    /// To limits.
    #[must_use]
    pub const fn to(edge_max: u32, squares_max: u32) -> Self {
        Self {
            edge_max,
            squares_max,
        }
    }

    /// The most squares there can be; `None` if there is no limit.
    fn most(self) -> Option<u64> {
        (self != Self::FREE).then_some(u64::from(self.squares_max))
    }

    /// Squares of a picture, `side` pixels wide.
    fn squares(self, size: PixelSize, side: u64) -> u64 {
        let (width, height) = fit(size, u64::from(self.edge_max));
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        let squares = across.saturating_mul(down);
        let most = u64::from(self.squares_max);
        if squares <= most {
            return squares;
        }
        shrunk(width, height, most)
    }
}

impl ImageTokens {
    /// Tokens of a picture of a known size.
    #[must_use]
    pub fn of(self, size: PixelSize, detail: Detail) -> u64 {
        match self {
            Self::Tiles { base, .. } if detail == Detail::Low => base.into(),
            Self::Tiles { base, tile } => {
                let (width, height) = fit(size, 2_048);
                let (width, height) = fit_shorter(width, height, 768);
                let tiles = width.div_ceil(TILE).saturating_mul(height.div_ceil(TILE));
                u64::from(base).saturating_add(tiles.saturating_mul(tile.into()))
            }
            Self::Patches { hundredths, .. } => {
                let patches = self.scale(detail).squares(size, PATCH);
                times(patches, hundredths)
            }
            Self::Blocks(scale) => {
                let (width, height) = fit(size, scale.edge_max.into());
                let blocks = width.div_ceil(BLOCK).saturating_mul(height.div_ceil(BLOCK));
                // The largest that fits is taken, which is within a few
                // squares of the limit.
                blocks.min(scale.squares_max.into())
            }
            Self::Crops => crops(size),
            Self::Same { usual, .. } => usual.into(),
            Self::Undocumented => {
                let (least, most) = UNDOCUMENTED_TYPICAL;
                Scale::FREE.squares(size, BLOCK).clamp(least, most)
            }
        }
    }

    /// The most tokens that a picture of any size can have; `None` if the
    /// vendor states no limit.
    #[must_use]
    pub fn most(self, detail: Detail) -> Option<u64> {
        match self {
            Self::Tiles { base, .. } if detail == Detail::Low => Some(base.into()),
            // 2,048 by 768 pixels are four by two squares.
            Self::Tiles { base, tile } => {
                Some(u64::from(base).saturating_add(u64::from(tile).saturating_mul(8)))
            }
            Self::Patches { hundredths, .. } => {
                let most = self.scale(detail).most()?;
                Some(times(most, hundredths))
            }
            Self::Blocks(scale) => scale.most(),
            Self::Crops => Some(CROPS_MAX),
            Self::Same { most, .. } => Some(most.into()),
            Self::Undocumented => Some(UNDOCUMENTED.1),
        }
    }

    /// The most tokens of a picture of which nothing is known, not even
    /// how closely it is to be looked at.
    #[must_use]
    pub fn most_of_any(self) -> Option<u64> {
        [Detail::Auto, Detail::Low, Detail::High, Detail::Original]
            .into_iter()
            .try_fold(0, |most: u64, detail| Some(most.max(self.most(detail)?)))
    }

    /// Whether the vendor takes whatever is at an address: what is called a
    /// picture may be a film.
    #[must_use]
    pub const fn takes_anything(self) -> bool {
        matches!(self, Self::Crops | Self::Same { .. })
    }

    /// The most tokens of this picture; `None` if nothing bounds them.
    #[must_use]
    pub fn bound(self, image: &Image) -> Option<u64> {
        if self.takes_anything() && image.source == (Source::Url { says_image: false }) {
            return None;
        }
        match (self, image.size) {
            (Self::Same { .. }, _) | (_, None) => self.most(image.detail),
            (Self::Undocumented, Some(size)) => {
                let (least, most) = UNDOCUMENTED;
                Some(Scale::FREE.squares(size, BLOCK).clamp(least, most))
            }
            (_, Some(size)) => Some(self.of(size, image.detail)),
        }
    }

    /// Tokens of this picture, as well as can be told.
    #[must_use]
    pub fn estimate(self, image: &Image) -> u64 {
        self.of(image.size.unwrap_or(TYPICAL), image.detail)
    }

    /// Tokens of a picture of which nothing is known, as an estimate.
    #[must_use]
    pub fn typical(self) -> u64 {
        self.of(TYPICAL, Detail::Auto)
    }

    /// How a picture is scaled before its patches are counted.
    const fn scale(self, detail: Detail) -> Scale {
        match (self, detail) {
            (Self::Patches { low, .. }, Detail::Low) => low,
            (Self::Patches { high, .. }, Detail::High) => high,
            (Self::Patches { original, .. }, Detail::Original) => original,
            (Self::Patches { auto, .. }, Detail::Auto) => auto,
            _ => Scale::FREE,
        }
    }
}

fn times(squares: u64, hundredths: u32) -> u64 {
    squares.saturating_mul(hundredths.into()).div_ceil(100)
}

/// Scales a picture down until its longer side fits.
fn fit(size: PixelSize, edge_max: u64) -> (u64, u64) {
    let (width, height) = (u64::from(size.width), u64::from(size.height));
    let longer = width.max(height);
    if longer <= edge_max {
        return (width, height);
    }
    let side = |side: u64| side.saturating_mul(edge_max).div_ceil(longer.max(1));
    (side(width), side(height))
}

/// Scales a picture down until its shorter side fits.
fn fit_shorter(width: u64, height: u64, edge_max: u64) -> (u64, u64) {
    let shorter = width.min(height);
    if shorter <= edge_max {
        return (width, height);
    }
    let side = |side: u64| side.saturating_mul(edge_max).div_ceil(shorter.max(1));
    (side(width), side(height))
}

/// Squares of a picture that is scaled down to at most `most` of them, and
/// then a little more, until one side is a whole number of squares.
fn shrunk(width: u64, height: u64, most: u64) -> u64 {
    let (width, height) = (width.max(1), height.max(1));
    let across = most.saturating_mul(width).div_ceil(height).isqrt().max(1);
    let down = most.saturating_mul(height).div_ceil(width).isqrt().max(1);
    // Whichever side loses the larger share to its whole number decides.
    let squares = if across.saturating_mul(height) <= down.saturating_mul(width) {
        across.saturating_mul(across.saturating_mul(height).div_ceil(width))
    } else {
        down.saturating_mul(down.saturating_mul(width).div_ceil(height))
    };
    squares.min(most)
}

fn crops(size: PixelSize) -> u64 {
    let (width, height) = (u64::from(size.width), u64::from(size.height));
    if width.max(height) <= CROP_WHOLE {
        return CROP_TOKENS;
    }
    let (least, most) = CROP_SIDE;
    let side = width.min(height).saturating_mul(2) / 3;
    let side = side.clamp(least, most);
    let crops = width.div_ceil(side).saturating_mul(height.div_ceil(side));
    crops.saturating_mul(CROP_TOKENS).min(CROPS_MAX)
}

#[cfg(test)]
mod tests;
