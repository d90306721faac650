//! Flame graphs out of what `perf script` prints.
//!
//! Width is time, the root is at the bottom, and what called what is above
//! it. A file without scripts: the whole name and the share are in each
//! box's title, which browsers show on hovering.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Pixels.
const WIDTH: f64 = 1_200.0;
const ROW: f64 = 15.0;
const MARGIN: f64 = 24.0;
/// Narrower boxes are left out, in pixels.
const NARROWEST: f64 = 0.6;
/// About the width of a letter, in pixels.
const LETTER: f64 = 6.4;

/// A function as called by those below it.
#[derive(Debug, Default)]
struct Frame {
    samples: u64,
    callees: BTreeMap<String, Frame>,
}

impl Frame {
    fn depth(&self) -> usize {
        let deepest = self.callees.values().map(Self::depth).max();
        deepest.map_or(1, |depth| depth + 1)
    }
}

/// Adds up the stacks of `perf script -F comm,ip,sym`: a line with the name of
/// the thread, a line for each function from the innermost out, an empty line.
fn fold(script: &str) -> Frame {
    let mut root = Frame::default();
    for sample in script.split("\n\n") {
        let mut lines = sample.lines().filter(|line| !line.trim().is_empty());
        let Some(thread) = lines.next() else { continue };
        let functions: Vec<String> = lines.map(function).collect();
        let mut frame = &mut root;
        frame.samples += 1;
        let names = std::iter::once(thread.trim().to_owned()).chain(functions.into_iter().rev());
        for name in names {
            frame = frame.callees.entry(name).or_default();
            frame.samples += 1;
        }
    }
    root
}

/// The function's name in a line `address name`, without the hash that the
/// compiler adds.
fn function(line: &str) -> String {
    let name = line.trim().split_once(' ').map_or("?", |(_, name)| name);
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 => name,
        _ => name,
    };
    name.to_owned()
}

/// Draws the stacks; `what` says of what.
pub fn draw(script: &str, what: &str) -> String {
    let root = fold(script);
    let rows = root.depth() as f64;
    let height = ROW.mul_add(rows, 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"monospace\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"4\" y=\"16\">{}: {} samples; blue is Bourse, orange the kernel, grey libraries</text>\n",
        escaped(what),
        root.samples
    );
    let scale = WIDTH / (root.samples.max(1) as f64);
    let bottom = height - MARGIN;
    boxes(&root, "all", 0.0, bottom, scale, root.samples, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn boxes(frame: &Frame, name: &str, x: f64, y: f64, scale: f64, all: u64, svg: &mut String) {
    let width = frame.samples as f64 * scale;
    if width < NARROWEST {
        return;
    }
    let share = 100.0 * frame.samples as f64 / all.max(1) as f64;
    // Between 0 and 200 letters.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let fits = (width / LETTER) as usize;
    let label: String = if fits < 4 {
        String::new()
    } else {
        short(name).chars().take(fits).collect()
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<g><title>{} {share:.2} %</title><rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
         height=\"{:.1}\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        escaped(name),
        y - ROW,
        (width - 0.3).max(0.3),
        ROW - 1.0,
        colour(name),
        x + 2.0,
        y - 4.0,
        escaped(&label)
    );
    let mut x = x;
    for (name, callee) in &frame.callees {
        boxes(callee, name, x, y - ROW, scale, all, svg);
        x += callee.samples as f64 * scale;
    }
}

/// The last two parts of a path, which is what a box has room for.
fn short(name: &str) -> &str {
    let mut starts = name.rmatch_indices("::").map(|(at, _)| at + 2);
    let _ = starts.next();
    let start = starts.next().unwrap_or(0);
    name.get(start..).unwrap_or(name)
}

fn colour(name: &str) -> &'static str {
    if name.contains("bourse") {
        "#8fb8e8"
    } else if name.contains("::") || name.starts_with("_rjem") || name.starts_with("sqlite") {
        "#c9c9c9"
    } else {
        "#f2b36b"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "worker-0 \n\t  1f write\n\t  2a <bourse::a as b>::run::h0123456789abcdef\n\nworker-0 \n\t  2a <bourse::a as b>::run::h0123456789abcdef\n\napplier \n";

    #[test]
    fn stacks_are_added_up_from_the_outside_in() {
        let root = fold(SCRIPT);
        assert_eq!((root.samples, root.depth()), (3, 4));
        let run = &root.callees["worker-0"].callees["<bourse::a as b>::run"];
        assert_eq!((run.samples, run.callees["write"].samples), (2, 1));
    }

    #[test]
    fn a_graph_names_everything_in_it() {
        let svg = draw(SCRIPT, "a & b");
        assert!(svg.contains("a &amp; b: 3 samples"));
        assert!(svg.contains("<title>write 33.33 %</title>"));
        assert!(svg.contains("<title>&lt;bourse::a as b&gt;::run 66.67 %</title>"));
        assert_eq!(svg.matches("<g>").count(), 5);
    }
}
