//! Functions that fit on a screen. Longer ones are listed with the reason,
//! and the list follows them down.

use super::Problem;
use super::modules::modules;
use super::rust::{functions, production};
use super::tree::Tree;

const RULE: &str = "lengths";
/// Lines from `fn` to the closing brace. Nine functions in ten have fewer
/// than forty.
const LINES_MAX: usize = 70;

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for one in &tree.crates {
        for module in modules(one).into_iter().filter(|module| !module.is_test) {
            for function in functions(&production(&module.source.tokens)) {
                let lines = function.lines;
                if lines <= LINES_MAX {
                    continue;
                }
                let subject = format!("{} {}", module.source.path, function.name);
                let message = format!("has {lines} lines, more than {LINES_MAX}: take it apart");
                problems.push(Problem {
                    amount: Some(lines),
                    ..Problem::new(RULE, subject, message)
                });
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    #[test]
    fn a_long_function_is_found_and_a_long_test_is_not() {
        let body = |lines: usize| format!("{{{}}}", "\n".repeat(lines - 1));
        let long = format!(
            "fn fits() {}\nimpl A {{ async fn long() {} }}\n#[cfg(test)] mod tests {{ fn t() {} }}",
            body(70),
            body(71),
            body(200)
        );
        let tree = planted(&[("crates/a/Cargo.toml", ""), ("crates/a/src/lib.rs", &long)]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, "crates/a/src/lib.rs long");
        assert_eq!(found[0].amount, Some(71));
    }
}
