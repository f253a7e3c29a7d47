//! The integration mode: every word that was ever accepted, and nothing else.

use crate::domain::verdict::fault::Fault;

/// Whether integration tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They run.
    Include,
    /// They do not.
    Exclude,
}

impl Mode {
    /// The word as written in receipts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Mode::Include => "include",
            Mode::Exclude => "exclude",
        }
    }
}

/// The predecessor's variables, in its order; the first that is not blank counts in mode `auto`.
pub(crate) const VARIABLES: [&str; 7] = [
    "INCLUDE_INTEGRATION",
    "INPUT_INCLUDE_INTEGRATION",
    "GITHUB_INPUT_INCLUDE_INTEGRATION",
    "EV_INCLUDE_INTEGRATION",
    "CI_INCLUDE_INTEGRATION",
    "GH_INCLUDE_INTEGRATION",
    "include_integration",
];

/// What a word means; `None` is `auto` or blank. Junk is an error, never `exclude`.
fn normalise(origin: &str, word: &str) -> Result<Option<Mode>, Fault> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" | "include" => Ok(Some(Mode::Include)),
        "false" | "0" | "no" | "n" | "off" | "exclude" => Ok(Some(Mode::Exclude)),
        "" | "auto" => Ok(None),
        _ => Err(Fault::IntegrationModeInvalid {
            origin: origin.to_owned(),
            value: word.chars().take(40).collect(),
        }),
    }
}

/// The mode and the predecessor's word for what it was read from.
///
/// `asked` is the configured word with its source; `environment` answers for [`VARIABLES`].
pub(crate) fn resolve(
    asked: Option<(&str, &str)>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(Mode, String), Fault> {
    if let Some((word, origin)) = asked
        && let Some(mode) = normalise(origin, word)?
    {
        return Ok((mode, format!("mode:{}", mode.as_str())));
    }
    for name in VARIABLES {
        let Some(value) = environment(name).filter(|value| !value.trim().is_empty()) else {
            continue;
        };
        let mode = normalise(name, &value)?.unwrap_or(Mode::Exclude);
        return Ok((mode, format!("auto:env:{name}={}", value.trim())));
    }
    Ok((Mode::Exclude, "auto:default:auto".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_word_and_no_other() {
        let none = |_: &str| None;
        for word in ["true", "TRUE", " 1 ", "yes", "y", "on", "include"] {
            assert_eq!(resolve(Some((word, "x")), none).unwrap().0, Mode::Include, "{word}");
        }
        for word in ["false", "0", "no", "n", "off", "exclude", "", "auto"] {
            assert_eq!(resolve(Some((word, "x")), none).unwrap().0, Mode::Exclude, "{word}");
        }
        for word in ["maybe", "2", "tru", "include!"] {
            assert!(resolve(Some((word, "--integration-mode")), none).is_err(), "{word}");
        }
    }

    #[test]
    fn auto_reads_the_first_variable_that_is_not_blank() {
        let env = |name: &str| match name {
            "INCLUDE_INTEGRATION" => Some("  ".to_owned()),
            "EV_INCLUDE_INTEGRATION" => Some("yes".to_owned()),
            "CI_INCLUDE_INTEGRATION" => Some("no".to_owned()),
            _ => None,
        };
        let (mode, source) = resolve(Some(("auto", "x")), env).unwrap();
        assert_eq!((mode, source.as_str()), (Mode::Include, "auto:env:EV_INCLUDE_INTEGRATION=yes"));
        assert!(resolve(None, |_| Some("junk".to_owned())).is_err());
        assert_eq!(resolve(None, |_| None).unwrap().1, "auto:default:auto");
    }
}
