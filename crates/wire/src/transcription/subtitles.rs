//! Subtitles, made of segments.

use bourse_vocab::transcription::Segment;

/// Writes `SubRip`: a number, two times, the text, and an empty line.
pub(super) fn srt(segments: &[Segment]) -> String {
    let mut out = String::new();
    for (number, segment) in (1_u64..).zip(segments) {
        let (start, end) = (time(segment.start_ms, ','), time(segment.end_ms, ','));
        let text = shown(&segment.text);
        out.push_str(&format!("{number}\n{start} --> {end}\n{text}\n\n"));
    }
    out
}

/// Writes `WebVTT` (W3C, section 4.1).
pub(super) fn vtt(segments: &[Segment]) -> String {
    let mut out = "WEBVTT\n\n".to_owned();
    for segment in segments {
        let (start, end) = (time(segment.start_ms, '.'), time(segment.end_ms, '.'));
        // An arrow in a text would be taken for the times of another.
        let text = shown(&segment.text).replace("-->", "->");
        out.push_str(&format!("{start} --> {end}\n{text}\n\n"));
    }
    out
}

/// An empty line would end the text.
fn shown(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Hours, minutes, seconds and milliseconds.
fn time(ms: u64, point: char) -> String {
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}")
}
