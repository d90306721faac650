//! How much of everything a text may have.

/// Brackets that may be open at once. Real prompts stay below 20; parsers
/// behind us recurse, and some give up at 100.
pub const NESTING_MAX: u32 = 64;
/// Members of the outermost object. Clients send fewer than 60.
pub const MEMBERS_MAX: usize = 4_096;
/// Length of the name of an outermost member.
pub const KEY_BYTES_MAX: usize = 1_024;
