//! How large a picture is to be: in pixels, or in the words that OpenRouter
//! has for all vendors (openrouter.ai's API document, October 2026).

use bourse_vocab::Failure;

/// The most pixels of a picture that may be asked for: twice those of the
/// largest that is on offer, 3840 by 2160 (openai-python 2, `images.generate`,
/// November 2026).
const PIXELS_MAX: u64 = 16_777_216;
/// The longest edge that may be asked for.
const EDGE_MAX: u32 = 16_384;

/// Shapes that may be asked for, by width and height in tenths.
const ASPECTS: [(&str, u32, u32); 21] = [
    ("1:1", 10, 10),
    ("1:2", 10, 20),
    ("1:4", 10, 40),
    ("1:8", 10, 80),
    ("2:1", 20, 10),
    ("2:3", 20, 30),
    ("3:2", 30, 20),
    ("3:4", 30, 40),
    ("4:1", 40, 10),
    ("4:3", 40, 30),
    ("4:5", 40, 50),
    ("5:4", 50, 40),
    ("8:1", 80, 10),
    ("9:16", 90, 160),
    ("16:9", 160, 90),
    ("9:19.5", 90, 195),
    ("19.5:9", 195, 90),
    ("9:20", 90, 200),
    ("20:9", 200, 90),
    ("9:21", 90, 210),
    ("21:9", 210, 90),
];

/// A width for a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspect {
    /// As it is written.
    pub name: &'static str,
    width: u32,
    height: u32,
}

impl Aspect {
    fn by_name(name: &str) -> Option<Self> {
        let row = ASPECTS.iter().find(|(known, ..)| *known == name);
        row.map(|&(name, width, height)| Self {
            name,
            width,
            height,
        })
    }

    /// The shape of so many pixels, if it has a name.
    #[must_use]
    pub fn of(pixels: Pixels) -> Option<Self> {
        ASPECTS
            .iter()
            .find(|(_, width, height)| pixels.is_shaped(*width, *height))
            .map(|&(name, width, height)| Self {
                name,
                width,
                height,
            })
    }

    /// Whether it is at least so much wider than high, in tenths.
    pub(super) fn is_wider_than(self, tenths: u32) -> bool {
        self.width.saturating_mul(10) > self.height.saturating_mul(tenths)
    }

    /// Whether it is at least so much higher than wide, in tenths.
    pub(super) fn is_higher_than(self, tenths: u32) -> bool {
        self.height.saturating_mul(10) > self.width.saturating_mul(tenths)
    }
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pixels {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl Pixels {
    /// How many there are.
    #[must_use]
    pub fn area(self) -> u64 {
        u64::from(self.width).saturating_mul(self.height.into())
    }

    fn is_shaped(self, width: u32, height: u32) -> bool {
        u64::from(self.width).saturating_mul(height.into())
            == u64::from(self.height).saturating_mul(width.into())
    }

    fn read(text: &str) -> Option<Self> {
        let (width, height) = text.split_once('x')?;
        let edge = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let edge = is_plain.then(|| text.parse().ok()).flatten();
            edge.filter(|edge| (1..=EDGE_MAX).contains(edge))
        };
        let pixels = Self {
            width: edge(width)?,
            height: edge(height)?,
        };
        (pixels.area() <= PIXELS_MAX).then_some(pixels)
    }
}

/// A class of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Some 512 pixels an edge.
    Half,
    /// Some 1,024.
    One,
    /// Some 2,048.
    Two,
    /// Some 4,096.
    Four,
}

impl Tier {
    /// OpenRouter's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Half => "512",
            Self::One => "1K",
            Self::Two => "2K",
            Self::Four => "4K",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::Half, Self::One, Self::Two, Self::Four]
            .into_iter()
            .find(|tier| tier.name() == name)
    }
}

/// How large a picture is to be, as far as it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// In pixels. There is no tier then.
    pub pixels: Option<Pixels>,
    /// Its class.
    pub tier: Option<Tier>,
    /// Its shape.
    pub aspect: Option<Aspect>,
}

impl Size {
    /// Reads `size`, `resolution` and `aspect_ratio`.
    ///
    /// # Errors
    /// One of them is none, or they contradict each other.
    pub fn read(
        size: Option<&str>,
        resolution: Option<&str>,
        aspect: Option<&str>,
    ) -> Result<Self, Failure> {
        let aspect = match aspect.filter(|word| *word != "auto") {
            None => None,
            Some(word) => Some(Aspect::by_name(word).ok_or_else(|| {
                let names: Vec<_> = ASPECTS.iter().map(|(name, ..)| *name).collect();
                Failure::invalid(format!(
                    "aspect_ratio: must be auto or one of {}",
                    names.join(", ")
                ))
            })?),
        };
        let resolution =
            match resolution {
                None => None,
                Some(word) => Some(Tier::by_name(word).ok_or_else(|| {
                    Failure::invalid("resolution: must be one of 512, 1K, 2K, 4K")
                })?),
            };
        let mut read = Self {
            pixels: None,
            tier: resolution,
            aspect,
        };
        let Some(size) = size.filter(|word| *word != "auto") else {
            return Ok(read);
        };
        if let Some(tier) = Tier::by_name(size) {
            if resolution.is_some_and(|other| other != tier) {
                return Err(Failure::invalid(
                    "resolution: is another than `size`; send one of them",
                ));
            }
            read.tier = Some(tier);
            return Ok(read);
        }
        let pixels = Pixels::read(size).ok_or_else(|| {
            Failure::invalid(format!(
                "size: must be auto, 512, 1K, 2K, 4K or WIDTHxHEIGHT with at most {PIXELS_MAX} pixels"
            ))
        })?;
        if resolution.is_some() {
            return Err(Failure::invalid(
                "resolution: `size` says how many pixels there are to be; send one of them",
            ));
        }
        if aspect.is_some_and(|aspect| !pixels.is_shaped(aspect.width, aspect.height)) {
            return Err(Failure::invalid(
                "aspect_ratio: is another than that of `size`; send one of them",
            ));
        }
        read.pixels = Some(pixels);
        Ok(read)
    }

    /// The shape, said or of the pixels.
    #[must_use]
    pub fn shape(&self) -> Option<Aspect> {
        self.aspect.or_else(|| Aspect::of(self.pixels?))
    }

    /// The most pixels that such a picture has at a vendor that counts tokens.
    const fn area_max(&self) -> Option<u64> {
        match self.tier {
            None => None,
            Some(Tier::Half) => Some(655_360),
            Some(Tier::One) => Some(1_572_864),
            Some(Tier::Two) => Some(4_194_304),
            Some(Tier::Four) => Some(8_294_400),
        }
    }

    /// The most output tokens that a picture takes where those are sold: what
    /// is set aside, and billed where nobody counts them.
    ///
    /// Two rules of OpenAI's, of which the dearer counts. The first GPT Image
    /// models take 4,160, 1,056 or 272 tokens for 1,024 pixels square, and more
    /// in proportion (platform.openai.com/docs/guides/image-generation, cost
    /// and latency, 2025). Those from `gpt-image-2` on take
    /// `f * g * (2,000,000 + pixels) / 4,000,000`, where `f` is 16, 48 or 96 by
    /// quality and `g` is no more (community.openai.com, topic 1382699, June
    /// 2026, after the calculator there). What `xhigh` and `max` take is not
    /// published: four times as much is set aside as for `high`. A picture
    /// whose size is left to the model is one of the usual three, of which the
    /// largest has 1,572,864 pixels.
    #[must_use]
    pub fn tokens_max(&self, quality: Option<&str>) -> u64 {
        let (factor, square, times) = match quality {
            Some("low") => (16_u64, 272_u64, 1_u64),
            Some("medium" | "standard") => (48, 1_056, 1),
            Some("xhigh" | "max") => (96, 4_160, 4),
            _ => (96, 4_160, 1),
        };
        let area = self.pixels.map(Pixels::area).or(self.area_max());
        let area = area.unwrap_or(1_572_864);
        let later = factor
            .saturating_mul(factor)
            .saturating_mul(area.saturating_add(2_000_000))
            .div_ceil(4_000_000);
        let first = area.saturating_mul(square).div_ceil(1_048_576);
        later.max(first).saturating_mul(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(text: &str) -> Size {
        Size::read(Some(text), None, None).unwrap()
    }

    #[test]
    fn what_is_set_aside_covers_every_published_count() {
        // The two documents of `tokens_max`.
        for (size, quality, tokens) in [
            ("1024x1024", "low", 272),
            ("1024x1536", "low", 408),
            ("1536x1024", "medium", 1_584),
            ("1024x1536", "high", 6_240),
            ("1024x1024", "high", 7_024),
            ("1792x1024", "high", 5_063),
            ("3584x2048", "high", 12_329),
        ] {
            let most = pixels(size).tokens_max(Some(quality));
            assert!(most >= tokens, "{size} {quality}: {most}");
        }
        assert_eq!(pixels("1024x1024").tokens_max(Some("high")), 7_024);
        let unsaid = Size::default();
        assert!(unsaid.tokens_max(None) >= 7_024);
        assert!(unsaid.tokens_max(Some("max")) > unsaid.tokens_max(Some("high")));
    }

    #[test]
    fn sizes_that_are_none_and_those_that_contradict_are_refused() {
        for (size, resolution, aspect, field) in [
            (Some("0x10"), None, None, "size"),
            (Some("1000000000x1"), None, None, "size"),
            (Some("16384x16384"), None, None, "size"),
            (Some("1024*1024"), None, None, "size"),
            (Some("+1x1"), None, None, "size"),
            (Some("2K"), Some("4K"), None, "resolution"),
            (Some("1024x1024"), Some("1K"), None, "resolution"),
            (None, Some("8K"), None, "resolution"),
            (Some("1024x1024"), None, Some("16:9"), "aspect_ratio"),
            (None, None, Some("17:9"), "aspect_ratio"),
        ] {
            let refused = Size::read(size, resolution, aspect).unwrap_err();
            assert!(
                refused.message.starts_with(&format!("{field}: ")),
                "{}",
                refused.message
            );
        }
        let wide = Size::read(Some("1920x1080"), None, Some("16:9")).unwrap();
        assert_eq!(wide.shape().unwrap().name, "16:9");
        assert_eq!(pixels("2K").tier, Some(Tier::Two));
        assert_eq!(pixels("auto"), Size::default());
    }
}
