//! From when until when a certificate is valid: the two times of its DER
//! (RFC 5280, sections 4.1 and 4.1.2.5, May 2008). rustls checks those of
//! others and tells nobody; a server wants to know its own in advance.

use std::fmt;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`: the version, if it is not the first.
const VERSION: u8 = 0xa0;

/// A time of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970; 0 for what was before.
    pub seconds: u64,
    text: String,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// When it begins and when it ends; `None` for what is no certificate.
pub(super) fn validity(certificate: &[u8]) -> Option<(Moment, Moment)> {
    let mut outer = Der(certificate).inside(SEQUENCE)?;
    let mut fields = outer.inside(SEQUENCE)?;
    if fields.0.first() == Some(&VERSION) {
        fields.inside(VERSION)?;
    }
    fields.inside(INTEGER)?;
    fields.inside(SEQUENCE)?; // How it is signed,
    fields.inside(SEQUENCE)?; // and by whom.
    let mut times = fields.inside(SEQUENCE)?;
    Some((times.moment()?, times.moment()?))
}

/// What is left of a value's contents.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and contents.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, mut rest) = rest.split_first()?;
        let mut length = usize::from(short);
        if short >= 0x80 {
            let count = usize::from(short & 0x7f);
            // None that fits into memory has a longer one.
            if !(1..=4).contains(&count) {
                return None;
            }
            let (bytes, behind) = rest.split_at_checked(count)?;
            length = bytes
                .iter()
                .fold(0, |length, byte| (length << 8) | usize::from(*byte));
            rest = behind;
        }
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next value, which must have that tag.
    fn inside(&mut self, wanted: u8) -> Option<Self> {
        let (tag, contents) = self.next()?;
        (tag == wanted).then_some(Self(contents))
    }

    fn moment(&mut self) -> Option<Moment> {
        let (tag, contents) = self.next()?;
        let text = std::str::from_utf8(contents).ok()?.strip_suffix('Z')?;
        let year_digits = match tag {
            UTC_TIME => 2,
            GENERALIZED_TIME => 4,
            _ => return None,
        };
        let (year, rest) = text.split_at_checked(year_digits)?;
        let year = match (tag, number(year)?) {
            // Section 4.1.2.5.1: 50 to 99 are of the last century.
            (UTC_TIME, year @ 50..) => year + 1_900,
            (UTC_TIME, year) => year + 2_000,
            (_, year) => year,
        };
        let mut rest = rest;
        let mut two = |least, most| {
            let (digits, behind) = rest.split_at_checked(2)?;
            rest = behind;
            number(digits).filter(|value| (least..=most).contains(value))
        };
        let (month, day) = (two(1, 12)?, two(1, 31)?);
        let (hour, minute, second) = (two(0, 23)?, two(0, 59)?, two(0, 59)?);
        if !rest.is_empty() {
            return None;
        }
        let in_day = hour * 3_600 + minute * 60 + second;
        Some(Moment {
            seconds: days(year, month, day) * 86_400 + in_day,
            text: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
        })
    }
}

fn number(digits: &str) -> Option<u64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// Days since 1970; 0 before. Years begin in March here, so that a leap day is
/// the last of its year.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month < 3 {
        year.saturating_sub(1)
    } else {
        year
    };
    let month = (month + 9) % 12;
    let in_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    // Days from the first of March of the year 0 to 1970.
    (year * 365 + leap_days + in_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str) -> Option<(u64, String)> {
        let bytes = [&[tag, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let moment = Der(&bytes).moment()?;
        Some((moment.seconds, moment.to_string()))
    }

    #[test]
    fn times_are_read_in_both_of_their_forms() {
        let at = |seconds, text: &str| Some((seconds, text.to_owned()));
        for (tag, text, expected) in [
            (0x17, "700101000000Z", at(0, "1970-01-01T00:00:00Z")),
            (0x17, "500101000000Z", at(0, "1950-01-01T00:00:00Z")),
            (
                0x17,
                "000229000001Z",
                at(951_782_401, "2000-02-29T00:00:01Z"),
            ),
            (
                0x17,
                "491231235959Z",
                at(2_524_607_999, "2049-12-31T23:59:59Z"),
            ),
            (
                0x18,
                "99991231235959Z",
                at(253_402_300_799, "9999-12-31T23:59:59Z"),
            ),
            (
                0x18,
                "21000301000000Z",
                at(4_107_542_400, "2100-03-01T00:00:00Z"),
            ),
            (0x17, "701301000000Z", None),
            (0x17, "700101000000", None),
            (0x17, "7001010000+1Z", None),
            (0x17, "70010100000000Z", None),
            (0x04, "700101000000Z", None),
        ] {
            assert_eq!(read(tag, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_times() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 2, 0x30, 0],
        ] {
            assert_eq!(validity(bytes), None, "{bytes:?}");
        }
    }
}
