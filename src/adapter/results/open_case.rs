//! A case while its element is open; what the formats share about it.

use std::borrow::Cow;
use std::time::Duration;

use super::walk::resolved;
use super::{Reading, excerpt};
use crate::domain::results::case::{Attempt, Case};
use crate::domain::results::counts::CaseOutcome;

/// How much of a message is kept: its beginning.
pub(super) const MESSAGE_KEPT: usize = 4 << 10;
/// How much of what a case printed is kept: its end.
const OUTPUT_KEPT: usize = 4 << 10;
/// How many attempts are kept.
const ATTEMPTS_KEPT: usize = 20;
/// How much of an attempt's message is kept: its beginning.
pub(super) const ATTEMPT_KEPT: usize = 1 << 10;
/// How much of a name is kept, and of a class or file.
pub(super) const NAME_KEPT: usize = 4 << 10;

/// Where the text inside a case goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Into {
    /// Nowhere.
    #[default]
    Nothing,
    /// To the message.
    Message,
    /// To the output.
    Output,
    /// To the last attempt's message.
    Attempt,
}

/// An open case.
#[derive(Debug, Default)]
pub(super) struct OpenCase {
    pub(super) depth: usize,
    /// Name, class and file as they stand in the file: few cases are ever shown.
    pub(super) name: String,
    pub(super) class: String,
    pub(super) file: String,
    pub(super) line: Option<u64>,
    /// What it came to so far; nothing where a child or the end decides.
    pub(super) outcome: Option<CaseOutcome>,
    pub(super) duration: Option<Duration>,
    pub(super) into: Into,
    /// The depth of the element whose text goes somewhere.
    pub(super) into_depth: usize,
    /// Another case stands in it.
    pub(super) holds_cases: bool,
    attempts: Vec<Attempt>,
    more_attempts: usize,
    message: String,
    output: String,
}

impl OpenCase {
    /// What an element inside it says: the worst counts.
    pub(super) fn worsen(&mut self, outcome: CaseOutcome) {
        if weight(outcome) > self.outcome.map_or(0, weight) {
            self.outcome = Some(outcome);
        }
    }

    pub(super) fn failed(&self) -> bool {
        matches!(self.outcome, Some(CaseOutcome::Failed | CaseOutcome::Errored))
    }

    /// The text of the element at this depth goes there.
    pub(super) fn listen(&mut self, into: Into, depth: usize) {
        if self.into == Into::Nothing {
            (self.into, self.into_depth) = (into, depth);
        }
    }

    /// An element has ended: what it held is whole.
    pub(super) fn unlisten(&mut self, depth: usize) {
        if self.into != Into::Nothing && self.into_depth == depth {
            self.text("\n");
            self.into = Into::Nothing;
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        match self.into {
            Into::Nothing => {}
            Into::Message => beginning(&mut self.message, text, MESSAGE_KEPT),
            Into::Output => ending(&mut self.output, text),
            Into::Attempt => {
                if let Some(attempt) = self.attempts.last_mut().filter(|_| self.more_attempts == 0)
                {
                    beginning(&mut attempt.message, text, ATTEMPT_KEPT);
                }
            }
        }
    }

    /// A line of what failed that stands in an attribute.
    pub(super) fn message(&mut self, text: &str) {
        beginning(&mut self.message, text, MESSAGE_KEPT);
        beginning(&mut self.message, "\n", MESSAGE_KEPT);
    }

    /// An attempt that did not decide.
    pub(super) fn attempt(&mut self, outcome: CaseOutcome, message: &str) {
        if self.attempts.len() < ATTEMPTS_KEPT {
            let mut kept = String::new();
            beginning(&mut kept, message, ATTEMPT_KEPT);
            beginning(&mut kept, "\n", ATTEMPT_KEPT);
            self.attempts.push(Attempt { outcome, message: kept });
        } else {
            self.more_attempts += 1;
        }
    }

    /// How long it took, where the file says it in a way that can be read.
    pub(super) fn takes(
        &mut self,
        text: Option<&str>,
        parse: fn(&str) -> Option<Duration>,
        reading: &mut Reading,
    ) {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return };
        self.duration = parse(text);
        if self.duration.is_none() {
            reading.note(|| {
                format!(
                    "the case {:?} takes {:?}, which is no duration",
                    self.shown(),
                    excerpt(text, 40)
                )
            });
        }
    }

    /// Takes a name, class or file as it stands, as far as it is kept.
    pub(super) fn keep(text: &mut String, value: Option<&str>) {
        text.clear();
        beginning(text, value.unwrap_or_default(), NAME_KEPT);
    }

    /// Makes it as new, without giving its memory back.
    pub(super) fn reset(&mut self, depth: usize) {
        self.depth = depth;
        (self.line, self.outcome, self.duration) = (None, None, None);
        (self.into, self.into_depth) = (Into::Nothing, 0);
        (self.holds_cases, self.more_attempts) = (false, 0);
        for text in
            [&mut self.name, &mut self.class, &mut self.file, &mut self.message, &mut self.output]
        {
            text.clear();
        }
        self.attempts.clear();
    }

    /// Its name for people.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        resolved(&self.name)
    }

    /// Hands it on as what it came to.
    pub(super) fn close(&mut self, outcome: CaseOutcome, reading: &mut Reading) {
        reading.case(outcome, !self.attempts.is_empty(), || self.case(outcome));
    }

    fn case(&self, outcome: CaseOutcome) -> Case {
        let filled =
            |text: &String| Some(resolved(text).into_owned()).filter(|text| !text.is_empty());
        // CTest leaves the failure empty, and writes all that the test printed beside it.
        let is_bad = matches!(outcome, CaseOutcome::Failed | CaseOutcome::Errored);
        let (message, output) = match (self.message.trim(), self.output.trim()) {
            ("", output) if is_bad => (output, ""),
            both => both,
        };
        let trimmed = |attempt: &Attempt| Attempt {
            message: attempt.message.trim().to_owned(),
            ..attempt.clone()
        };
        Case {
            name: self.shown().into_owned(),
            class: filled(&self.class),
            file: filled(&self.file),
            line: self.line,
            outcome,
            duration: self.duration,
            attempts: self.attempts.iter().map(trimmed).collect(),
            more_attempts: self.more_attempts,
            message: message.to_owned(),
            output: output.to_owned(),
        }
    }
}

/// The open cases of a reader, innermost last, and one that can be used again.
#[derive(Debug, Default)]
pub(super) struct OpenCases {
    open: Vec<OpenCase>,
    spare: Vec<OpenCase>,
}

impl OpenCases {
    /// Opens a case, fresh.
    pub(super) fn begin(&mut self, depth: usize) -> &mut OpenCase {
        if let Some(outer) = self.open.last_mut() {
            outer.holds_cases = true;
        }
        let mut case = self.spare.pop().unwrap_or_default();
        case.reset(depth);
        self.open.push(case);
        let at = self.open.len() - 1;
        &mut self.open[at]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn last(&mut self) -> Option<&mut OpenCase> {
        self.open.last_mut()
    }

    /// Text inside the innermost case.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(case) = self.open.last_mut() {
            case.text(text);
        }
    }

    /// An element inside the innermost case has ended.
    pub(super) fn unlisten(&mut self, depth: usize) {
        if let Some(case) = self.open.last_mut() {
            case.unlisten(depth);
        }
    }

    /// Counts the innermost case, where it is the element at this depth that ended.
    pub(super) fn close(&mut self, depth: usize, otherwise: CaseOutcome, reading: &mut Reading) {
        if let Some(mut case) = self.ended(depth) {
            case.close(case.outcome.unwrap_or(otherwise), reading);
            self.again(case);
        }
    }

    /// The innermost case, where it is the element at this depth that ended.
    pub(super) fn ended(&mut self, depth: usize) -> Option<OpenCase> {
        self.open.pop_if(|case| case.depth == depth)
    }

    /// Takes a closed case back for the next.
    pub(super) fn again(&mut self, case: OpenCase) {
        if self.spare.is_empty() {
            self.spare.push(case);
        }
    }

    /// What is open when the file ends: what is known to have failed counts; whether the others
    /// passed, nobody knows.
    pub(super) fn salvage(&mut self, reading: &mut Reading) {
        while let Some(mut case) = self.open.pop() {
            match case.outcome {
                Some(outcome @ (CaseOutcome::Failed | CaseOutcome::Errored)) => {
                    case.close(outcome, reading)
                }
                _ => reading.note(|| format!("the file ends inside the case {:?}", case.shown())),
            }
        }
    }
}

const fn weight(outcome: CaseOutcome) -> u8 {
    match outcome {
        CaseOutcome::Errored => 3,
        CaseOutcome::Failed => 2,
        CaseOutcome::Skipped => 1,
        CaseOutcome::Passed | CaseOutcome::NotRun => 0,
    }
}

/// Adds to a text up to a limit, at a character's edge.
pub(super) fn beginning(text: &mut String, more: &str, most: usize) {
    let room = most.saturating_sub(text.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
}

/// Adds to a text of which the end is kept, at a character's edge.
pub(super) fn ending(text: &mut String, more: &str) {
    let more = &more[more.ceil_char_boundary(more.len().saturating_sub(OUTPUT_KEPT))..];
    text.push_str(more);
    // Now and then, not for every piece.
    if text.len() > 2 * OUTPUT_KEPT {
        text.drain(..text.ceil_char_boundary(text.len() - OUTPUT_KEPT));
    }
}
