//! Names of which it is known, without asking a name server, where they lead.

/// Names that mean a machine nearby (RFC 6761, RFC 6762, RFC 8375, and
/// ICANN's resolution of July 2024 for `internal`; the rest are in common use
/// for the same, RFC 6762 appendix G).
const PRIVATE_NAMES: &[&str] = &[
    "localhost",
    "local",
    "internal",
    "arpa",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
];

/// Whether a name in lower case means a machine nearby, or nothing. One without
/// a dot is looked for in the network around.
pub(crate) fn is_private_name(name: &str) -> bool {
    let last = name.rsplit_once('.').map_or("", |(_, last)| last);
    last.is_empty() || PRIVATE_NAMES.contains(&last)
}
