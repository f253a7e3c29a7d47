//! Exit codes: one table, the same for every command. (`docs/exit-codes.md` is generated from it.)

use crate::layer::ground::Ending;

/// An exit code and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExitCode {
    /// The number.
    pub(crate) number: u8,
    /// What it says.
    pub(crate) meaning: &'static str,
}

/// Every exit code there is.
pub(crate) const CODES: [ExitCode; 8] = [
    ExitCode {
        number: 0,
        meaning: "ready, warning or completed; or red and let through (`gateStatus` is `notice`)",
    },
    ExitCode { number: 1, meaning: "test failures" },
    ExitCode {
        number: 2,
        meaning: "usage or configuration error: unknown flag, key or command; a value of the wrong type; an unreadable file",
    },
    ExitCode { number: 3, meaning: "context blocked" },
    ExitCode { number: 4, meaning: "readiness blocked" },
    ExitCode {
        number: 5,
        meaning: "selection blocked; also an unknown pack, profile or mode, or a bad pattern, wherever it was written",
    },
    ExitCode { number: 6, meaning: "seam defect" },
    ExitCode { number: 70, meaning: "a bug of ours" },
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
