//! The time in the names of rotated files: `2026-01-31T08-05-09.250`, UTC, sorted by name as by time.

/// Length of a stamp in bytes.
pub(super) const LENGTH: usize = 23;

const DAY_S: u64 = 86_400;

/// The stamp of a moment in nanoseconds since the epoch.
pub(super) fn stamp(now_ns: u64) -> String {
    let (seconds, milliseconds) = (now_ns / 1_000_000_000, now_ns / 1_000_000 % 1_000);
    let (days, second) = (seconds / DAY_S, seconds % DAY_S);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}.{milliseconds:03}")
}

/// Whether a text has the shape of a stamp.
pub(super) fn is_stamp(text: &str) -> bool {
    text.len() == LENGTH
        && text.bytes().zip("0000-00-00T00-00-00.000".bytes()).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
}

/// Year, month and day in the proleptic Gregorian calendar, from days since the epoch. Years are taken
/// to begin in March, so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    /// Days from 0000-03-01 to 1970-01-01, and in the calendar's cycle of 400 years.
    const TO_EPOCH: u64 = 719_468;
    const CYCLE: u64 = 146_097;
    let days = days + TO_EPOCH;
    let in_cycle = days % CYCLE;
    let year = (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (days / CYCLE * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_have_known_stamps() {
        for (seconds, expected) in [
            (0, "1970-01-01T00-00-00.250"),
            (951_782_399, "2000-02-28T23-59-59.250"),
            (951_782_400, "2000-02-29T00-00-00.250"),
            (951_868_800, "2000-03-01T00-00-00.250"),
            (1_769_846_709, "2026-01-31T08-05-09.250"),
            (4_107_542_400, "2100-03-01T00-00-00.250"),
        ] {
            let stamp = stamp(seconds * 1_000_000_000 + 250_999_999);
            assert_eq!(stamp, expected);
            assert!(is_stamp(&stamp));
        }
        for wrong in ["", "2026-01-31T08-05-09", "2026-01-31 08-05-09.250", "2026-01-31T08-05-09.25x"] {
            assert!(!is_stamp(wrong), "{wrong}");
        }
    }
}
