//! Which model somebody meant who misspelt one.

use crate::model::ModelIx;
use crate::snapshot::Snapshot;

/// Bytes of a name that are compared; a longer one is no typing error.
const NAME_BYTES_MAX: usize = 64;
/// One mistake is forgiven for so many bytes of a name.
const BYTES_EACH: usize = 6;
/// The most mistakes that are: beyond that it is another name.
const MISTAKES_MAX: usize = 3;

impl Snapshot {
    /// The model whose name is written most like `name`, of those that
    /// `may` be told; the first of several. With a suffix of routing
    /// (`:nitro`), what stands before it is compared. A name without an author
    /// is compared with names without theirs.
    ///
    /// For refusals alone: every model is looked at, most of them by the
    /// length of their name only.
    #[must_use]
    pub fn nearest(&self, name: &str, may: impl Fn(ModelIx) -> bool) -> Option<&str> {
        let name = name.split(':').next().unwrap_or(name);
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let has_author = name.contains('/');
        let mistakes_max = (name.len() / BYTES_EACH).min(MISTAKES_MAX);
        let mut best: Option<(usize, &str)> = None;
        for (ix, model) in (0..).map(ModelIx).zip(self.models()) {
            let slug: &str = &model.slug;
            let compared = match (has_author, slug.split_once('/')) {
                (false, Some((_, own))) => own,
                _ => slug,
            };
            if compared.len().abs_diff(name.len()) > mistakes_max {
                continue;
            }
            let mistakes = strsim::osa_distance(&name, compared);
            let is_better = best.is_none_or(|(least, _)| mistakes < least);
            if mistakes <= mistakes_max && is_better && may(ix) {
                best = Some((mistakes, slug));
            }
        }
        best.map(|(_, slug)| slug)
    }
}

#[cfg(test)]
mod tests {
    use crate::embedded::embedded;
    use crate::snapshot::Snapshot;

    #[test]
    fn a_typing_error_has_its_model_and_another_name_none() {
        let catalog = Snapshot::build(embedded().unwrap(), &[]).unwrap();
        for (name, meant) in [
            ("openai/gpt-4o-mni", Some("openai/gpt-4o-mini")),
            ("opanai/gpt-4o-mini", Some("openai/gpt-4o-mini")),
            ("OpenAI/GPT-4o-mimi:nitro", Some("openai/gpt-4o-mini")),
            ("gpt-4o-mni", Some("openai/gpt-4o-mini")),
            (
                "anthropic/claude-haiku-45",
                Some("anthropic/claude-haiku-4.5"),
            ),
            ("acme/model", None),
            ("", None),
            ("x", None),
            (&"openai/".repeat(30), None),
        ] {
            assert_eq!(catalog.nearest(name, |_| true), meant, "{name}");
        }
        assert_eq!(catalog.nearest("openai/gpt-4o-mni", |_| false), None);
    }
}
