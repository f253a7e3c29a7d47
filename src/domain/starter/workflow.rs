//! The caller workflow.

use super::quoted;

/// The form of the caller workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All layers in one step of one job.
    OneStep,
    /// Five jobs.
    FiveJobs,
    /// Five jobs behind the router for pull requests.
    TrustedPr,
}

impl Form {
    /// Where its workflow is written.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OneStep | Self::FiveJobs => ".github/workflows/pester-gate.yml",
            Self::TrustedPr => ".github/workflows/trusted-pr.yml",
        }
    }
}

/// Where the gate is taken from, and what it runs on.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    /// `owner/name` of the gate.
    pub(crate) repository: String,
    /// Its tag or commit.
    pub(crate) reference: String,
    /// Labels of the runner.
    pub(crate) runner: Vec<String>,
}

impl Callee {
    /// Whether this may be a machine of somebody's own: pull requests do not run there unasked. A
    /// label of one's own is enough to reach such a machine, so all that is not known to be
    /// GitHub's is taken for one.
    fn is_own_machine(&self) -> bool {
        let hosted = |label: &String| {
            let label = label.to_ascii_lowercase();
            ["ubuntu-", "windows-", "macos-"].iter().any(|family| label.starts_with(family))
        };
        !self.runner.iter().all(hosted)
    }

    /// The labels as a YAML flow sequence, each quoted: that is JSON too.
    fn labels(&self) -> String {
        let labels: Vec<String> = self.runner.iter().map(|label| quoted(label)).collect();
        format!("[{}]", labels.join(", "))
    }
}

/// The commit of `actions/checkout` that the workflows here use.
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/// This repository's own router, from which a caller's is made.
const ROUTER: &str = include_str!("../../../.github/workflows/trusted-pr.yml");

/// One gate of the workflow.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// Its id, which tells its artifacts apart.
    pub(crate) id: &'static str,
    /// Its configuration.
    pub(crate) config: String,
    /// Lines that install what its tests need.
    pub(crate) install: Vec<String>,
}

const PERMISSIONS: &str = "    permissions:
      contents: read # the code under test
      issues: read # the standing priority
      pull-requests: read # pull requests are reported apart from issues
";

/// The caller workflow, with one gate for each configuration.
pub(crate) fn workflow(form: Form, callee: &Callee, gates: &[Gate]) -> String {
    if form == Form::TrustedPr {
        return router(callee);
    }
    let mut out = String::from("name: pester-gate\non:\n  push:\n");
    if callee.is_own_machine() {
        out.push_str("  # No pull_request: it would let strangers' code onto the machine.\n");
        out.push_str("  # To run pull requests safely, use `pester-gate init --trusted-pr`.\n");
    } else {
        out.push_str("  pull_request:\n");
    }
    out.push_str("  workflow_dispatch:\npermissions: {}\nconcurrency:\n");
    out.push_str(
        "  group: pester-gate-caller-${{ github.event.pull_request.number || github.sha }}\n",
    );
    out.push_str("  cancel-in-progress: false\njobs:\n");
    match form {
        Form::FiveJobs => five_jobs(&mut out, callee, gates),
        _ => one_step(&mut out, callee, gates),
    }
    out
}

fn one_step(out: &mut String, callee: &Callee, gates: &[Gate]) {
    let Callee { repository, reference, .. } = callee;
    out.push_str("  gate:\n    name: gate\n");
    out.push_str(&format!("    runs-on: {}\n    timeout-minutes: 60\n", callee.labels()));
    out.push_str(&format!("{PERMISSIONS}    steps:\n"));
    out.push_str(&format!(
        "      - uses: {CHECKOUT}\n        with:\n          persist-credentials: false\n"
    ));
    let mut installed: Vec<&String> = Vec::new();
    for line in gates.iter().flat_map(|gate| &gate.install) {
        // Two frameworks of one package manager need its packages once. GitHub would evaluate an
        // expression that stands in a name.
        if !installed.contains(&line) && !line.contains("${{") {
            installed.push(line);
            out.push_str(&format!("      - run: {}\n", quoted(line)));
        }
    }
    for (at, gate) in gates.iter().enumerate() {
        out.push_str(&format!("      - uses: {repository}@{reference}\n"));
        if gates.len() > 1 {
            if at > 0 {
                // A gate that failed hides no other one.
                out.push_str("        if: ${{ !cancelled() }}\n");
            }
            let (config, id) = (quoted(&gate.config), quoted(gate.id));
            out.push_str(&format!(
                "        with:\n          config: {config}\n          gate-id: {id}\n"
            ));
        }
    }
}

fn five_jobs(out: &mut String, callee: &Callee, gates: &[Gate]) {
    let Callee { repository, reference, .. } = callee;
    for gate in gates {
        let job = if gates.len() > 1 { format!("gate-{}", gate.id) } else { "gate".to_owned() };
        out.push_str(&format!("  {job}:\n    name: {job}\n"));
        out.push_str(&format!("    uses: {repository}/.github/workflows/gate.yml@{reference}\n"));
        out.push_str(&format!("{PERMISSIONS}    with:\n"));
        out.push_str(&format!("      runner: '{}'\n", callee.labels().replace('\'', "''")));
        if gates.len() > 1 {
            let (config, id) = (quoted(&gate.config), quoted(gate.id));
            out.push_str(&format!("      config: {config}\n      gate-id: {id}\n"));
        }
    }
}

/// The router as a repository has it that is not the gate's own.
fn router(callee: &Callee) -> String {
    let Callee { repository, reference, .. } = callee;
    let own =
        "      gate-repository: ${{ github.repository }}\n      gate-ref: ${{ github.sha }}\n";
    let runner = format!("      runner: '{}'\n", callee.labels().replace('\'', "''"));
    ROUTER
        .replace("\r\n", "\n")
        .replace(
            "uses: ./actions/route\n",
            &format!("uses: {repository}/actions/route@{reference}\n"),
        )
        .replace(
            "uses: ./.github/workflows/gate.yml\n",
            &format!("uses: {repository}/.github/workflows/gate.yml@{reference}\n"),
        )
        .replace(own, &runner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callee(labels: &[&str]) -> Callee {
        Callee {
            repository: "acme/pester-gate".to_owned(),
            reference: "v3".to_owned(),
            runner: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    fn gate(id: &'static str, config: &str, install: &[&str]) -> Gate {
        let install = install.iter().map(|line| (*line).to_owned()).collect();
        Gate { id, config: config.to_owned(), install }
    }

    fn one() -> Vec<Gate> {
        vec![gate("pytest", "pester-gate.yml", &[])]
    }

    #[test]
    fn every_configuration_has_its_gate_and_what_it_needs_is_installed_once() {
        let gates = [
            gate("jest", "pester-gate.yml", &["npm ci"]),
            gate("vitest", "pester-gate.vitest.yml", &["npm ci"]),
            gate(
                "pytest",
                "pester-gate.pytest.yml",
                &["pip install -r 'it''s.txt'", "pip install -r '${{ x }}'"],
            ),
        ];
        let text = workflow(Form::OneStep, &callee(&["ubuntu-latest"]), &gates);
        let read: serde_yaml::Value =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let steps = read["jobs"]["gate"]["steps"].as_sequence().unwrap();
        let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        assert_eq!(runs, ["npm ci", "pip install -r 'it''s.txt'"]);
        let uses: Vec<_> = steps[3..]
            .iter()
            .map(|step| {
                (
                    step["with"]["config"].as_str(),
                    step["with"]["gate-id"].as_str(),
                    step["if"].as_str(),
                )
            })
            .collect();
        let always = Some("${{ !cancelled() }}");
        assert_eq!(
            uses,
            [
                (Some("pester-gate.yml"), Some("jest"), None),
                (Some("pester-gate.vitest.yml"), Some("vitest"), always),
                (Some("pester-gate.pytest.yml"), Some("pytest"), always),
            ]
        );
        let text = workflow(Form::FiveJobs, &callee(&["ubuntu-latest"]), &gates);
        let read: serde_yaml::Value =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        for gate in &gates {
            let with = &read["jobs"][format!("gate-{}", gate.id)]["with"];
            assert_eq!(
                (with["config"].as_str(), with["gate-id"].as_str()),
                (Some(&*gate.config), Some(gate.id))
            );
        }
    }

    #[test]
    fn a_workflow_takes_pull_requests_only_where_strangers_do_no_harm() {
        for labels in [
            &["lab-host-7"][..],
            &["Self-Hosted"],
            &["ubuntu-latest", "gpu"],
            &["SELF-HOSTED", "windows-2022"],
        ] {
            assert!(
                !workflow(Form::OneStep, &callee(labels), &one()).contains("  pull_request:"),
                "{labels:?}"
            );
        }
        assert!(
            workflow(Form::OneStep, &callee(&["Windows-2022"]), &one())
                .contains("\n  pull_request:\n")
        );
        let own = callee(&["self-hosted", "Windows"]);
        let hosted = callee(&["ubuntu-latest"]);
        for form in [Form::OneStep, Form::FiveJobs] {
            assert!(!workflow(form, &own, &one()).contains("  pull_request:"));
            assert!(workflow(form, &hosted, &one()).contains("\n  pull_request:\n"));
        }
        let router = workflow(Form::TrustedPr, &own, &one());
        for part in [
            "uses: acme/pester-gate/actions/route@v3\n",
            "uses: acme/pester-gate/.github/workflows/gate.yml@v3\n",
            "runner: '[\"self-hosted\", \"Windows\"]'\n",
        ] {
            assert!(router.contains(part), "{part} is not in\n{router}");
        }
        assert!(!router.contains("./") && !router.contains("gate-repository"), "{router}");
    }

    #[test]
    fn labels_are_texts_whatever_they_hold() {
        let odd = callee(&["it's", "a\"b", "x: y", "[z]"]);
        for (form, key) in
            [(Form::OneStep, "runs-on"), (Form::FiveJobs, "with"), (Form::TrustedPr, "with")]
        {
            let text = workflow(form, &odd, &one());
            let read: serde_yaml::Value =
                serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let held = &read["jobs"]["gate"][key];
            let labels = match held.get("runner").and_then(serde_yaml::Value::as_str) {
                Some(json) => serde_json::from_str::<Vec<String>>(json).unwrap(),
                None => serde_yaml::from_value(held.clone()).unwrap(),
            };
            assert_eq!(labels, odd.runner, "{text}");
        }
    }
}
