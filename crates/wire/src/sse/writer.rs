//! Writing frames.

use memchr::memchr2;

use super::Frame;

/// Appends one frame. Data may have several lines; line breaks in the
/// name of the event are left out, because they would begin a new field.
pub fn write_frame(frame: &Frame<'_>, out: &mut Vec<u8>) {
    if !frame.event.is_empty() {
        out.extend_from_slice(b"event: ");
        let name = frame.event.bytes();
        out.extend(name.filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
        out.push(b'\n');
    }
    write_data(frame.data, out);
}

/// Appends a frame that has nothing but data.
pub fn write_data(data: &[u8], out: &mut Vec<u8>) {
    out.reserve(data.len().saturating_add(8));
    let mut rest = data;
    loop {
        out.extend_from_slice(b"data: ");
        let Some(end) = memchr2(b'\r', b'\n', rest) else {
            break;
        };
        let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        out.extend_from_slice(line);
        out.push(b'\n');
        let tail = tail.strip_prefix(b"\r\n").or_else(|| tail.get(1..));
        rest = tail.unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\n\n");
}

/// Appends a comment, which clients skip: it keeps connections alive.
pub fn write_comment(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b": ");
    out.extend(text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    out.extend_from_slice(b"\n\n");
}
