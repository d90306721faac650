//! The `bourse` program; what it does is in the library beside it.

/// See docs/decisions/0010.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Freed memory goes back to the system, a part of it each moment, within ten
/// seconds: within one, every long prompt after a pause paid for its room once
/// more, page by page, a twelfth of its time. A thread looks through what it
/// keeps for itself after each 256 KiB and not after each 64 KiB, which is one
/// call: that was one instruction in fifty. After each MiB it would keep some
/// 1.5 MB more.
// The name is how jemalloc finds its settings (jemalloc(3), TUNING), so the
// linker must be told; there is no safe way to say it.
#[cfg(not(target_env = "msvc"))]
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: &[u8; 89] =
    b"background_thread:true,dirty_decay_ms:10000,muzzy_decay_ms:0,tcache_gc_incr_bytes:262144\0";

fn main() -> std::process::ExitCode {
    bourse::main()
}
