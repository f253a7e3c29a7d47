//! The workflows and actions as text: what act cannot see (permissions, timeouts, concurrency,
//! filters) and what must not be lost. Each rule is broken on purpose once, and must notice.

use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every workflow and action: its path below the root, and its text.
fn files() -> Vec<(String, String)> {
    let mut found: Vec<PathBuf> = vec![root().join("action.yml")];
    for folder in [".github/workflows", "actions"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            found.push(if path.is_dir() { path.join("action.yml") } else { path });
        }
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "yml") && path.exists());
    found.sort();
    let name =
        |path: &PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    found
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).unwrap().replace("\r\n", "\n")))
        .collect()
}

fn each<'a>(value: &'a Value, key: &str) -> Vec<(String, &'a Value)> {
    let entries = value.get(key).and_then(Value::as_mapping);
    entries
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), value))
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn steps(holder: &Value) -> Vec<&Value> {
    holder.get("steps").and_then(Value::as_sequence).into_iter().flatten().collect()
}

/// What is wrong with the steps of a job or an action.
fn check_steps(place: &str, holder: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in steps(holder) {
        let label = format!("{place}: {}", text(step, "name"));
        if text(step, "run").contains("${{") {
            wrong.push(format!("{label}: an expression inside a script"));
        }
        let uses = text(step, "uses");
        if !uses.is_empty() && !uses.starts_with("./") && !pinned(uses) {
            wrong.push(format!("{label}: {uses} is not pinned by a commit"));
        }
        let with = step.get("with");
        // GitHub only warns of an input that an action does not have.
        if let Some(inputs) = inputs_of(uses) {
            for (name, _) in each(step, "with") {
                if !inputs.contains(&name) {
                    wrong.push(format!("{label}: {uses} has no input {name}"));
                }
            }
        }
        let unsafe_checkout = with.and_then(|with| with.get("allow-unsafe-pr-checkout"));
        let proven = Value::String("${{ inputs.trust-mode == 'same-owner-fork' }}".to_owned());
        if unsafe_checkout.is_some_and(|value| *value != proven) {
            wrong.push(format!(
                "{label}: allow-unsafe-pr-checkout is not bound to the proven trust mode"
            ));
        }
        if uses.starts_with("actions/checkout@") {
            let off =
                with.and_then(|with| with.get("persist-credentials")) == Some(&Value::Bool(false));
            if !off {
                wrong.push(format!("{label}: the token is left in the checkout"));
            }
        }
        let of_a_layer =
            place.ends_with("action.yml") && uses.starts_with("actions/upload-artifact@");
        let whole =
            with.and_then(|with| with.get("include-hidden-files")) == Some(&Value::Bool(true));
        // The whole folder of a step, or the raw results in it.
        let raw = with.is_some_and(|with| !text(with, "path").ends_with("/*.json"));
        if of_a_layer && raw && !whole {
            wrong.push(format!("{label}: dotfiles that a receipt lists would be missing"));
        }
        if of_a_layer && !text(step, "if").contains("always()") {
            wrong.push(format!("{label}: what a failed layer left would not be kept"));
        }
    }
    wrong
}

/// The inputs of an action of this repository, wherever it is checked out.
fn inputs_of(uses: &str) -> Option<Vec<String>> {
    let folder = uses.strip_prefix("./")?.trim_start_matches(".pester-gate/");
    let action = fs::read_to_string(root().join(folder).join("action.yml")).unwrap_or_default();
    let document: Value = serde_yaml::from_str(&action).unwrap();
    Some(each(&document, "inputs").into_iter().map(|(name, _)| name).collect())
}

/// What is wrong with one file.
fn problems(name: &str, file: &str) -> Vec<String> {
    let document: Value =
        serde_yaml::from_str(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut wrong = Vec::new();
    if name.ends_with("action.yml") {
        let runs = document.get("runs").unwrap_or(&Value::Null);
        wrong.extend(check_steps(name, runs));
        if name.ends_with("execute/action.yml") {
            let releases = |step: &&Value| {
                text(step, "run").contains("lock release")
                    && text(step, "if").starts_with("always() && ")
            };
            if !steps(runs).iter().any(releases) {
                wrong.push("an execute that was ended from outside would keep the host".to_owned());
            }
        }
        for (input, about) in
            each(&document, "inputs").into_iter().chain(each(&document, "outputs"))
        {
            if text(about, "description").is_empty() {
                wrong.push(format!("{input} has no description"));
            }
        }
        return wrong;
    }
    for (id, job) in each(&document, "jobs") {
        wrong.extend(check_steps(&id, job));
        let calls = !text(job, "uses").is_empty();
        if !calls && job.get("timeout-minutes").is_none() {
            wrong.push(format!("{id} has no timeout"));
        }
        if job.get("permissions").is_none() {
            wrong.push(format!("{id} does not say its permissions"));
        }
        for (scope, right) in each(job, "permissions") {
            let publishes = name.ends_with("/release.yml")
                && [
                    ("publish", "contents"),
                    ("publish", "id-token"),
                    ("publish", "attestations"),
                    ("major", "contents"),
                ]
                .contains(&(id.as_str(), scope.as_str()));
            if right.as_str() != Some("read") && !publishes {
                wrong.push(format!("{id} may {scope}: {right:?}"));
            }
        }
    }
    if document.get("permissions").and_then(Value::as_mapping).is_none_or(|all| !all.is_empty()) {
        wrong.push("the workflow itself has permissions".to_owned());
    }
    let group =
        document.get("concurrency").map(|c| text(c, "group").to_owned()).unwrap_or_default();
    let one_at_a_time = name.ends_with("/release.yml") && group == "release";
    if !one_at_a_time && (!group.contains("pull_request.number") || !group.contains("sha")) {
        wrong.push(format!("concurrency is not keyed by pull request or commit: {group:?}"));
    }
    if document.get("concurrency").and_then(|c| c.get("cancel-in-progress"))
        != Some(&Value::Bool(false))
    {
        wrong.push("a job that holds the host could be cancelled".to_owned());
    }
    wrong.extend(match name.rsplit('/').next().unwrap_or_default() {
        "gate.yml" => gate(&document),
        "trusted-pr.yml" => router(&document),
        "ci.yml" => Vec::new(),
        "release.yml" => release(&document),
        other => vec![format!("nobody says what must hold of {other}")],
    });
    wrong
}

fn pinned(uses: &str) -> bool {
    uses.split_once('@').is_some_and(|(_, commit)| {
        commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn needs(job: &Value) -> Vec<&str> {
    match job.get("needs") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Sequence(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn gate(document: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let jobs = each(document, "jobs");
    let owed: [(&str, &[&str]); 5] = [
        ("context", &[]),
        ("preflight", &["context"]),
        ("selection", &["context"]),
        ("execute", &["context", "preflight", "selection"]),
        ("post", &["context", "preflight", "selection", "execute"]),
    ];
    for (id, before) in owed {
        let Some((_, job)) = jobs.iter().find(|(name, _)| name == id) else {
            wrong.push(format!("there is no job {id}"));
            continue;
        };
        if needs(job) != before {
            wrong.push(format!("{id} needs {:?}", needs(job)));
        }
        let given: Vec<String> = steps(job)
            .iter()
            .flat_map(|step| each(step, "with"))
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let given = given.join("\n");
        for layer in before {
            let digest = format!("{layer}-sha256=");
            // Readiness is measured again in the execute job, and its digest is that step's own.
            if !given.contains(&digest) {
                wrong.push(format!("{id} is not given the digest of {layer}"));
            }
        }
        let layers: Vec<&Value> = steps(job)
            .into_iter()
            .filter(|step| text(step, "uses").starts_with("./.pester-gate/actions/"))
            .collect();
        let heads = |step: &Value| {
            step.get("with").is_some_and(|w| text(w, "head-sha") == "${{ inputs.head-sha }}")
        };
        if !layers.iter().all(|step| heads(step)) {
            wrong.push(format!("a layer of {id} does not know the commit under test"));
        }
        let names: Vec<&str> = steps(job).iter().map(|step| text(step, "name")).collect();
        let room = names.iter().filter(|name| name.starts_with("Make room for the gate")).count();
        let at = |wanted: &str| names.iter().position(|name| name.starts_with(wanted));
        // A server that does not name the workflow's repository would give the caller's.
        let guards = ["runner.os == 'Windows'", "runner.os != 'Windows'"]
            .map(|os| format!("{os} && inputs.gate-repository == '' && !job.workflow_repository"));
        let is_guarded = |guard: &String| {
            let at_guard = steps(job).iter().position(|step| text(step, "if") == guard);
            at_guard.is_some_and(|place| Some(place) < at("Check out the gate"))
        };
        if !guards.iter().all(is_guarded) {
            wrong.push(format!("{id} could run the caller's repository as the gate"));
        }
        if room != 2 || at("Make room for the gate") > at("Check out the gate") {
            wrong.push(format!("{id} would check the gate out through a link"));
        }
        let always = text(job, "if") == "always()";
        if always != (id == "post") {
            wrong.push(format!("{id} runs {}", if always { "always" } else { "not always" }));
        }
        let hosted = text(job, "runs-on").contains("hosted-runner");
        if hosted == matches!(id, "preflight" | "execute") {
            wrong.push(format!("{id} runs on {}", text(job, "runs-on")));
        }
        let uses: Vec<&str> = steps(job).iter().map(|step| text(step, "uses")).collect();
        let own = format!("./.pester-gate/actions/{id}");
        if !uses.contains(&own.as_str()) {
            wrong.push(format!("{id} does not use its action"));
        }
        if id == "execute" {
            if !uses.contains(&"./.pester-gate/actions/preflight") {
                wrong.push("execute does not measure its own host".to_owned());
            }
            if !given.contains(
                "preflight-receipt=String(\"${{ steps.readiness.outputs.receipt-path }}\")",
            ) {
                wrong.push("execute does not consume the readiness that it measured".to_owned());
            }
            if text(job, "continue-on-error") != "${{ inputs.continue-on-failure == 'true' }}" {
                wrong.push("a gate that is let through would leave the workflow red".to_owned());
            }
            let strategy = job.get("strategy").unwrap_or(&Value::Null);
            if strategy.get("fail-fast") != Some(&Value::Bool(false)) {
                wrong.push("one red leg would end the others".to_owned());
            }
        }
        if id == "post" && !given.contains("toJSON(needs)") {
            wrong.push("post is not told how the jobs ended".to_owned());
        }
    }
    wrong
}

fn router(document: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let jobs = each(document, "jobs");
    let job = |id: &str| {
        jobs.iter().find(|(name, _)| name == id).map(|(_, job)| *job).unwrap_or(&Value::Null)
    };
    for (id, job) in &jobs {
        let hosted = text(job, "runs-on") == "ubuntu-latest";
        let routed = needs(job).contains(&"route")
            && text(job, "if") == "needs.route.outputs.should-run == 'true'";
        if !hosted && !routed {
            wrong.push(format!("{id} could reach the host without route"));
        }
    }
    if text(job("verdict"), "if") != "always()" || needs(job("verdict")) != ["route", "gate"] {
        wrong.push("verdict could be skipped, which counts as success".to_owned());
    }
    let given = each(job("gate"), "with");
    let given = |name: &str| {
        given
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.as_str())
            .unwrap_or_default()
    };
    for (name, output) in [
        ("repository", "repository"),
        ("head-sha", "head-sha"),
        ("trust-mode", "trust-mode"),
        ("route-sha256", "receipt-sha256"),
    ] {
        if given(name) != format!("${{{{ needs.route.outputs.{output} }}}}") {
            wrong.push(format!("the gate's {name} is not route's"));
        }
    }
    for step in steps(job("route")) {
        if text(step, "uses").starts_with("actions/checkout@")
            && step.get("with").and_then(|with| with.get("ref")).is_some()
        {
            wrong.push("route checks something else out than the base".to_owned());
        }
    }
    wrong
}

/// A release is what ci proved, built on every kind of machine, and tried before the major tag
/// points at it.
fn release(document: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let jobs = each(document, "jobs");
    let job = |id: &str| {
        jobs.iter().find(|(name, _)| name == id).map(|(_, job)| *job).unwrap_or(&Value::Null)
    };
    for (id, before) in
        [("build", "check"), ("publish", "build"), ("try", "publish"), ("major", "try")]
    {
        if !needs(job(id)).contains(&before) {
            wrong.push(format!("{id} does not wait for {before}"));
        }
    }
    let matrix = |id: &str| {
        job(id).get("strategy").and_then(|s| s.get("matrix")).cloned().unwrap_or_default()
    };
    let built: Vec<(String, String)> = matrix("build")
        .get("include")
        .and_then(Value::as_sequence)
        .into_iter()
        .flatten()
        .map(|row| (text(row, "target").to_owned(), text(row, "runner").to_owned()))
        .collect();
    if let Some(owed) = crate::release::targets()
        && built != owed
    {
        wrong.push(format!("scripts/release knows {owed:?}, the workflow builds {built:?}"));
    }
    let tried =
        matrix("try").get("runner").and_then(Value::as_sequence).cloned().unwrap_or_default();
    let kinds: Vec<&str> = built.iter().map(|(_, runner)| runner.as_str()).collect();
    if tried.iter().map(|runner| runner.as_str().unwrap_or_default()).collect::<Vec<_>>() != kinds {
        wrong.push(format!("what is built on {kinds:?} is tried on {tried:?}"));
    }
    let order = [
        "release manifest",
        "release tag",
        "attest-build-provenance",
        " push origin",
        "gh release create",
    ];
    let did: Vec<String> = steps(job("publish"))
        .iter()
        .map(|s| format!("{}{}", text(s, "run"), text(s, "uses")))
        .collect();
    let did = did.join("\n");
    let places: Vec<Option<usize>> = order.iter().map(|what| did.find(what)).collect();
    if places.contains(&None) || !places.is_sorted() {
        wrong.push(format!("publish does not do {order:?} in this order"));
    }
    let build: Vec<&str> = steps(job("build")).iter().map(|step| text(step, "run")).collect();
    if !build.concat().contains("target-feature=+crt-static") {
        wrong.push("Windows would need a runtime library".to_owned());
    }
    let tagged = |step: &&Value| {
        let head = step.get("with").map(|with| text(with, "head-sha")).unwrap_or_default();
        text(step, "uses") == "./actions/context" && head == "${{ needs.publish.outputs.commit }}"
    };
    if !steps(job("try")).iter().any(tagged) {
        wrong.push("the tag is not tried with the binary that its bootstrap finds".to_owned());
    }
    wrong
}

#[test]
fn every_workflow_and_action_keeps_the_rules() {
    let files = files();
    assert!(files.len() >= 9, "{files:?}");
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|(name, file)| {
            problems(name, file).into_iter().map(move |why| format!("{name}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A break of a file, each of which some rule must notice.
const MUTANTS: &[(&str, &str, &str)] = &[
    (
        "gate.yml",
        "    needs: [context, preflight, selection]\n",
        "    needs: [context, selection]\n",
    ),
    (
        "gate.yml",
        "    needs: [context, preflight, selection, execute]\n    if: always()\n",
        "    needs: [context, preflight, selection, execute]\n",
    ),
    ("gate.yml", "          selection-sha256: ${{ needs.selection.outputs.receipt-sha256 }}\n", ""),
    ("gate.yml", "          preflight-receipt: ${{ steps.readiness.outputs.receipt-path }}\n", ""),
    (
        "gate.yml",
        concat!(
            "        uses: ./.pester-gate/actions/preflight\n",
            "        with:\n",
            "          binary: ${{ inputs.binary }}\n",
            "          config: ${{ inputs.config }}\n",
            "          gate-id: ${{ inputs.gate-id }}\n",
            "          pack: ${{ inputs.pack }}\n",
            "          integration-mode: ${{ inputs.integration-mode }}\n",
            "          upload: 'false'",
        ),
        "        uses: ./.pester-gate/actions/context\n        with:\n          upload: 'false'",
    ),
    ("gate.yml", "          needs: ${{ toJSON(needs) }}\n", ""),
    ("gate.yml", "          shard: ${{ matrix.shard }}\n", "          leg: ${{ matrix.shard }}\n"),
    ("ci.yml", "        uses: ./actions/route\n", "        uses: ./actions/rout\n"),
    (
        "gate.yml",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "actions/checkout@v7",
    ),
    (
        "gate.yml",
        "allow-unsafe-pr-checkout: ${{ inputs.trust-mode == 'same-owner-fork' }}",
        "allow-unsafe-pr-checkout: 'true'",
    ),
    ("gate.yml", "    timeout-minutes: 15\n", ""),
    ("gate.yml", "      contents: read # the code under test\n", "      contents: write\n"),
    ("gate.yml", "  cancel-in-progress: false", "  cancel-in-progress: true"),
    (
        "gate.yml",
        "${{ github.event.pull_request.number || inputs.head-sha || github.sha }}",
        "${{ github.ref }}",
    ),
    ("gate.yml", "      fail-fast: false\n", "      fail-fast: true\n"),
    ("gate.yml", "          persist-credentials: false\n", ""),
    (
        "gate.yml",
        "          persist-credentials: false\n",
        "          persist-credentials: 'true'\n",
    ),
    (
        "gate.yml",
        "allow-unsafe-pr-checkout: ${{ inputs.trust-mode == 'same-owner-fork' }}",
        "allow-unsafe-pr-checkout: true",
    ),
    (
        "gate.yml",
        "          head-sha: ${{ inputs.head-sha }}\n          context-artifact",
        "          context-artifact",
    ),
    ("gate.yml", "    continue-on-error: ${{ inputs.continue-on-failure == 'true' }}\n", ""),
    ("gate.yml", "        name: Make room for the gate\n", "        name: Nothing\n"),
    ("trusted-pr.yml", "      route-sha256: ${{ needs.route.outputs.receipt-sha256 }}\n", ""),
    ("release.yml", "          head-sha: ${{ needs.publish.outputs.commit }}\n", ""),
    ("actions/execute/action.yml", "        include-hidden-files: true\n", ""),
    ("gate.yml", "permissions: {}\n", "permissions: write-all\n"),
    (
        "trusted-pr.yml",
        "    needs: route\n    if: needs.route.outputs.should-run == 'true'\n",
        "    needs: route\n",
    ),
    ("trusted-pr.yml", "    needs: route\n    if:", "    if:"),
    (
        "trusted-pr.yml",
        "    needs: [route, gate]\n    if: always()\n",
        "    needs: [route, gate]\n",
    ),
    (
        "trusted-pr.yml",
        "head-sha: ${{ needs.route.outputs.head-sha }}",
        "head-sha: ${{ github.event.pull_request.head.sha }}",
    ),
    (
        "trusted-pr.yml",
        "        run: |\n",
        "        run: |\n          echo ${{ github.event.pull_request.title }}\n",
    ),
    ("release.yml", "    needs: [publish, try]\n", "    needs: publish\n"),
    ("release.yml", "    needs: check\n", ""),
    ("release.yml", "            export RUSTFLAGS='-C target-feature=+crt-static'\n", ""),
    ("release.yml", "          ./scripts/release manifest", "          true"),
    (
        "release.yml",
        "      contents: read # the repository at the tag\n",
        "      contents: write\n",
    ),
    ("release.yml", "        runner: [windows-latest, ", "        runner: ["),
    ("actions/execute/action.yml", "always() && inputs.upload", "inputs.upload"),
    (
        "actions/execute/action.yml",
        "always() && (steps.find-windows.outputs.out || steps.find.outputs.out) != ''\n      continue",
        "(steps.find-windows.outputs.out || steps.find.outputs.out) != ''\n      continue",
    ),
    ("actions/execute/action.yml", "run: lock release", "run: lock inspect"),
    ("gate.yml", "!job.workflow_repository", "job.workflow_repository"),
    ("gate.yml", "      - *guard\n", ""),
    (
        "actions/context/action.yml",
        "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1",
        "actions/upload-artifact@main",
    ),
];

#[test]
fn every_break_of_a_workflow_is_noticed() {
    let files = files();
    let mut unnoticed = Vec::new();
    for (file, from, to) in MUTANTS {
        let (name, text) = files.iter().find(|(name, _)| name.ends_with(file)).unwrap();
        assert!(text.contains(from), "{file} holds no {from:?}");
        if problems(name, &text.replacen(from, to, 1)).is_empty() {
            unnoticed.push(format!("{file}: {from:?} -> {to:?}"));
        }
    }
    assert!(MUTANTS.len() >= 15);
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[test]
fn the_actions_find_their_binary_in_one_way() {
    let finds: Vec<(String, Vec<String>)> = files()
        .into_iter()
        .filter(|(name, _)| name.ends_with("action.yml"))
        .map(|(name, file)| {
            let document: Value = serde_yaml::from_str(&file).unwrap();
            let of = |step: &&Value| text(step, "name").starts_with("Find the binary");
            let runs = document.get("runs").unwrap();
            let found = steps(runs)
                .iter()
                .filter(|step| of(step))
                .map(|step| text(step, "run").to_owned())
                .collect();
            (name, found)
        })
        .collect();
    let deep: Vec<&(String, Vec<String>)> =
        finds.iter().filter(|(name, _)| name != "action.yml").collect();
    assert_eq!(deep.len(), 6);
    for (name, found) in &deep {
        assert_eq!((found.len(), found), (2, &deep[0].1), "{name}");
    }
    let top = &finds.iter().find(|(name, _)| name == "action.yml").unwrap().1;
    let as_deep: Vec<String> =
        top.iter().map(|run| run.replace("PATH/actions/bootstrap", "PATH/../bootstrap")).collect();
    assert_eq!(as_deep, deep[0].1);
}

/// The one check to require, as a shell runs it: act does not run a job behind a failed call.
#[test]
#[cfg(unix)]
fn verdict_is_green_for_a_completed_gate_and_an_accepted_refusal_only() {
    let (_, file) = files().into_iter().find(|(name, _)| name.ends_with("trusted-pr.yml")).unwrap();
    let document: Value = serde_yaml::from_str(&file).unwrap();
    let job = document.get("jobs").and_then(|jobs| jobs.get("verdict")).unwrap();
    let script = text(steps(job)[0], "run").to_owned();
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut green = Vec::new();
    let mut tried = 0;
    for should_run in words(&["true", "false", "", "TRUE", "${{ x }}"]) {
        for result in words(&["success", "failure", "cancelled", "skipped", ""]) {
            for status in words(&["pass", "notice", "fail", "", "pass ] || [ 1"]) {
                for refused in words(&["fail", "notice", "", "notice\n"]) {
                    let ran = std::process::Command::new("sh")
                        .args(["-e", "-c", &script])
                        .envs([
                            ("SHOULD_RUN", &should_run),
                            ("GATE_RESULT", &result),
                            ("GATE_STATUS", &status),
                        ])
                        .envs([
                            ("WHEN_REFUSED", refused.as_str()),
                            ("REASON", "r"),
                            ("CLASSIFICATION", "c"),
                        ])
                        .output()
                        .unwrap();
                    tried += 1;
                    if ran.status.success() {
                        green.push([
                            should_run.clone(),
                            result.clone(),
                            status.clone(),
                            refused.clone(),
                        ]);
                    }
                }
            }
        }
    }
    assert_eq!(tried, 500);
    for [should_run, result, status, refused] in &green {
        let completed =
            should_run == "true" && result == "success" && (status == "pass" || status == "notice");
        assert!(
            completed || (should_run == "false" && refused == "notice"),
            "{should_run} {result} {status} {refused}"
        );
    }
    // Two states of a completed gate with four words for a refusal, and a refusal with 25 states of
    // no gate.
    assert_eq!(green.len(), 2 * 4 + 25);
}

#[test]
fn the_bootstrap_keeps_to_what_every_host_has() {
    let script = fs::read_to_string(root().join("actions/bootstrap/bootstrap.ps1")).unwrap();
    assert!(
        script.is_ascii(),
        "Windows PowerShell reads a file without mark in the ANSI code page"
    );
    for newer in [" ?? ", " ? ", "&&", "||", "-Parallel", "ForEach-Object -P"] {
        let code: Vec<&str> =
            script.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        assert!(
            !code.iter().any(|line| line.contains(newer)),
            "{newer:?} is not there in Windows PowerShell 5.1"
        );
    }
    for parameter in ["$Version", "$ManifestPath", "$BaseUrl", "$CacheRoot"] {
        assert!(script.contains(&format!("[string] {parameter}")), "{parameter}");
    }
}
