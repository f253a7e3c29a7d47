//! What tools say of the host, read: pure interpreters of what a probe collected.
//!
//! Words are matched only where a tool has no code for what it means; each text that is matched
//! stands in a test with its source.

pub(crate) mod docker;
pub(crate) mod dotnet;
pub(crate) mod labview;
pub(crate) mod launch;
pub(crate) mod lock;
pub(crate) mod long_paths;
pub(crate) mod lvcompare;
pub(crate) mod powershell;
pub(crate) mod readiness;

/// What a command said, and how it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) stdout: &'a str,
    /// Its standard error.
    pub(crate) stderr: &'a str,
}

impl Said<'_> {
    /// The first line that says something, for a person.
    pub(crate) fn first_line(&self) -> String {
        let lines = self.stderr.lines().chain(self.stdout.lines()).map(str::trim);
        let line = lines.filter(|line| !line.is_empty()).find(|line| !line.starts_with('{'));
        line.unwrap_or("nothing").chars().take(300).collect()
    }
}
