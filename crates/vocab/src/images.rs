//! Pictures that a model makes of a text.
//!
//! An operation of its own: a request names a text and how many pictures it
//! wants of it, and the answer is those pictures, all at once.

use bytes::Bytes;

use crate::UsageReport;

/// How a vendor's interface for pictures looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// OpenAI's `POST /images/generations`, as servers of models imitate it.
    OpenAi,
    /// xAI's, which has other members.
    Xai,
    /// Google's `models/imagen-*:predict`.
    Imagen,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Xai, Self::Imagen];
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// In the answer, as base64 without quotes.
    Base64(Bytes),
    /// At an address of the vendor's, for a while.
    Url(String),
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Where it is.
    pub data: Data,
    /// The text of which it was made, where the vendor changed that.
    pub revised_prompt: Option<String>,
}

/// What a model made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// At least one; some vendors make fewer than they are asked for.
    pub pictures: Vec<Picture>,
    /// What the vendor says of how they were made: `background`,
    /// `output_format`, `quality`, `size`.
    pub made: Vec<(&'static str, String)>,
    /// What the provider counted, and how many pictures came.
    pub usage: UsageReport,
}
