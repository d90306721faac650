//! What the makers of models differ in, as far as Converse shows it.

use crate::anthropic::Model as Claude;

/// What one model takes, by its name. An application's inference profile has
/// a name that tells nothing: it is taken for a model that has only what all
/// of them have.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Claude's generation; [`Claude::claude`] says whether it is one.
    pub claude: Claude,
    /// It is one of Amazon's Nova.
    nova: bool,
}

impl Model {
    /// What `model` takes, whatever region stands before its name
    /// (`us.anthropic.claude-opus-4-6-v1`, or an ARN that ends so).
    pub fn named(model: &str) -> Self {
        // The number in a region of an ARN is no version.
        let model = model.rsplit('/').next().unwrap_or(model);
        Self {
            claude: Claude::named(model),
            nova: model.contains("amazon.nova"),
        }
    }

    /// Whether it is one of Anthropic's.
    pub const fn is_claude(&self) -> bool {
        self.claude.claude
    }

    /// Whether it takes `cachePoint` ("Prompt caching", docs.aws.amazon.com,
    /// 2026: Claude and Nova).
    pub const fn caches(&self) -> bool {
        self.claude.claude || self.nova
    }

    /// Whether it can be told which tool to call, and that a tool failed
    /// (`ToolChoice.tool` and `ToolResultBlock.status`: Claude and Nova).
    pub const fn takes_names_and_statuses(&self) -> bool {
        self.claude.claude || self.nova
    }
}
