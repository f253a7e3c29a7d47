//! A run against an earlier one: what is new about it. Absence proves nothing by itself: a test
//! whose file was left out is not removed, and a run that ended early says nothing of the tests
//! behind its end.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::test_list::{Test, TestList};
use crate::domain::run::ids::{CommitSha, RunId};

/// Schema id of the document.
pub(crate) const SCHEMA: &str = "pester-triage@v1";
/// File name of the document.
pub(crate) const FILE: &str = "pester-triage.json";

/// What is new about a test.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Category {
    /// It passed, and fails.
    Regression,
    /// It was not there, and fails.
    NewFailure,
    /// It failed, and fails.
    Unresolved,
    /// It failed, and passes.
    Fixed,
    /// It was there, and its file was taken up and does not hold it any more, or is gone itself.
    Removed,
    /// It was not there, and passes.
    Added,
    /// It passed, and passes.
    Stable,
    /// It did not run this time: its file was left out, it was skipped, or the run ended before it.
    NotSelected,
}

impl Category {
    /// All of them, the worst first.
    pub(crate) const ALL: [Category; 8] = [
        Category::Regression,
        Category::NewFailure,
        Category::Unresolved,
        Category::Fixed,
        Category::Removed,
        Category::Added,
        Category::Stable,
        Category::NotSelected,
    ];

    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Category::Regression => "regression",
            Category::NewFailure => "new-failure",
            Category::Unresolved => "unresolved",
            Category::Fixed => "fixed",
            Category::Removed => "removed",
            Category::Added => "added",
            Category::Stable => "stable",
            Category::NotSelected => "not-selected",
        }
    }

    /// How much it matters; by it entries are ranked.
    pub(crate) const fn score(self) -> u32 {
        match self {
            Category::Regression => 100,
            Category::NewFailure => 90,
            Category::Unresolved => 70,
            Category::Fixed => 40,
            Category::Removed => 30,
            Category::Added => 20,
            Category::Stable => 10,
            Category::NotSelected => 5,
        }
    }
}

/// What the comparison as a whole says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Something fails that did not.
    Regressed,
    /// What fails failed before.
    KnownFailures,
    /// Nothing fails.
    Clean,
    /// The two runs cannot be compared.
    Incomparable,
}

impl Status {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Status::Regressed => "regressed",
            Status::KnownFailures => "known-failures",
            Status::Clean => "clean",
            Status::Incomparable => "incomparable",
        }
    }
}

/// One test, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// What is new.
    pub(crate) category: Category,
    /// How much it matters.
    pub(crate) score: u32,
    /// The test.
    pub(crate) name: String,
    /// Its file.
    pub(crate) file: Option<String>,
    /// What it was; null where it was not there.
    pub(crate) was: Option<CaseOutcome>,
    /// What it is; null where it is not here.
    pub(crate) is: Option<CaseOutcome>,
    /// Whether it fails as it did; null where one of the two is not known.
    pub(crate) same_failure: Option<bool>,
}

/// The run that was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Baseline {
    /// The run.
    pub(crate) run_id: RunId,
    /// Its attempt.
    pub(crate) run_attempt: u32,
    /// Its commit.
    pub(crate) head_sha: Option<CommitSha>,
    /// When it was told of.
    pub(crate) generated_at_utc: jiff::Timestamp,
    /// How many tests it ran.
    pub(crate) ran: u64,
}

/// How many tests must run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Floor {
    /// How many ran.
    pub(crate) ran: u64,
    /// How many the baseline ran of the files that were not left out.
    pub(crate) baseline: u64,
    /// The least that may run.
    pub(crate) least: u64,
    /// Whether they are too few.
    pub(crate) below: bool,
    /// Whether that fails the gate, or only warns.
    pub(crate) fails: bool,
}

/// `pester-triage.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Triage {
    /// `pester-triage@v1`.
    pub(crate) schema: String,
    /// What the comparison says.
    pub(crate) status: Status,
    /// What limits it, or forbids it.
    pub(crate) limits: Vec<String>,
    /// With what; null where that could not be read.
    pub(crate) baseline: Option<Baseline>,
    /// How many tests there are of each category.
    pub(crate) counts: BTreeMap<Category, u64>,
    /// Whether the gate fails where the number of tests cannot be told to be enough.
    #[serde(default)]
    pub(crate) binding: bool,
    /// How many must run; null where the two cannot be compared by number.
    pub(crate) floor: Option<Floor>,
    /// Every test but the stable ones, ranked: by score, then file, then name.
    pub(crate) entries: Vec<Entry>,
}

impl Floor {
    fn new(ran: u64, baseline: u64, rule: FloorRule) -> Self {
        let least = (baseline * u64::from(rule.percent)).div_ceil(100);
        Self { ran, baseline, least, below: ran < least, fails: rule.fails }
    }
}

/// What is asked of the number of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FloorRule {
    /// The least, in percent of the baseline's.
    pub(crate) percent: u8,
    /// Whether fewer fail the gate.
    pub(crate) fails: bool,
}

/// Names a test among those of a run; of several alike, by which it is.
type Key<'a> = (Option<&'a str>, &'a str, usize);
type Keyed<'a> = HashMap<Key<'a>, &'a Test>;

/// The tests of two runs by what pairs them. Of several with one name those that came to the same
/// are a pair, in whatever order the reports have them; then the rest as they come.
fn keyed<'a>(before: &'a [Test], now: &'a [Test]) -> (Keyed<'a>, Keyed<'a>) {
    fn named(tests: &[Test]) -> HashMap<(Option<&str>, &str), Vec<&Test>> {
        let mut named: HashMap<(Option<&str>, &str), Vec<&Test>> = HashMap::new();
        for test in tests {
            named.entry((test.file.as_deref(), test.name.as_str())).or_default().push(test);
        }
        // By outcome: what is left over of each is paired in that order.
        named.values_mut().for_each(|tests| tests.sort_by_key(|test| test.outcome));
        named
    }
    let (before, mut now) = (named(before), named(now));
    let (mut was, mut is) = (HashMap::new(), HashMap::new());
    for (name, olds) in before {
        let news = now.remove(&name).unwrap_or_default();
        let (mut rest, mut left, mut nth) = (Vec::new(), Vec::new(), 0);
        let (mut old, mut new) = (olds.into_iter().peekable(), news.into_iter().peekable());
        while let (Some(a), Some(b)) = (old.peek(), new.peek()) {
            match a.outcome.cmp(&b.outcome) {
                std::cmp::Ordering::Less => rest.extend(old.next()),
                std::cmp::Ordering::Greater => left.extend(new.next()),
                std::cmp::Ordering::Equal => {
                    old.next().map(|test| was.insert((name.0, name.1, nth), test));
                    new.next().map(|test| is.insert((name.0, name.1, nth), test));
                    nth += 1;
                }
            }
        }
        rest.extend(old);
        left.extend(new);
        for at in 0..rest.len().max(left.len()) {
            rest.get(at).map(|old| was.insert((name.0, name.1, nth + at), *old));
            left.get(at).map(|new| is.insert((name.0, name.1, nth + at), *new));
        }
    }
    for (name, news) in now {
        is.extend(news.into_iter().enumerate().map(|(nth, test)| ((name.0, name.1, nth), test)));
    }
    (was, is)
}

/// What is told where the earlier run cannot be read.
pub(crate) fn unreadable(why: String, binding: bool) -> Triage {
    Triage {
        schema: SCHEMA.to_owned(),
        status: Status::Incomparable,
        limits: vec![why],
        baseline: None,
        counts: BTreeMap::new(),
        binding,
        floor: None,
        entries: Vec::new(),
    }
}

/// Compares.
pub(crate) fn triage(baseline: &TestList, now: &TestList, rule: FloorRule) -> Triage {
    let reported = Baseline {
        run_id: baseline.run_id.clone(),
        run_attempt: baseline.run_attempt,
        head_sha: baseline.head_sha.clone(),
        generated_at_utc: baseline.generated_at_utc,
        ran: baseline.tests.iter().filter(|test| test.ran()).count() as u64,
    };
    let forbidden = incomparable(baseline, now);
    if !forbidden.is_empty() {
        // Their tests cannot be told one by one; how many there are can, of one repository's whole
        // runs.
        let one = baseline.repository.is_none()
            || now.repository.is_none()
            || baseline.repository == now.repository;
        let whole = baseline.dispatcher == now.dispatcher || now.left_out.is_empty();
        let place = Place::new(baseline, now);
        let floor =
            (one && whole).then(|| place.floor(&baseline.tests, &now.tests, rule)).flatten();
        return Triage {
            schema: SCHEMA.to_owned(),
            status: Status::Incomparable,
            limits: forbidden,
            baseline: Some(reported),
            counts: BTreeMap::new(),
            binding: rule.fails,
            floor,
            entries: Vec::new(),
        };
    }
    let (before, after) = keyed(&baseline.tests, &now.tests);
    let place = Place::new(baseline, now);
    let mut entries: Vec<Entry> = Vec::new();
    let mut counts: BTreeMap<Category, u64> = BTreeMap::new();
    let mut put = |category: Category, was: Option<&Test>, is: Option<&Test>| {
        *counts.entry(category).or_default() += 1;
        let Some(test) = is.or(was).filter(|_| category != Category::Stable) else { return };
        let signatures =
            was.and_then(|was| was.signature.as_ref()).zip(is.and_then(|is| is.signature.as_ref()));
        entries.push(Entry {
            category,
            score: category.score(),
            name: test.name.clone(),
            file: test.file.clone(),
            was: was.map(|test| test.outcome),
            is: is.map(|test| test.outcome),
            same_failure: signatures.map(|(was, is)| was == is),
        });
    };
    for (key, is) in &after {
        let was = before.get(key).copied();
        put(category(was, is), was, Some(is));
    }
    for (key, was) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        put(place.of_absent(key.0), Some(was), None);
    }
    entries.sort_by(|a, b| {
        b.score.cmp(&a.score).then_with(|| {
            (&a.file, &a.name, a.was, a.is, a.same_failure).cmp(&(
                &b.file,
                &b.name,
                b.was,
                b.is,
                b.same_failure,
            ))
        })
    });
    let any = |category| counts.contains_key(&category);
    let status = match () {
        () if any(Category::Regression) || any(Category::NewFailure) => Status::Regressed,
        () if any(Category::Unresolved) => Status::KnownFailures,
        () => Status::Clean,
    };
    let floor = place.floor(&baseline.tests, &now.tests, rule);
    let limits =
        [limits("the baseline", baseline), limits("this run", now), place.limits()].concat();
    Triage {
        schema: SCHEMA.to_owned(),
        status,
        limits,
        baseline: Some(reported),
        counts,
        binding: rule.fails,
        floor,
        entries,
    }
}

/// Why two runs say nothing of one another.
fn incomparable(baseline: &TestList, now: &TestList) -> Vec<String> {
    let mut why = Vec::new();
    if let (Some(was), Some(is)) = (&baseline.repository, &now.repository)
        && was != is
    {
        why.push(format!("the baseline is of {was}, this run of {is}"));
    }
    if let (Some(was), Some(is)) = (&baseline.dispatcher, &now.dispatcher)
        && was != is
    {
        why.push(format!(
            "the baseline's tests were run by {was}, these by {is}: their names differ"
        ));
    }
    if baseline.tests.is_empty() {
        why.push("the baseline holds no test".to_owned());
    }
    if now.tests.is_empty() {
        why.push("this run holds no test".to_owned());
    }
    why
}

fn limits(whose: &str, list: &TestList) -> Vec<String> {
    list.missing.iter().map(|why| format!("{whose} is not whole: {why}")).collect()
}

/// Why a test of the baseline is not here.
struct Place<'a> {
    planned: HashSet<&'a str>,
    left_out: HashSet<&'a str>,
    /// Whether the run holds every test of its plan.
    whole: bool,
    /// Whether pack and integration mode are the baseline's.
    same_rules: bool,
}

impl<'a> Place<'a> {
    fn new(baseline: &'a TestList, now: &'a TestList) -> Self {
        let always_out: HashSet<&str> = baseline.left_out.iter().map(String::as_str).collect();
        Self {
            planned: now.files.iter().map(String::as_str).collect(),
            // What the baseline left out as well was none of its tests.
            left_out: now
                .left_out
                .iter()
                .map(String::as_str)
                .filter(|file| !always_out.contains(file))
                .collect(),
            whole: now.missing.is_empty(),
            same_rules: baseline.pack == now.pack
                && baseline.integration_mode == now.integration_mode,
        }
    }

    /// Whether its file was left out, or may have been.
    fn out(&self, file: Option<&str>) -> bool {
        match file {
            Some(file) if self.planned.contains(file) => false,
            Some(file) => {
                self.left_out.contains(file) || (!self.same_rules && !self.planned.is_empty())
            }
            // A report that names no file: the same rules took up the same tests.
            None => !self.same_rules || !self.left_out.is_empty(),
        }
    }

    fn of_absent(&self, file: Option<&str>) -> Category {
        if self.whole && !self.out(file) { Category::Removed } else { Category::NotSelected }
    }

    fn floor(&self, before: &[Test], now: &[Test], rule: FloorRule) -> Option<Floor> {
        if !self.whole {
            return None;
        }
        let comparable = |test: &&Test| test.ran() && !self.out(test.file.as_deref());
        let baseline = before.iter().filter(comparable).count() as u64;
        let ran = now.iter().filter(|test| test.ran()).count() as u64;
        Some(Floor::new(ran, baseline, rule))
    }

    fn limits(&self) -> Vec<String> {
        let other = (!self.same_rules)
            .then(|| "pack or integration mode are not the baseline's".to_owned());
        other.into_iter().collect()
    }
}

fn category(was: Option<&Test>, is: &Test) -> Category {
    let was = was.map(|was| (was.failed(), was.ran()));
    match (was, is.failed(), is.ran()) {
        (Some((true, _)), true, _) => Category::Unresolved,
        (Some((_, true)), true, _) => Category::Regression,
        // It was skipped, or not there.
        (_, true, _) => Category::NewFailure,
        (Some((true, _)), _, true) => Category::Fixed,
        (Some((_, true)), _, true) => Category::Stable,
        (_, _, true) => Category::Added,
        (Some((_, true)), _, false) => Category::NotSelected,
        // Skipped then and now.
        (Some(_), _, false) => Category::Stable,
        (None, _, false) => Category::NotSelected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::receipt::Classification;
    use crate::domain::verdict::reason::ReasonCode;
    use proptest::prelude::*;

    const RULE: FloorRule = FloorRule { percent: 100, fails: false };

    fn test(name: &str, outcome: CaseOutcome) -> Test {
        let file = name.split(' ').next().map(str::to_owned);
        let signature = matches!(outcome, CaseOutcome::Failed).then(|| "aa".to_owned());
        Test { name: name.to_owned(), file, outcome, duration_ms: None, signature }
    }

    fn list(tests: Vec<Test>) -> TestList {
        let mut files: Vec<String> = tests.iter().filter_map(|test| test.file.clone()).collect();
        files.dedup();
        TestList {
            schema: crate::domain::results::test_list::SCHEMA.to_owned(),
            generated_at_utc: jiff::Timestamp::UNIX_EPOCH,
            repository: None,
            gate_id: None,
            run_id: "local-1".parse().unwrap(),
            run_attempt: 1,
            head_sha: None,
            classification: Classification::Completed,
            reason: ReasonCode::TestsPassed.into(),
            pack: Some("full".to_owned()),
            integration_mode: Some("exclude".to_owned()),
            dispatcher: Some("pester".to_owned()),
            plan_sha256: None,
            files,
            left_out: Vec::new(),
            counts: Default::default(),
            missing: Vec::new(),
            tests,
        }
    }

    fn of<'a>(triage: &'a Triage, name: &str) -> Option<&'a Entry> {
        triage.entries.iter().find(|entry| entry.name == name)
    }

    #[test]
    fn every_pair_of_outcomes_has_its_category() {
        use CaseOutcome::{Errored, Failed, NotRun, Passed, Skipped};
        for (was, is, expected) in [
            (Some(Passed), Some(Failed), Category::Regression),
            (Some(Passed), Some(Errored), Category::Regression),
            (None, Some(Failed), Category::NewFailure),
            (Some(Skipped), Some(Failed), Category::NewFailure),
            (Some(NotRun), Some(Errored), Category::NewFailure),
            (Some(Failed), Some(Failed), Category::Unresolved),
            (Some(Errored), Some(Failed), Category::Unresolved),
            (Some(Failed), Some(Passed), Category::Fixed),
            (Some(Passed), None, Category::Removed),
            (Some(Failed), None, Category::Removed),
            (None, Some(Passed), Category::Added),
            (Some(Skipped), Some(Passed), Category::Added),
            (Some(Passed), Some(Passed), Category::Stable),
            (Some(Skipped), Some(Skipped), Category::Stable),
            (Some(Passed), Some(Skipped), Category::NotSelected),
            (Some(Failed), Some(Skipped), Category::NotSelected),
            (None, Some(Skipped), Category::NotSelected),
        ] {
            // Another test keeps both comparable and the file in the plan.
            let with = |outcome: Option<CaseOutcome>| {
                let mut tests = vec![test("f other", Passed)];
                tests.extend(outcome.map(|outcome| test("f it", outcome)));
                list(tests)
            };
            let triage = triage(&with(was), &with(is), RULE);
            let entry = of(&triage, "f it").map(|entry| entry.category);
            let stable = triage.counts.get(&Category::Stable) == Some(&2);
            assert_eq!(
                entry.or(stable.then_some(Category::Stable)),
                Some(expected),
                "{was:?} {is:?}"
            );
        }
    }

    #[test]
    fn a_focused_run_against_a_full_one_removes_nothing() {
        use CaseOutcome::{Failed, Passed};
        let full = list(vec![test("a x", Passed), test("b y", Passed), test("c z", Passed)]);
        let mut focused = list(vec![test("a x", Failed)]);
        focused.left_out = vec!["b".to_owned(), "c".to_owned()];
        let reported = triage(&full, &focused, RULE);
        assert_eq!(reported.counts.get(&Category::Removed), None);
        assert_eq!(reported.counts[&Category::NotSelected], 2);
        assert!(!reported.floor.unwrap().below);
        // A file that is neither selected nor left out is gone.
        let gone = list(vec![test("a x", Passed), test("c z", Passed)]);
        let reported = triage(&full, &gone, RULE);
        assert_eq!(of(&reported, "b y").unwrap().category, Category::Removed);
        let floor = reported.floor.unwrap();
        assert_eq!((floor.ran, floor.least, floor.below), (2, 3, true));
        let reported = triage(&full, &gone, FloorRule { percent: 60, fails: true });
        assert!(!reported.floor.unwrap().below);
        // A run that ended early says nothing of the rest.
        let mut cut = list(vec![test("a x", Passed)]);
        cut.missing = vec!["the run limit ended it".to_owned()];
        let reported = triage(&full, &cut, RULE);
        assert_eq!((reported.counts.get(&Category::Removed), &reported.floor), (None, &None));
        assert!(reported.limits[0].contains("not whole"), "{:?}", reported.limits);
        // Another pack takes up other files.
        let other = TestList { pack: Some("smoke".to_owned()), ..list(vec![test("a x", Passed)]) };
        assert_eq!(triage(&full, &other, RULE).counts.get(&Category::Removed), None);
    }

    #[test]
    fn tests_of_one_name_are_paired_by_what_they_came_to() {
        use CaseOutcome::{Failed, Passed};
        let of = |outcomes: &[CaseOutcome]| {
            list(outcomes.iter().map(|outcome| test("a x", *outcome)).collect())
        };
        for (before, after, expected) in [
            (
                &[Failed, Passed, Passed][..],
                &[Passed, Failed, Passed][..],
                &[(Category::Unresolved, 1), (Category::Stable, 2)][..],
            ),
            (&[Passed, Failed], &[Failed], &[(Category::Unresolved, 1), (Category::Removed, 1)]),
            (
                &[Passed, Passed],
                &[Passed, Failed],
                &[(Category::Regression, 1), (Category::Stable, 1)],
            ),
            (&[Failed], &[Passed, Failed], &[(Category::Unresolved, 1), (Category::Added, 1)]),
        ] {
            let reported = triage(&of(before), &of(after), RULE);
            assert_eq!(reported.counts, expected.iter().copied().collect(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_file_that_was_always_left_out_excuses_no_missing_test() {
        let without_file = |n: usize| {
            (0..n).map(|n| Test { file: None, ..test(&format!("t{n}"), CaseOutcome::Passed) })
        };
        let left_out = vec!["tests/slow.sh".to_owned()];
        let before = TestList { left_out: left_out.clone(), ..list(without_file(10).collect()) };
        let after = TestList { left_out, ..list(without_file(1).collect()) };
        let floor = triage(&before, &after, RULE).floor.unwrap();
        assert_eq!((floor.ran, floor.least, floor.below), (1, 10, true));
        // Another dispatcher's tests have other names and are as many.
        let other =
            TestList { dispatcher: Some("scripts".to_owned()), ..list(without_file(1).collect()) };
        assert!(triage(&before, &other, RULE).floor.unwrap().below);
        assert!(triage(&before, &list(Vec::new()), RULE).floor.unwrap().below);
        // Of another repository, or where files of another dispatcher were left out, it says
        // nothing.
        let of = |slug: &str, list: TestList| TestList {
            repository: Some(slug.parse().unwrap()),
            ..list
        };
        assert_eq!(triage(&of("a/b", before.clone()), &of("a/c", after.clone()), RULE).floor, None);
        let focused = TestList {
            dispatcher: Some("scripts".to_owned()),
            left_out: vec!["x".to_owned()],
            ..after
        };
        assert_eq!(triage(&before, &focused, RULE).floor, None);
    }

    #[test]
    fn runs_that_cannot_be_compared_say_so() {
        let one = list(vec![test("a x", CaseOutcome::Passed)]);
        let of = |repository: &str| TestList {
            repository: Some(repository.parse().unwrap()),
            ..one.clone()
        };
        let other = TestList { dispatcher: Some("scripts".to_owned()), ..one.clone() };
        for (a, b) in [
            (of("a/b"), of("a/c")),
            (one.clone(), other),
            (list(vec![]), one.clone()),
            (one.clone(), list(vec![])),
        ] {
            let reported = triage(&a, &b, RULE);
            assert!(
                reported.status == Status::Incomparable
                    && !reported.limits.is_empty()
                    && reported.entries.is_empty()
            );
        }
    }

    proptest! {
        /// Every test stands in one category, the ranking is by score, and the order of the reports
        /// does not matter.
        #[test]
        fn the_ranking_is_total_and_deterministic(
            before in proptest::collection::vec((0..4u8, 0..5u8, 0..5usize), 1..30),
            after in proptest::collection::vec((0..4u8, 0..5u8, 0..5usize), 1..30),
            turn in 0..30usize,
        ) {
            let outcomes = [
                CaseOutcome::Passed,
                CaseOutcome::Failed,
                CaseOutcome::Errored,
                CaseOutcome::Skipped,
                CaseOutcome::NotRun,
            ];
            let make = |all: &[(u8, u8, usize)]| {
                let mut names = std::collections::HashSet::new();
                let own = all.iter().filter(|(file, name, _)| names.insert((*file, *name)));
                let cases = own.map(|(file, name, outcome)| {
                    test(&format!("f{file} t{name}"), outcomes[*outcome])
                });
                list(cases.collect())
            };
            let (before, after) = (make(&before), make(&after));
            let reported = triage(&before, &after, RULE);
            let all = before.tests.iter().chain(&after.tests);
            let keys: std::collections::HashSet<_> = all.map(|t| &t.name).collect();
            prop_assert_eq!(reported.counts.values().sum::<u64>() as usize, keys.len());
            prop_assert!(reported.entries.is_sorted_by(|a, b| a.score >= b.score));
            let mut turned = after.clone();
            let by = turn % turned.tests.len();
            turned.tests.rotate_left(by);
            prop_assert_eq!(reported, triage(&before, &turned, RULE));
        }
    }
}
