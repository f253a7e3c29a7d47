//! Fixtures: there, readable, and with which digest.

use super::{Answer, Surroundings};
use crate::adapter::workspace::files;
use crate::domain::receipt::FixtureRecord;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    for fixture in &around.fixtures {
        let missing = |why: String| Fault::FixtureMissing {
            name: fixture.name.clone(),
            path: fixture.path.clone(),
            why,
        };
        let path: RelPath = match fixture.path.replace('\\', "/").parse() {
            Ok(path) => path,
            Err(error) => {
                answer.faults.push(missing(format!("{error}")));
                continue;
            }
        };
        match files::digest_file(&around.root.join(path.as_str())) {
            Ok((_, sha256)) => answer.fixtures.push(FixtureRecord {
                name: fixture.name.clone(),
                path: path.to_string(),
                env: fixture.env.clone(),
                sha256,
            }),
            Err(error) => answer.faults.push(missing(error.to_string())),
        }
    }
    answer.fact("found", answer.fixtures.len());
    answer
}
