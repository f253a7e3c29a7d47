//! Exit codes: one table for every command. `docs/exit-codes.md` is generated from it.

use crate::layer::invocation::Ending;

/// An exit code and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExitCode {
    /// The number.
    pub(crate) number: u8,
    /// Its meaning.
    pub(crate) meaning: &'static str,
}

/// What `step --prepare` exits with when it has reported a refusal itself. Only the bootstrap of
/// the actions sees it.
pub(crate) const UNPREPARED: u8 = 73;

/// Every exit code there is.
pub(crate) const CODES: [ExitCode; 8] = [
    ExitCode {
        number: 0,
        meaning: "passed; or failed, but allowed to pass by policy (`gateStatus` is `notice`)",
    },
    ExitCode { number: 1, meaning: "tests failed (`test-failures`)" },
    ExitCode {
        number: 2,
        meaning: "usage or configuration error: an unknown flag, key or command, an invalid \
                  value, or an unreadable file; also `init` when it recognizes nothing",
    },
    ExitCode { number: 3, meaning: "context blocked (`context-blocked`)" },
    ExitCode { number: 4, meaning: "host not ready (`readiness-blocked`)" },
    ExitCode {
        number: 5,
        meaning: "no tests selected (`selection-blocked`); also an unknown pack, profile or mode, \
                  and an invalid pattern, regardless of where it is set",
    },
    ExitCode { number: 6, meaning: "harness failure (`seam-defect`)" },
    ExitCode { number: 70, meaning: "internal error (please report it)" },
];

/// The exit code of an ending.
pub(crate) const fn number(ending: Ending) -> u8 {
    match ending {
        Ending::Good | Ending::Notice(_) => 0,
        Ending::Usage => 2,
        Ending::Bug => 70,
        Ending::Own(code) => code,
        Ending::Bad(classification) => classification.exit_code(),
    }
}

/// The table for the docs.
pub(crate) fn table() -> String {
    let mut out = String::from("| code | meaning |\n|---|---|\n");
    for code in CODES {
        out.push_str(&format!("| {} | {} |\n", code.number, code.meaning));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::receipt::Classification;

    #[test]
    fn every_ending_has_a_documented_code_and_only_completed_is_zero() {
        for classification in Classification::ALL {
            let code = number(Ending::Bad(classification));
            assert!(CODES.iter().any(|known| known.number == code));
            assert_eq!(code == 0, classification == Classification::Completed);
        }
    }
}
