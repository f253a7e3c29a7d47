//! One test case, whatever format told of it.

use std::time::Duration;

use serde::Serialize;

use crate::domain::results::counts::CaseOutcome;

/// A case as every reader hands it on. Texts are beginnings (messages) or ends (output) of what the
/// file holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Case {
    /// Its name as the format writes it, parameters included.
    pub(crate) name: String,
    /// The class, fixture or suite that it says it belongs to.
    pub(crate) class: Option<String>,
    /// The file it stands in, where the format has one.
    pub(crate) file: Option<String>,
    /// The line it stands at, from 1.
    pub(crate) line: Option<u64>,
    /// What it came to in the end.
    pub(crate) outcome: CaseOutcome,
    /// How long it took; nothing where the file does not say it in a way that can be read.
    #[serde(serialize_with = "seconds")]
    pub(crate) duration: Option<Duration>,
    /// Attempts beside the one that decided: retries of a runner.
    pub(crate) attempts: Vec<Attempt>,
    /// Attempts beyond those that are kept.
    pub(crate) more_attempts: usize,
    /// The beginning of what failed, stack trace included.
    pub(crate) message: String,
    /// The end of what it printed.
    pub(crate) output: String,
}

/// An attempt at a case that did not decide it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    /// What it came to.
    pub(crate) outcome: CaseOutcome,
    /// The beginning of what failed.
    pub(crate) message: String,
}

impl Case {
    /// What tells it from other cases of its run: its name, behind its class where the name does
    /// not begin with that.
    pub(crate) fn id(&self) -> String {
        match self.class.as_deref() {
            Some(class) if !class.is_empty() && !self.name.starts_with(class) => {
                format!("{class} › {}", self.name)
            }
            _ => self.name.clone(),
        }
    }
}

fn seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

/// A number of seconds as the formats write it, `1.25`. Anything else (a comma, a sign, a unit) is
/// not guessed.
pub(crate) fn parse_seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    // f64 reads words like `inf` and `nan` too.
    let number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let seconds: f64 = text.parse().ok().filter(|_| number)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A duration as TRX writes it, `[days.]hh:mm:ss[.fraction]`.
pub(crate) fn parse_clock(text: &str) -> Option<Duration> {
    let mut parts = text.trim().split(':');
    let (hours, minutes, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let whole = |text: &str| text.parse::<u32>().ok().map(f64::from);
    let seconds = parse_seconds(rest)?;
    let clock = Duration::try_from_secs_f64(
        whole(days)? * 86_400.0 + whole(hours)? * 3600.0 + whole(minutes)? * 60.0,
    );
    clock.ok().filter(|_| parts.next().is_none())?.checked_add(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_or_left_out_but_never_guessed() {
        for (text, expected) in
            [("1.25", Some(1.25)), (" 0 ", Some(0.0)), ("1e-3", Some(0.001)), (".5", Some(0.5))]
        {
            assert_eq!(parse_seconds(text).map(|d| d.as_secs_f64()), expected, "{text}");
        }
        for text in ["1,25", "", "-1", "inf", "NaN", "1s", "1.2.3", "1e400", "0x10", "+1"] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
        for (text, expected) in [
            ("00:00:00.0170545", Some(0.017_054_5)),
            ("01:02:03", Some(3723.0)),
            ("1.00:00:01", Some(86_401.0)),
            ("00:00", None),
            ("00:00:00:00", None),
            ("a:b:c", None),
            ("00:00:-1", None),
        ] {
            let read = parse_clock(text).map(|d| d.as_secs_f64());
            let near = match (read, expected) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-6,
                (a, b) => a == b,
            };
            assert!(near, "{text}: {read:?}");
        }
    }

    #[test]
    fn a_class_is_named_once() {
        let case = |name: &str, class: Option<&str>| Case {
            name: name.to_owned(),
            class: class.map(str::to_owned),
            file: None,
            line: None,
            outcome: CaseOutcome::Passed,
            duration: None,
            attempts: Vec::new(),
            more_attempts: 0,
            message: String::new(),
            output: String::new(),
        };
        assert_eq!(case("adds", Some("Sum")).id(), "Sum › adds");
        assert_eq!(case("Sum.adds", Some("Sum")).id(), "Sum.adds");
        assert_eq!(case("adds", Some("")).id(), "adds");
        assert_eq!(case("adds", None).id(), "adds");
    }
}
