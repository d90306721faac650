//! Texts from elsewhere, as they may be shown.

/// A text from elsewhere as a person may see it: what would steer a terminal,
/// begin a line or turn the direction of others is spelled.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match breaks_lines(char) {
            true => out.extend(char.escape_default()),
            false => out.push(char),
        }
    }
    out
}

/// Also the marks that turn the direction of what follows.
pub(crate) fn breaks_lines(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_elsewhere_do_not_steer_the_terminal() {
        assert_eq!(plain("Ada's laptop, Zürich"), "Ada's laptop, Zürich");
        let hostile = "a\u{1b}[31mred\nkey\u{202e}gnp";
        assert_eq!(plain(hostile), "a\\u{1b}[31mred\\nkey\\u{202e}gnp");
    }
}
