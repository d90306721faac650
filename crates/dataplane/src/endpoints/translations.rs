//! `POST /audio/translations`: what is said in a sound, in English. It is a
//! transcript in all but its language.

use bourse_vocab::transcription::Task;

use super::transcriptions::Spoken;

/// Speech written down in English.
pub static TRANSLATIONS: Spoken = Spoken::new("/v1/audio/translations", Task::Translate);
