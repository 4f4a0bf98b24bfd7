//! Decimal numbers of any length, compared digit by digit.
//!
//! Event times need 61 bits and attackers may send a million digits: no machine number fits, and
//! rounding would make different values equal.

use std::cmp::Ordering;
use std::fmt;

/// A number without exponent, borrowed from its text, without the zeros that mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        // Nearly all text is no number, and its first byte says so.
        if !matches!(text.as_bytes().first(), Some(b'-' | b'0'..=b'9')) {
            return None;
        }
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self {
            negative: negative && !zero,
            whole,
            fraction,
        })
    }

    /// The length of the canonical form. Only a canonical text is this long, because the canonical
    /// form comes about by leaving characters out.
    pub(super) fn canonical_len(self) -> usize {
        let fraction = if self.fraction.is_empty() {
            0
        } else {
            1 + self.fraction.len()
        };
        usize::from(self.negative) + self.whole.len().max(1) + fraction
    }
}

impl fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() {
            "0"
        } else {
            self.whole
        };
        write!(f, "{sign}{whole}")?;
        if self.fraction.is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.fraction)
        }
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |n: &Self, m: &Self| {
            (n.whole.len(), n.whole, n.fraction).cmp(&(m.whole.len(), m.whole, m.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Orders a value of an event against the number of a condition; `None` when it is no number.
pub(super) fn order(value: &str, number: &str) -> Option<Ordering> {
    if let (Some(value), Some(number)) = (Decimal::parse(value), Decimal::parse(number)) {
        return Some(value.cmp(&number));
    }
    // Falco's metrics print small rates as `1e-05`. Equality leaves this form alone: container ids
    // such as `123456789e12` look like it.
    let like_float = value.len() <= 32
        && value.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && value.ends_with(|c: char| c.is_ascii_digit());
    if !like_float {
        return None;
    }
    value
        .parse::<f64>()
        .ok()?
        .partial_cmp(&number.parse().ok()?)
}

/// Whether two texts are the same, or the same number.
pub(super) fn equal(value: &str, literal: &str) -> bool {
    value == literal
        || Decimal::parse(literal)
            .is_some_and(|literal| Decimal::parse(value).is_some_and(|value| value == literal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_any_length_keep_every_digit() {
        assert_eq!(
            order("1783414899120272414", "1783414899120272413"),
            Some(Ordering::Greater)
        );
        let long = "9".repeat(200);
        assert_eq!(order(&long, "1"), Some(Ordering::Greater));
        assert_eq!(order("-0.5", "-0.45"), Some(Ordering::Less));
        assert_eq!(order("1e-05", "80"), Some(Ordering::Less));
    }

    #[test]
    fn text_is_no_number() {
        for text in [
            "", "-", ".", "1.", ".5", "+1", "0x10", "nan", "inf", "1 ", "١",
        ] {
            assert_eq!(order(text, "1"), None, "{text}");
        }
    }

    #[test]
    fn zeros_that_mean_nothing_do_not_count() {
        for (a, b) in [
            ("007", "7"),
            ("1.50", "1.5"),
            ("-0", "0"),
            ("2.0", "2"),
            ("0", "0.0"),
        ] {
            assert!(equal(a, b), "{a} {b}");
        }
        assert!(!equal("1e2", "100"), "ids may look like exponents");
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_machine_numbers(a: i64, b: i64) {
            prop_assert_eq!(order(&a.to_string(), &b.to_string()), Some(a.cmp(&b)));
        }

        #[test]
        fn the_canonical_form_is_as_long_as_said(text in "-?0{0,3}[0-9]{1,4}(\\.[0-9]{1,4})?") {
            let number = Decimal::parse(&text).unwrap();
            let canonical = number.to_string();
            prop_assert_eq!(canonical.len(), number.canonical_len());
            prop_assert_eq!(Decimal::parse(&canonical), Some(number));
        }
    }
}
