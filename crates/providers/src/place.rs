//! Where a vendor is called that is in many places.

/// What an operator says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// One of the vendor's regions, such as `eu-west-1`.
    pub region: Option<String>,
    /// The project that calls are billed to, of a vendor whose addresses have
    /// it.
    pub project: Option<String>,
}

impl Place {
    /// Whether nothing is said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.region.is_none() && self.project.is_none()
    }
}

/// A region's name as vendors make them: it becomes part of an address.
pub(crate) fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
