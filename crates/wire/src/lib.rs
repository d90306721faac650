//! Formats and framing: bytes to vocabulary and back, without I/O.
