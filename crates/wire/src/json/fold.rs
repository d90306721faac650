//! Names that lenient readers take for one another.

/// A name as the most lenient parser reads it: without case, dashes and
/// underscores, and with the letters that Unicode's simple folding, Java's
/// and Python's comparisons take for one of ASCII.
#[must_use]
pub fn folded(name: &str) -> String {
    name.chars()
        .filter(|letter| !matches!(letter, '_' | '-') && !is_ignorable(*letter))
        .map(|letter| match letter {
            // Long s; Kelvin; dotless and dotted i.
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            '\u{131}' | '\u{130}' => 'i',
            // Full-width forms, which normalisation (NFKC) makes ASCII of.
            '\u{ff01}'..='\u{ff5e}' => {
                let ascii = u32::from(letter).wrapping_sub(0xfee0);
                char::from_u32(ascii).unwrap_or(letter).to_ascii_lowercase()
            }
            other => other.to_ascii_lowercase(),
        })
        .filter(|letter| !matches!(letter, '_' | '-'))
        .collect()
}

/// White space, and what is not seen at all: some readers trim it.
fn is_ignorable(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}
