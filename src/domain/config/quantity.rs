//! Durations (`90s`, `15m`) and sizes (`2GiB`) as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration of whole milliseconds, written as a number and one of `ms`, `s`, `m`, `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Span(u64);

/// A size in bytes, written as a number and one of `B`, `KiB`, `MiB`, `GiB`, `TiB` (or `KB` ... for
/// powers of 1000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Size(u64);

/// A duration or size that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} {value:?}: write {example}")]
pub(crate) struct QuantityError {
    kind: &'static str,
    value: String,
    example: &'static str,
}

impl Span {
    /// From milliseconds.
    pub(crate) const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// From seconds.
    pub(crate) const fn from_secs(s: u64) -> Self {
        Self(s * 1000)
    }

    /// In milliseconds.
    pub(crate) const fn as_millis(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    pub(crate) const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Size {
    /// From bytes.
    pub(crate) const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// For people: `41.4 KiB`, `2 GiB`. The configuration writes sizes without the space.
    pub(crate) fn spaced(self) -> String {
        let text = self.to_string();
        let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        format!("{} {}", &text[..unit], &text[unit..])
    }

    /// In bytes.
    pub(crate) const fn as_bytes(self) -> u64 {
        self.0
    }
}

/// Splits `90s` into the number (at most three decimals count) and the unit.
fn split(text: &str) -> Option<(f64, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..at].parse().ok()?;
    Some((number, text[at..].trim_start()))
}

fn scaled(number: f64, factor: u64) -> Option<u64> {
    // Above 2^53 a float no longer holds every integer; no limit or disk is that large.
    let value = number * factor as f64;
    (value.is_finite() && (0.0..9e15).contains(&value)).then_some(value.round() as u64)
}

impl FromStr for Span {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let parsed = split(text.trim()).and_then(|(number, unit)| {
            let factor = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
            scaled(number, factor)
        });
        match parsed {
            Some(ms) if ms > 0 => Ok(Self(ms)),
            _ => Err(QuantityError {
                kind: "duration",
                value: text.chars().take(40).collect(),
                example: "a number above zero and a unit, as in 90s, 15m or 2h",
            }),
        }
    }
}

impl FromStr for Size {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let parsed = split(text.trim()).and_then(|(number, unit)| {
            let factor = match unit {
                "B" => 1,
                "KB" => 1000,
                "MB" => 1_000_000,
                "GB" => 1_000_000_000,
                "TB" => 1_000_000_000_000,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                "TiB" => 1 << 40,
                _ => return None,
            };
            scaled(number, factor)
        });
        parsed.map(Self).ok_or_else(|| QuantityError {
            kind: "size",
            value: text.chars().take(40).collect(),
            example: "a number and a unit, as in 2GiB or 500MB",
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms > 0 && ms.is_multiple_of(3_600_000) => write!(f, "{}h", ms / 3_600_000),
            ms if ms > 0 && ms.is_multiple_of(60_000) => write!(f, "{}m", ms / 60_000),
            ms if ms.is_multiple_of(1000) => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in
            [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        {
            if self.0 >= unit {
                let tenths = self.0 as f64 / unit as f64;
                return if self.0.is_multiple_of(unit) {
                    write!(f, "{}{name}", self.0 / unit)
                } else {
                    write!(f, "{tenths:.1}{name}")
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

macro_rules! via_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = QuantityError;
            fn try_from(text: String) -> Result<Self, QuantityError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string"})
            }
        }
    };
}
via_text!(Span);
via_text!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms, shown) in [
            ("90s", 90_000, "90s"),
            ("15m", 900_000, "15m"),
            ("2h", 7_200_000, "2h"),
            ("250ms", 250, "250ms"),
            ("1.5s", 1500, "1500ms"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.as_millis(), span.to_string().as_str()), (ms, shown));
        }
        for bad in ["", "90", "s", "0s", "-1s", "1d", "1e99h", "NaNs", "90 parsecs", "1.2.3s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_read_and_print() {
        assert_eq!("2GiB".parse::<Size>().unwrap().as_bytes(), 2 << 30);
        assert_eq!("1.5GiB".parse::<Size>().unwrap().to_string(), "1.5GiB");
        assert!("2 gigs".parse::<Size>().is_err());
    }
}
