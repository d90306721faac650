//! Gives what a start took for a moment back to the system.
//!
//! Reading the catalog and the books takes some 8 MB more than what stays of
//! them. The allocator would give it back over ten seconds, in which the first
//! streams come.

/// Every arena's freed pages, at once; what is freed later goes back as the
/// program's setting says (`MALLOC_CONF` in `main.rs`).
///
/// There is no safe word for it among the allocator's, but a new time until
/// pages go back applies to those that are there (jemalloc(3), section
/// `arena.<i>.dirty_decay_ms`). Where that fails, they go back by and by.
#[cfg(not(target_env = "msvc"))]
pub fn give_back() {
    use tikv_jemalloc_ctl::{Access as _, AsName as _, arenas};

    let Ok(count) = arenas::narenas::read() else {
        return;
    };
    for arena in 0..count {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let name = name.name();
        // An arena that no thread has used yet is not there.
        if let Ok(usual) = name.update(0_isize) {
            let _ = name.write(usual);
        }
    }
}

#[cfg(target_env = "msvc")]
pub fn give_back() {}
