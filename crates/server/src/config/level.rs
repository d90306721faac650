//! `log.level`: words that the log understands. The library behind it takes any
//! other for the name of a part of a program, and is silent.

use super::near::nearest;

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];
/// What is said unless configuration says otherwise.
const USUAL: &str = "info";

pub(super) fn resolve(given: Option<&str>, problems: &mut Vec<String>) -> String {
    let filter = given.unwrap_or_default().trim();
    if filter.is_empty() {
        return USUAL.to_owned();
    }
    for word in filter.split(',').map(str::trim) {
        let level = word.rsplit_once('=').map_or(word, |(_, level)| level);
        if LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            continue;
        }
        let near = nearest(level, LEVELS.iter().copied());
        let near = near.map(|near| format!("; did you mean \"{near}\"?"));
        problems.push(format!(
            "log.level: `{word}` is neither one of {} nor part=level, such as \"info,bourse_net=debug\"{}",
            LEVELS.join(", "),
            near.unwrap_or_default()
        ));
    }
    filter.to_owned()
}
