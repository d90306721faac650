//! Marks of a merge that nobody finished. A compiler finds them in sources,
//! and nobody in documents.

use super::Problem;
use super::tree::Tree;

const RULE: &str = "merges";
/// How the two marks begin that nothing else begins with; each is seven signs
/// and a space.
const SIGNS: [char; 2] = ['<', '>'];
const SIGNS_COUNT: usize = 7;

pub fn check(tree: &Tree) -> Vec<Problem> {
    let marked = |line: &str| {
        SIGNS.iter().any(|sign| {
            let mark: String = std::iter::repeat_n(*sign, SIGNS_COUNT).collect();
            line.strip_prefix(&mark)
                .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let lines = tree.files.iter().flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        lines.map(move |(nth, line)| (path, nth + 1, line))
    });
    lines
        .filter(|(_, _, line)| marked(line))
        .map(|(path, line, _)| {
            let subject = format!("{path} line {line}");
            Problem::new(RULE, subject, "is a mark of a merge: finish it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    #[test]
    fn a_mark_in_a_document_is_found_and_a_quotation_is_not() {
        let left = "<".repeat(SIGNS_COUNT);
        let right = ">".repeat(SIGNS_COUNT);
        let page = format!("# How\n\n{left} HEAD\na\n=======\nb\n{right} 82dbd81 (Seal)\n");
        let tree = planted(&[("docs/how-to/README.md", &page), ("docs/b.md", "> > >\n")]);
        let found = check(&tree);
        let subjects: Vec<_> = found.iter().map(|problem| &*problem.subject).collect();
        assert_eq!(
            subjects,
            [
                "docs/how-to/README.md line 3",
                "docs/how-to/README.md line 7"
            ]
        );
    }
}
