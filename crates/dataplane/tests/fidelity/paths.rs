//! Whether what is told of a loss names something that the client sent.

use serde_json::Value;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

/// A path: `a.b[0]`, or in Anthropic's way `a.b.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

impl Path {
    /// Reads a path.
    pub fn read(text: &str) -> Self {
        let mut steps = Vec::new();
        let text = text.replace("[\"", ".").replace("\"]", "");
        for piece in text.split('.') {
            let mut pieces = piece.split('[');
            let name = pieces.next().unwrap_or_default();
            match name.parse() {
                Ok(index) => steps.push(Step::Item(index)),
                Err(_) => steps.push(Step::Member(name.to_owned())),
            }
            for index in pieces {
                if let Ok(index) = index.trim_end_matches(']').parse() {
                    steps.push(Step::Item(index));
                }
            }
        }
        Self(steps)
    }

    /// How many steps lead nowhere in `value`.
    pub fn beyond(&self, mut value: &Value) -> usize {
        for (done, step) in self.0.iter().enumerate() {
            let found = match step {
                Step::Member(name) => value.get(name),
                Step::Item(index) => value.get(index),
            };
            match found {
                Some(inner) => value = inner,
                None => return self.0.len() - done,
            }
        }
        0
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of two leads to where the other goes on.
    pub fn is_about(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one == other)
    }
}

/// The paths of everything that stands at the ends of a value.
pub fn leaves(value: &Value) -> Vec<Path> {
    fn walk(value: &Value, at: &mut Vec<Step>, found: &mut Vec<Path>) {
        let steps: Vec<(Step, &Value)> = match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (Step::Member(name.clone()), value))
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, value)| (Step::Item(index), value))
                .collect(),
            _ => Vec::new(),
        };
        if steps.is_empty() {
            found.push(Path(at.clone()));
        }
        for (step, value) in steps {
            at.push(step);
            walk(value, at, found);
            at.pop();
        }
    }
    let mut found = Vec::new();
    walk(value, &mut Vec::new(), &mut found);
    found
}

#[test]
fn a_path_leads_to_what_was_sent() {
    let sent = serde_json::json!({"a": [{"b": {"c": 1}}], "d": "e"});
    for (path, beyond) in [
        ("a[0].b.c", 0),
        ("a.0.b", 0),
        ("a[1]", 1),
        ("a[0].b.c.d.e", 2),
        ("x.y", 2),
        ("d[0]", 1),
    ] {
        assert_eq!(Path::read(path).beyond(&sent), beyond, "{path}");
    }
    let leaves = leaves(&sent);
    assert_eq!(leaves, [Path::read("a[0].b.c"), Path::read("d")]);
    assert!(Path::read("a[0]").is_about(&leaves[0]));
    assert!(Path::read("a[0].b.c.x").is_about(&leaves[0]));
    assert!(!Path::read("a[1]").is_about(&leaves[0]));
}
