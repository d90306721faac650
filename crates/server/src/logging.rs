//! What the server says, to standard error.
//!
//! An event is one line, whatever is in it: providers and callers have a say
//! in many values, and a line break in one would be a line of its own, which
//! nobody could tell from ours.

use std::fmt::{Debug, Write as _};
use std::io::IsTerminal as _;

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};

use crate::config::{Config, level};
use crate::spelled::breaks_lines;

/// Starts logging. A second call has no effect.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(level::filter(&config.log_level)).unwrap_or_else(|error| {
        eprintln!("log.level: {error}; using info");
        EnvFilter::new("info")
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_coloured())
        .with_writer(std::io::stderr);
    let started = if config.log_json {
        log.json().try_init()
    } else {
        log.fmt_fields(fields()).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Colours are for people: a file or a pipe gets none, nor does a terminal
/// whose user asked for none (no-color.org).
pub(crate) fn is_coloured() -> bool {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_unwanted && std::io::stderr().is_terminal()
}

/// Writes values so that they stay on their line.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(write_field).delimited(" ")
}

fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(out, "{}=", field.name())?;
    }
    write!(OneLine(out), "{value:?}")
}

/// Passes text on and spells what is not for the eye: control characters,
/// and the line and paragraph separators, at which some readers of logs
/// begin a new line.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl std::fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(breaks_lines) {
            let (plain, other) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut others = other.chars();
            if let Some(other) = others.next() {
                write!(self.0, "{}", other.escape_default())?;
            }
            rest = others.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written in text format, colours or not.
    fn logged(ansi: bool, event: impl FnOnce()) -> String {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(ansi)
            .with_writer(kept.clone())
            .fmt_fields(fields())
            .finish();
        tracing::subscriber::with_default(subscriber, event);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_value_begins_a_line_or_moves_the_cursor() {
        let evil = "x\r\n2026-01-01T00:00:00Z ERROR forged\u{2028}y\u{1b}[2Jz\u{85}\u{202e}";
        for ansi in [false, true] {
            let text = logged(ansi, || {
                let span = tracing::info_span!("call", id = %evil);
                let _inside = span.enter();
                tracing::info!(shown = %evil, quoted = ?evil, text = evil, "it said {evil}");
            });
            assert_eq!(text.lines().count(), 1, "{text:?}");
            assert!(text.ends_with('\n'), "{text:?}");
            let line = text.trim_end_matches('\n');
            for bad in ['\n', '\r', '\u{2028}', '\u{85}', '\u{202e}'] {
                assert!(!line.contains(bad), "{bad:?}: {line:?}");
            }
            assert!(!line.contains("\u{1b}[2J"), "{line:?}");
            assert!(ansi || !line.contains('\u{1b}'), "{line:?}");
            assert!(
                line.contains("forged"),
                "what was said is still there: {line}"
            );
        }
    }

    #[test]
    fn ordinary_values_are_written_as_they_are() {
        let text = logged(false, || {
            tracing::info!(n = 3, name = "größer", shown = %"a b", "it \"works\"");
        });
        let end = r#"it "works" n=3 name="größer" shown=a b"#;
        assert!(text.trim_end().ends_with(end), "{text}");
    }
}
