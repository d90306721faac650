//! The `bourse` program; what it does is in the library beside it.

/// See docs/decisions/0010.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Two cores' worth of arenas, and freed memory back to the system within a
/// second: an exchange idles most of the day beside other programs. A thread
/// looks through what it keeps for itself after each 256 KiB and not after each
/// 64 KiB, which is one call: that was one instruction in fifty. After each MiB
/// it would keep some 1.5 MB more.
// The name is how jemalloc finds its settings (jemalloc(3), TUNING), so the
// linker must be told; there is no safe way to say it.
#[cfg(not(target_env = "msvc"))]
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: &[u8; 88] =
    b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,tcache_gc_incr_bytes:262144\0";

fn main() -> std::process::ExitCode {
    bourse::main()
}
