//! Slugs, each kept once.
//!
//! The calls of a batch name the same few models, endpoints and providers
//! again and again. Whoever reads many records keeps each name once and
//! hands out references, which costs neither memory nor a copy.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The names seen so far: as many as a catalog has, at most.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<Arc<str>>);

impl Names {
    /// `name`, to keep.
    pub fn keep(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.0.insert(Arc::clone(&new));
        new
    }

    /// `name`, which is mostly the same as `likely`.
    pub fn keep_as(&mut self, likely: &Arc<str>, name: &str) -> Arc<str> {
        if **likely == *name {
            Arc::clone(likely)
        } else {
            self.keep(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let mut names = Names::default();
        let (one, other) = (names.keep("openai"), names.keep("groq"));
        assert!(Arc::ptr_eq(&one, &names.keep("openai")));
        assert!(Arc::ptr_eq(&one, &names.keep_as(&other, "openai")));
        assert!(Arc::ptr_eq(&other, &names.keep_as(&other, "groq")));
        assert_eq!((&*one, &*other), ("openai", "groq"));
    }
}
