//! Refuses a member of the outermost object that is there twice.

use super::{Member, Outline, ScanError, ScanErrorKind};

/// Up to here duplicates are found by comparing all pairs, which is
/// cheaper than sorting.
const PAIRS_MAX: usize = 32;

/// Refuses a text whose outermost object has two members of one name.
pub(super) fn refuse_duplicates(outline: &Outline) -> Result<(), ScanError> {
    let duplicate = |member: &Member| ScanError {
        kind: ScanErrorKind::Duplicate(outline.name(member).to_owned()),
        offset: member.key.start,
    };
    let name = |member: &Member| outline.name(member);
    if outline.members.len() <= PAIRS_MAX {
        if are_plainly_different(outline) {
            return Ok(());
        }
        for (count, member) in outline.members.iter().enumerate() {
            let mut earlier = outline.members.iter().take(count);
            if earlier
                .any(|other| other.name.len() == member.name.len() && name(other) == name(member))
            {
                return Err(duplicate(member));
            }
        }
        return Ok(());
    }
    let mut sorted: Vec<&Member> = outline.members.iter().collect();
    sorted.sort_by(|a, b| name(a).cmp(name(b)).then(a.key.start.cmp(&b.key.start)));
    for (first, second) in sorted.iter().zip(sorted.iter().skip(1)) {
        if name(first) == name(second) {
            return Err(duplicate(second));
        }
    }
    Ok(())
}

/// Whether the names differ by length, first and last letter already, which
/// saves comparing them in pairs.
fn are_plainly_different(outline: &Outline) -> bool {
    let mut seen = 0_u64;
    outline.members.iter().all(|member| {
        let name = outline.name(member).as_bytes();
        let (Some(first), Some(last)) = (name.first(), name.last()) else {
            return false;
        };
        let mix = (name.len() as u64)
            .wrapping_mul(7)
            .wrapping_add(u64::from(*first))
            .wrapping_add(u64::from(*last).wrapping_mul(3));
        let bit = 1_u64 << (mix & 63);
        let is_new = seen & bit == 0;
        seen |= bit;
        is_new
    })
}

#[cfg(test)]
mod tests {
    use crate::json::{ScanErrorKind, scan};

    #[test]
    fn names_that_look_alike_are_told_apart() {
        let members = |names: &[&str]| {
            let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":1")).collect();
            scan(format!("{{{}}}", members.join(",")).as_bytes()).map(|outline| outline.len())
        };
        for names in [
            &["abc", "adc"][..],
            &["", "a", "aa"],
            &["tool_x", "tool_y", "stop"],
        ] {
            assert!(members(names).is_ok(), "{names:?}");
        }
        for (names, twice) in [
            (&["abc", "adc", "abc"][..], "abc"),
            (&["", "a", ""], ""),
            (&["stop", "a", "b", "stop"], "stop"),
        ] {
            let error = members(names).unwrap_err();
            assert_eq!(error.kind, ScanErrorKind::Duplicate(twice.to_owned()));
        }
    }
}
