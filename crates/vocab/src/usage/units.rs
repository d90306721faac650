//! What is used and sold by something that is no token: pictures, seconds of
//! sound, characters read aloud, searches of a list of documents.

use serde::{Deserialize, Serialize};

use crate::videos::Tier;

macro_rules! units {
    ($( $(#[$meta:meta])* $field:ident; )+) => {
        /// What one call used that is no token. Zero of all of them in every
        /// call of chat.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Units { $( $(#[$meta])* pub $field: u64, )+ }

        /// The same as a provider reported it, or as it was counted in what
        /// the provider sent: nothing is not the same as a reported zero.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct UnitsReport { $( $(#[$meta])* pub $field: Option<u64>, )+ }

        impl Units {
            /// Whether there is any.
            #[must_use]
            pub const fn any(&self) -> bool {
                $( self.$field != 0 || )+ false
            }
        }

        impl UnitsReport {
            /// Nothing is told.
            pub const NONE: Self = Self { $( $field: None, )+ };

            /// Whether any is told, be it zero.
            #[must_use]
            pub const fn any(&self) -> bool {
                $( self.$field.is_some() || )+ false
            }

            /// What is told, and `estimate` where nothing is.
            #[must_use]
            pub fn or(&self, estimate: &Units) -> Units {
                Units { $( $field: self.$field.unwrap_or(estimate.$field), )+ }
            }

            /// Whether something of which there is an estimate is not told.
            #[must_use]
            pub const fn lacks(&self, estimate: &Units) -> bool {
                $( (self.$field.is_none() && estimate.$field != 0) || )+ false
            }

            /// Takes over what `later` tells, except a zero after something.
            pub(super) fn merge(&mut self, later: &Self) {
                $( super::take(&mut self.$field, later.$field); )+
            }

            /// The same without counts of more than `factor` times what may
            /// have been used at `most`.
            #[must_use]
            pub fn believed(self, most: &Units, factor: u64) -> Self {
                Self {
                    $( $field: self.$field.filter(|told| *told <= most.$field.saturating_mul(factor)), )+
                }
            }
        }
    };
}

units! {
    /// Pictures made.
    pictures;
    /// Searches through a list of documents, as a vendor of rankings counts
    /// them: Cohere's is a query with up to a hundred documents.
    search_units;
    /// Milliseconds of sound heard.
    audio_ms;
    /// Characters of text read aloud.
    characters;
    /// Milliseconds of film made, of the usual size.
    video_ms;
    /// The same of films with up to 480 lines.
    video_480p_ms;
    /// The same of films with up to 1,080 lines.
    video_1080p_ms;
    /// The same of larger films.
    video_4k_ms;
}

impl Units {
    /// So many milliseconds of film.
    #[must_use]
    pub fn of_video(tier: Tier, ms: u64) -> Self {
        let mut units = Self::default();
        let slot = match tier {
            Tier::Low => &mut units.video_480p_ms,
            Tier::Usual => &mut units.video_ms,
            Tier::High => &mut units.video_1080p_ms,
            Tier::Highest => &mut units.video_4k_ms,
        };
        *slot = ms;
        units
    }

    /// Milliseconds of film of any size.
    #[must_use]
    pub const fn all_video_ms(&self) -> u64 {
        self.video_ms
            .saturating_add(self.video_480p_ms)
            .saturating_add(self.video_1080p_ms)
            .saturating_add(self.video_4k_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_counts_and_what_is_not_is_estimated() {
        let told = UnitsReport {
            pictures: Some(0),
            ..UnitsReport::default()
        };
        let estimate = Units {
            pictures: 4,
            audio_ms: 5,
            ..Units::default()
        };
        let used = told.or(&estimate);
        assert_eq!((used.pictures, used.audio_ms), (0, 5));
        assert!(told.any() && used.any());
        assert!(told.lacks(&estimate) && !told.lacks(&Units::default()));
        assert!(!UnitsReport::default().any() && !Units::default().any());
    }

    #[test]
    fn a_count_beyond_many_times_what_was_asked_for_is_not_believed() {
        let most = Units {
            search_units: 2,
            ..Units::default()
        };
        let told = |search_units| UnitsReport {
            search_units: Some(search_units),
            ..UnitsReport::default()
        };
        assert_eq!(told(8).believed(&most, 4), told(8));
        assert_eq!(told(9).believed(&most, 4), UnitsReport::default());
    }
}
