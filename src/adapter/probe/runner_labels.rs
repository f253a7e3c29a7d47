//! The runner's labels, as somebody told them: never assumed.

use super::{Answer, Surroundings};
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    answer.fact("required", around.labels.clone());
    if around.labels.is_empty() {
        return answer;
    }
    let Some(reported) = &around.runner_labels else {
        let why = "nobody says which labels this runner has; pass --runner-label".to_owned();
        answer.faults.push(Fault::ProbeFailed { name: "runner-labels".to_owned(), why });
        return answer;
    };
    answer.fact("labels", reported.clone());
    let has =
        |label: &&String| reported.iter().any(|own| own.trim().eq_ignore_ascii_case(label.trim()));
    let missing: Vec<_> = around.labels.iter().filter(|label| !has(label)).cloned().collect();
    if !missing.is_empty() {
        answer.faults.push(Fault::RunnerLabelMissing {
            missing: missing.join(", "),
            labels: reported.join(", "),
        });
    }
    answer
}
