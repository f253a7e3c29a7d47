#!/usr/bin/env python3
"""The workflows, run by act with nothing but loopback: whole job maps, artifacts, outputs and verdicts.

usage: suite.py ACT BINARY [--real FOLDER] [--list] [SCENARIO ..]

--real takes checkout, upload-artifact and download-artifact from a folder that holds the real ones, instead
of the stand-ins beside this file. Each scenario asserts which jobs ran and how each ended, which artifacts there
are afterwards, and what post's operator outcome says. docs/workflow-scenarios.md is made from the table here.
"""
import base64
import calendar
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile
from xml.sax import saxutils

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PINS = {
    "checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1",
    "upload-artifact": "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a",
    "download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",
}
RUN_ID = "4711"
OWNER, NAME = "acme", "widgets"


class Service(http.server.ThreadingHTTPServer):
    """The artifact service of one run: what GitHub answers to the artifact client, and to the stand-ins."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.artifacts, self.uploads, self.tamper, self.lost, self.released = {}, {}, {}, set(), {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def files(self, name):
        """An artifact's files, however it was packed."""
        data = self.artifacts[name]
        if data[:1] == b"{":
            return {path: base64.b64decode(body) for path, body in json.loads(data).items()}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {path: archive.read(path) for path in archive.namelist() if not path.endswith("/")}

    def finish(self, name, data):
        """Keeps an artifact, after whoever stands in its way had theirs."""
        if name in self.lost:
            return
        self.artifacts[name] = data
        if name in self.tamper:
            self.replace(name, self.tamper[name](self.files(name)))

    def replace(self, name, files):
        """Puts other files into an artifact, packed as it was."""
        if self.artifacts[name][:1] == b"{":
            packed = {path: base64.b64encode(body).decode() for path, body in files.items()}
            self.artifacts[name] = json.dumps(packed).encode()
            return
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path, body in files.items():
                archive.writestr(path, body)
        self.artifacts[name] = out.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, data=b"", kind="application/json"):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        name = urllib.parse.unquote(parts.path.rsplit("/", 1)[-1])
        data = self.body()
        server = self.server
        if parts.path.startswith("/stand-in/"):
            if name in server.artifacts:
                return self.answer(409, {"msg": f"an artifact {name} exists already in this run"})
            server.finish(name, data)
            return self.answer(200, {})
        # The storage behind a signed URL: one put, or blocks and their list.
        blocks = server.uploads.setdefault(name, {})
        if query.get("comp") == ["block"]:
            blocks[query["blockid"][0]] = data
        elif query.get("comp") == ["blocklist"]:
            blocks[None] = b"".join(blocks[i] for i in re.findall(r"<Latest>([^<]*)</Latest>", data.decode()))
        else:
            blocks[None] = data
        self.answer(201, b"")

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        name = urllib.parse.unquote(path.rsplit("/", 1)[-1])
        if path.startswith("/release/"):
            return self.answer(200, self.server.released[name]) if name in self.server.released else self.answer(404, {})
        if path == "/stand-in/":
            return self.answer(200, sorted(self.server.artifacts))
        if name not in self.server.artifacts:
            return self.answer(404, {})
        self.answer(200, self.server.artifacts[name], "application/zip")

    def do_HEAD(self):
        self.answer(200)

    def do_POST(self):
        call, asked, server = self.path.rsplit("/", 1)[-1], json.loads(self.body() or b"{}"), self.server
        if call == "CreateArtifact":
            if asked["name"] in server.artifacts:
                return self.answer(409, {"code": "already_exists", "msg": "an artifact with this name already exists"})
            return self.answer(200, {"ok": True, "signed_upload_url": f"{server.url}blob/{urllib.parse.quote(asked['name'])}"})
        if call == "FinalizeArtifact":
            server.finish(asked["name"], server.uploads[asked["name"]][None])
            return self.answer(200, {"ok": True, "artifact_id": str(1 + len(server.artifacts))})
        if call == "ListArtifacts":
            def wrapped(*names):
                value = next((asked[name] for name in names if asked.get(name)), None)
                return value.get("value") if isinstance(value, dict) else value
            name_wanted, id_wanted = wrapped("name_filter", "nameFilter"), wrapped("id_filter", "idFilter")
            rows = [
                {"workflow_run_backend_id": RUN_ID, "workflow_job_run_backend_id": "1", "database_id": str(n + 1), "name": name,
                 "size": str(len(data)), "created_at": "2026-01-01T00:00:00Z", "digest": "sha256:" + hashlib.sha256(data).hexdigest()}
                for n, (name, data) in enumerate(sorted(server.artifacts.items()))
                if name_wanted in (None, name) and id_wanted in (None, str(n + 1))]
            return self.answer(200, {"artifacts": rows})
        if call == "GetSignedArtifactURL":
            return self.answer(200, {"name": asked["name"], "signed_url": f"{server.url}blob/{urllib.parse.quote(asked['name'])}"})
        self.answer(404, {})


def git(folder, *arguments, **more):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}, **more)
    if done.returncode:
        raise RuntimeError(f"git {arguments}: {done.stderr}")
    return done.stdout.strip()


class World:
    """A folder of origins, a checkout that act works in, an artifact service, and what a run left."""

    def __init__(self, act, binary, real):
        self.top = tempfile.mkdtemp(prefix="pester-gate-act-")
        self.folder = os.path.join(self.top, "a b [x] 'e")
        os.makedirs(self.folder)
        self.act, self.binary, self.real = act, binary, real
        self.service = Service()
        self.checkout = os.path.join(self.folder, "checkout")
        # Programs of the scenario's own, before the machine's.
        self.tools = os.path.join(self.top, "tools")
        self.run_attempt = 1
        self.last = None

    def close(self):
        self.service.shutdown()
        shutil.rmtree(self.top, ignore_errors=True)

    def origin(self, slug):
        return os.path.join(self.folder, "origins", slug + ".git")

    def write(self, path, text, folder=None):
        path = os.path.join(folder or self.checkout, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        if text.startswith("#!"):
            os.chmod(path, 0o755)

    def repository(self, files, workflows=True):
        """The repository under test: this one's actions and workflows, with tests of the scenario's own."""
        shutil.rmtree(self.checkout, ignore_errors=True)
        os.makedirs(self.checkout)
        if workflows:
            for name in ("actions", ".github", "action.yml"):
                source = os.path.join(ROOT, name)
                copy = shutil.copytree if os.path.isdir(source) else shutil.copy
                copy(source, os.path.join(self.checkout, name))
        for path, text in {**FILES, **files}.items():
            self.write(path, text)
        git(self.checkout, "init", "-q", "-b", "main")
        git(self.checkout, "remote", "add", "origin", f"https://github.com/{OWNER}/{NAME}")
        return self.commit()

    def commit(self):
        git(self.checkout, "add", "-A")
        git(self.checkout, "commit", "-q", "--allow-empty", "-m", "x")
        self.publish(f"{OWNER}/{NAME}")
        return git(self.checkout, "rev-parse", "HEAD")

    def publish(self, slug, source=None, *more):
        if not os.path.exists(self.origin(slug)):
            os.makedirs(self.origin(slug))
            git(self.origin(slug), "init", "-q", "--bare", "-b", "main")
            git(self.origin(slug), "config", "uploadpack.allowAnySHA1InWant", "true")
        git(source or self.checkout, "push", "-q", "-f", self.origin(slug), "HEAD:refs/heads/main", *more)

    def run(self, workflow, event_name, event, inputs=None, more=()):
        """One run; gives each job's result, every step's lines, and act's exit code."""
        # act itself cannot run a script whose path holds an apostrophe: its own files lie elsewhere.
        home = os.path.join(self.top, "home")
        os.makedirs(home, exist_ok=True)
        config = os.path.join(home, "gitconfig")
        self.write("gitconfig", f'[url "file://{self.folder}/origins/"]\n\tinsteadOf = https://github.com/\n[safe]\n\tdirectory = *\n', home)
        self.write("event.json", json.dumps({**event, **({"inputs": inputs} if inputs else {})}), home)
        for name in ("tmp", "cache", "config"):
            os.makedirs(os.path.join(home, name), exist_ok=True)
        scope = base64.urlsafe_b64encode(json.dumps({"scp": f"Actions.Results:{RUN_ID}:1"}).encode()).decode().rstrip("=")
        token = f"eyJhbGciOiJub25lIn0.{scope}.{'s' * 64}"
        variables = {
            "ACTIONS_RUNTIME_URL": self.service.url, "ACTIONS_RESULTS_URL": self.service.url, "ACTIONS_RUNTIME_TOKEN": token,
            "GITHUB_RUN_ID": RUN_ID, "GITHUB_RUN_ATTEMPT": str(self.run_attempt), "GIT_CONFIG_GLOBAL": config,
            "PESTER_GATE_STATE_DIR": os.path.join(home, "state"), "PESTER_GATE_LOCK_DIRECTORY": os.path.join(home, "locks"), "PESTER_GATE_STANDING_PRIORITY": "off",
        }
        if not self.binary:
            variables["PESTER_GATE_DOWNLOAD_URL"] = f"{self.service.url}release"
            variables["RUNNER_TOOL_CACHE"] = os.path.join(home, "tools")
        command = [self.act, event_name, "-C", self.checkout, "-W", workflow, "-e", os.path.join(home, "event.json"), "--json", "-v",
                   "-P", "ubuntu-latest=-self-hosted", "-P", "self-hosted=-self-hosted", "--no-cache-server", "--action-offline-mode",
                   "--rm", "--container-daemon-socket", "-", "-s", "GITHUB_TOKEN=ghs_" + "0" * 36]
        for name in ("env", "secret", "var", "input"):
            command += [f"--{name}-file", "/dev/null"]
        for name, sha in PINS.items():
            folder = os.path.join(self.real or os.path.join(HERE, "stand-ins"), name)
            command += ["--local-repository", f"actions/{name}@{sha}={folder}"]
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        for name, value in (inputs or {}).items():
            command += ["--input", f"{name}={value}"]
        environment = {
            "PATH": self.tools + os.pathsep + os.environ["PATH"], "HOME": home, "XDG_CACHE_HOME": os.path.join(home, "cache"), "XDG_CONFIG_HOME": os.path.join(home, "config"),
            "TMPDIR": os.path.join(home, "tmp"), "NO_COLOR": "1", "TERM": "dumb", "ACT_DISABLE_VERSION_CHECK": "1", "GIT_CONFIG_GLOBAL": config,
        }
        if self.binary:
            # A variable of the runner's own process, and not of the workflow's `env`.
            environment["PESTER_GATE_BIN"] = self.binary
        done = subprocess.run(command + list(more), env=environment, capture_output=True, text=True, timeout=300)
        jobs, log = {}, []
        for line in done.stdout.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            log.append(record)
            if "jobResult" in record:
                jobs[record["jobID"]] = record["jobResult"]
        self.last = Ran(done, jobs, log, self.service)
        return self.last


class Ran:
    """What a run left."""

    def __init__(self, done, jobs, log, service):
        self.code, self.jobs, self.log, self.service, self.stderr = done.returncode, jobs, log, service, done.stderr

    def outcome(self):
        names = sorted(name for name in self.service.artifacts if name.startswith("pester-evidence"))
        if not names:
            return {}
        files = self.service.files(names[-1])
        name = next((path for path in files if path.endswith("pester-operator-outcome.json")), None)
        return json.loads(files[name]) if name else {}

    def text(self):
        return "\n".join(str(record.get("msg", "")) for record in self.log)

    def put_out(self, name, value):
        """Whether some step put out this value. Of what a step prints before it fails act may lose the end: it closes its
        terminal without waiting for the reader."""
        return f"::set-output:: {name}={value}\n" in self.text() + "\n"

    def told(self):
        """What whoever reads of a failed scenario needs: the jobs, the artifacts, what went wrong, and how it ended."""
        lines = [f"exit {self.code}; jobs {self.jobs}; artifacts {sorted(self.service.artifacts)}"]
        wrong = [record for record in self.log if record.get("level") in ("warning", "error", "fatal") or record.get("stepResult") == "failure"]
        lines += [f"{record.get('jobID', '-')}/{record.get('step', '-')}: {record.get('msg', '')}".rstrip() for record in wrong[:20]]
        lines += [f"last: {str(record.get('msg', '')).rstrip()}" for record in self.log[-10:]] + self.stderr.splitlines()[-10:]
        return "\n".join(f"    {line[:500]}" for line in lines)


FILES = {
    "tests/a.sh": "#!/bin/sh\nexit 0\n",
    "tests/b.sh": "#!/bin/sh\nexit 0\n",
    "pester-gate.yml": "tests: {pattern: '*.sh'}\ndispatcher: {kind: scripts}\npreflight: {disk: {min-free: 1MiB}}\n",
}
GATE = ".github/workflows/gate.yml"
ROUTER = ".github/workflows/trusted-pr.yml"
GREEN = dict(context="success", preflight="success", selection="success", execute="success", post="success")
ALL = {"pester-context", "pester-readiness", "pester-selection", "pester-execution-contract-s1", "pester-run-raw-s1", "pester-evidence"}


def gate(world, files=None, inputs=None, more=()):
    """The gate by dispatch, on a repository with these files."""
    return dispatch(world, world.repository(files or {}), inputs, more)


def dispatch(world, sha, inputs=None, more=()):
    """The gate by dispatch, at a commit that is published."""
    given = {"runner": '["self-hosted", "Windows", "X64"]', "hosted-runner": '"ubuntu-latest"', "gate-repository": f"{OWNER}/{NAME}",
             "gate-ref": sha, "head-sha": sha, **(inputs or {})}
    event = {"repository": {"full_name": f"{OWNER}/{NAME}", "owner": {"login": OWNER}}, "ref": "refs/heads/main"}
    return world.run(GATE, "workflow_dispatch", event, given, more)


def verdict(ran):
    outcome = ran.outcome()
    return (outcome.get("classification"), outcome.get("failedLayer"), outcome.get("reason"))


SCENARIOS = []


def scenario(name, proves):
    def add(check):
        SCENARIOS.append((name, proves, check))
        return check
    return add


def same(what, got, owed):
    assert got == owed, f"{what}: {got!r}, owed {owed!r}"


@scenario("green", "five jobs pass receipts and digests on, and post says completed")
def green(world):
    ran = gate(world)
    same("jobs", ran.jobs, GREEN)
    same("artifacts", set(world.service.artifacts), ALL)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    same("exit", ran.code, 0)


@scenario("red-tests", "failed tests make execute and post red, and no layer is blamed")
def red_tests(world):
    ran = gate(world, {"tests/a.sh": "#!/bin/sh\necho 'expected 2, got 3'\nexit 1\n"})
    same("jobs", ran.jobs, {**GREEN, "execute": "failure", "post": "failure"})
    same("artifacts", set(world.service.artifacts), ALL)
    same("verdict", verdict(ran), ("test-failures", "none", "tests-failed"))
    same("exit", ran.code, 1)


@scenario("let-through", "with continue-on-failure a red gate is a notice: post is green and says so")
def let_through(world):
    ran = gate(world, {"tests/a.sh": "#!/bin/sh\nexit 1\n"}, {"continue-on-failure": "true"})
    same("jobs", {**ran.jobs, "execute": None}, {**GREEN, "execute": None})
    same("status", (ran.outcome()["gateStatus"], verdict(ran)), ("notice", ("test-failures", "none", "tests-failed")))


@scenario("other-commit", "another commit than the event's is tested where head-sha says so, by every layer")
def other_commit(world):
    first = world.repository({})
    world.write("tests/c.sh", "#!/bin/sh\nexit 1\n")
    sha = world.commit()
    assert first != sha
    ran = dispatch(world, sha, {"head-sha": first})
    same("jobs", ran.jobs, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    same("total", ran.outcome()["counts"]["total"], 2)


@scenario("dotfiles", "what the raw results hold that begins with a dot reaches post")
def dotfiles(world):
    config = FILES["pester-gate.yml"] + "profiles: {default: {artifacts: ['.coverage']}}\n"
    ran = gate(world, {"pester-gate.yml": config, "tests/c.sh": "#!/bin/sh\necho x > .coverage\n"})
    same("jobs", ran.jobs, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    assert any(path.endswith("/.coverage") for path in world.service.files("pester-run-raw-s1")), world.service.files("pester-run-raw-s1")


@scenario("linked-room", "a link in the code under test, where the gate is checked out to, leads nowhere")
def linked_room(world):
    outside = os.path.join(world.folder, "outside")
    os.makedirs(outside)
    world.write("precious", "kept", outside)
    world.repository({})
    os.symlink(outside, os.path.join(world.checkout, ".pester-gate"))
    ran = dispatch(world, world.commit())
    same("jobs", ran.jobs, GREEN)
    same("outside", os.listdir(outside), ["precious"])


@scenario("context-blocked", "nothing behind a blocked context starts, and post names it")
def context_blocked(world):
    ran = gate(world, {"pester-gate.yml": FILES["pester-gate.yml"] + "context: {required-paths: [no/such]}\n"})
    same("jobs", ran.jobs, {**dict.fromkeys(GREEN, "skipped"), "context": "failure", "post": "failure"})
    same("artifacts", set(world.service.artifacts), {"pester-context", "pester-evidence"})
    same("verdict", verdict(ran), ("context-blocked", "context", "required-path-missing"))


# Nobody listens there, so GitHub cannot be asked, whatever network this machine has.
AWAY = ("--env", "https_proxy=http://127.0.0.1:9", "--env", "no_proxy=127.0.0.1,localhost")


@scenario("github-unreachable", "with policy required nothing starts behind a look-up that fails, and post says that it was the look-up")
def github_unreachable(world):
    ran = gate(world, inputs={"standing-priority": "required"}, more=AWAY)
    same("jobs", ran.jobs, {**dict.fromkeys(GREEN, "skipped"), "context": "failure", "post": "failure"})
    same("verdict", verdict(ran), ("context-blocked", "context", "api-unreachable"))


@scenario("github-unreachable-advisory", "with policy advisory the tests run and the verdict is theirs; the look-up is a warning")
def github_unreachable_advisory(world):
    ran = gate(world, inputs={"standing-priority": "advisory"}, more=AWAY)
    same("jobs", ran.jobs, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    said = [reason["code"] for reason in ran.outcome()["reasons"] if reason["layer"] == "context"]
    same("what context says", said, ["api-unreachable"])


@scenario("preflight-blocked", "selection still runs next to a blocked preflight; execute does not")
def preflight_blocked(world):
    packs = "packs: [{name: p, requires: [{tool: no-such-tool}]}]\ndefaults: {pack: p}\n"
    ran = gate(world, {"pester-gate.yml": FILES["pester-gate.yml"] + packs})
    same("jobs", ran.jobs, {**GREEN, "preflight": "failure", "execute": "skipped", "post": "failure"})
    same("verdict", verdict(ran), ("readiness-blocked", "preflight", "tool-missing"))


@scenario("runner-labels", "the labels that a job asked for are those that preflight knows the runner to have")
def runner_labels(world):
    config = FILES["pester-gate.yml"].replace("{disk", "{labels: [x64, capability-ingress], disk")
    ran = gate(world, {"pester-gate.yml": config})
    same("jobs", ran.jobs, {**GREEN, "preflight": "failure", "execute": "skipped", "post": "failure"})
    same("verdict", verdict(ran), ("readiness-blocked", "preflight", "runner-label-missing"))
    detail = ran.outcome()["reasons"][0]["detail"]
    same("detail", detail, "the runner has self-hosted, Windows, X64 and lacks capability-ingress")


@scenario("selection-blocked", "an unknown pack is selection's, whatever preflight says")
def selection_blocked(world):
    ran = gate(world, inputs={"pack": "no-such-pack"})
    same("jobs", ran.jobs, {**GREEN, "selection": "failure", "execute": "skipped", "post": "failure"})
    same("verdict", verdict(ran), ("selection-blocked", "selection", "pack-unknown"))


@scenario("no-tests", "five jobs around no tests at all, where the configuration lets that pass; the time of the jobs themselves")
def no_tests(world):
    config = ("dispatcher: {kind: command, command: [sh, -c, 'mkdir out; echo \"<testsuites/>\" > out/r.xml'], results: ['out/*.xml']}\n"
              "preflight: {disk: {min-free: 1MiB}}\ntests: {pattern: '*.sh'}\npolicy: {zero-tests: pass}\n")
    ran = gate(world, {"pester-gate.yml": config})
    same("jobs", ran.jobs, GREEN)
    same("artifacts", set(world.service.artifacts), ALL)
    same("verdict", verdict(ran), ("completed", "none", "zero-tests-executed"))


@scenario("no-results", "a dispatcher that leaves no results is the seam's fault, not the tests'")
def no_results(world):
    config = "dispatcher: {kind: command, command: ['true'], results: ['out/*.xml']}\npreflight: {disk: {min-free: 1MiB}}\ntests: {pattern: '*.sh'}\n"
    ran = gate(world, {"pester-gate.yml": config})
    same("jobs", ran.jobs, {**GREEN, "execute": "failure", "post": "failure"})
    same("verdict", verdict(ran), ("seam-defect", "execute", "results-missing"))


@scenario("no-binary", "before the first release the bootstrap says what to set, in every job")
def no_binary(world):
    world.binary = None
    ran = gate(world)
    same("jobs", ran.jobs, {**dict.fromkeys(GREEN, "skipped"), "context": "failure", "post": "failure"})
    same("artifacts", set(world.service.artifacts), set())
    assert ran.put_out("reason", "bootstrap-binary-missing"), ran.told()


def released(world, manifest_of):
    """A release with this binary, and a manifest that was made of that one."""
    asset = f"pester-gate-9.9.9-{os.uname().machine}-unknown-linux-musl"
    with open(world.binary, "rb") as file:
        world.service.released[asset] = file.read()
    world.binary = None
    digest = hashlib.sha256(manifest_of or world.service.released[asset]).hexdigest()
    return {"actions/bootstrap/version.txt": "9.9.9\n", "actions/bootstrap/manifest.sha256": f"{digest}  {asset}\n"}


@scenario("release", "the released binary is fetched, checked against the manifest at the ref, and runs every job")
def release(world):
    ran = gate(world, released(world, None))
    same("jobs", ran.jobs, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


@scenario("hash-refused", "a binary that is not the released one runs in no job, and is named")
def hash_refused(world):
    ran = gate(world, released(world, b"another"))
    same("jobs", ran.jobs, {**dict.fromkeys(GREEN, "skipped"), "context": "failure", "post": "failure"})
    same("artifacts", set(world.service.artifacts), set())
    assert ran.put_out("reason", "bootstrap-hash-refused"), ran.told()


KILL = """#!/bin/sh
# The parent is the guard, and its parent the gate.
guard=$PPID
gate=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$guard/status")
kill -KILL "$gate"
sleep 30
"""


@scenario("gate-killed", "a gate that was killed leaves its journal, and post names the test that was running")
def gate_killed(world):
    ran = gate(world, {"tests/a.sh": KILL})
    same("jobs", ran.jobs, {**GREEN, "execute": "failure", "post": "failure"})
    raw = world.service.files("pester-run-raw-s1")
    same("raw results", sorted(raw), ["dispatcher-events.ndjson"])
    outcome = ran.outcome()
    same("layer", (outcome["classification"], outcome["failedLayer"]), ("seam-defect", "execute"))
    same("in flight", outcome["inFlight"]["name"], "tests/a.sh")


@scenario("receipt-swapped", "a receipt that is altered between jobs is refused by its digest, and the layer that wrote it is named")
def receipt_swapped(world):
    def widen(files):
        return {path: body.replace(b'"executionPack": "full"', b'"executionPack": "fool"') for path, body in files.items()}
    world.service.tamper["pester-selection"] = widen
    ran = gate(world)
    same("jobs", ran.jobs, {**GREEN, "execute": "failure", "post": "failure"})
    same("verdict", verdict(ran), ("selection-blocked", "selection", "receipt-digest-mismatch"))


@scenario("raw-swapped", "raw results that are altered after execute are refused by post")
def raw_swapped(world):
    def greener(files):
        return {path: body.replace(b"failures=", b"failure5=") for path, body in files.items()}
    world.service.tamper["pester-run-raw-s1"] = greener
    ran = gate(world, {"tests/a.sh": "#!/bin/sh\nexit 1\n"})
    same("verdict", verdict(ran), ("seam-defect", "execute", "raw-artifact-altered"))


@scenario("early-host", "the early preflight's host does not matter: execute measures its own")
def early_host(world):
    def elsewhere(files):
        return {path: re.sub(rb'"machineId": "[0-9a-f]*"', b'"machineId": "00000000000000000000000000000000"', body) for path, body in files.items()}
    world.service.tamper["pester-readiness"] = elsewhere
    ran = gate(world)
    same("jobs before post", {**ran.jobs, "post": None}, {**GREEN, "post": None})


def without_leg_digests():
    """act hands on the outputs of one leg only, where GitHub merges them: here the legs' digests are left out."""
    with open(os.path.join(ROOT, GATE)) as file:
        return {GATE: re.sub(LEG_DIGESTS, "", file.read())}


LEG_DIGESTS = r"          execute-sha256: \|\n(            \d+=.*\n)+"


def quickstart():
    """The files of the bundled example."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(ROOT, "examples/quickstart")) for name in names]
    files = {}
    for path in paths:
        with open(path) as file:
            files[os.path.relpath(path, ROOT)] = file.read()
    return files


@scenario("self-test", "ci's own use of each action, expected failures included, and of the gate in one step")
def self_test(world):
    with open(os.path.join(ROOT, ".github/workflows/ci.yml")) as file:
        ci = file.read()
    # The binary is the one that this suite was given, in the place where the build would put it.
    assert ci.count("run: cargo build --locked --release\n") == 2
    ci = ci.replace("run: cargo build --locked --release\n", f"run: mkdir -p target/release && cp '{world.binary}' target/release/pester-gate\n")
    world.binary = None
    world.repository({**quickstart(), ".github/workflows/ci.yml": ci})
    push = {"repository": {"full_name": f"{OWNER}/{NAME}"}, "ref": "refs/heads/main"}
    for name, event in (("push", push), ("pull_request", pull_request(world, f"mallory/{NAME}", []))):
        world.service.artifacts.clear()
        for job in ("actions", "layers"):
            ran = world.run(".github/workflows/ci.yml", name, event, more=["-j", job])
            same(f"{name} {job}", ran.jobs, {job: "success"})
    assert {"pester-context-layers", "pester-run-raw-layers"} <= set(world.service.artifacts), sorted(world.service.artifacts)


@scenario("own-gate", "ci's five jobs on this repository itself, with the gate at the major tag")
def own_gate(world):
    sha = world.repository(quickstart())
    world.publish(f"{OWNER}/{NAME}", None, f"{sha}:refs/tags/v0")
    with open(os.path.join(ROOT, GATE)) as file:
        text = file.read()
    # act does not know job.workflow_repository.
    world.write(GATE, text.replace("job.workflow_repository", "github.repository"))
    event = {"repository": {"full_name": f"{OWNER}/{NAME}"}, "ref": "refs/heads/integration/x"}
    ran = world.run(".github/workflows/ci.yml", "push", event, more=["-j", "gate"])
    same("jobs", {name: ran.jobs.get(name) for name in INNER}, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    same("total", ran.outcome()["counts"]["total"], 3)


@scenario("two-shards", "two legs, one verdict over both (without the legs' digests, which act does not merge)")
def two_shards(world):
    ran = gate(world, without_leg_digests(), {"shards": "2"})
    same("jobs", ran.jobs, GREEN)
    legs = {name for name in world.service.artifacts if re.search(r"-s\d", name)}
    same("legs", legs, {f"pester-{kind}-s{k}" for kind in ("execution-contract", "run-raw") for k in (1, 2)})
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    same("total", ran.outcome()["counts"]["total"], 2)


@scenario("shard-missing", "a leg whose receipt never came is missing, and that is not green")
def shard_missing(world):
    world.service.lost.add("pester-execution-contract-s2")
    ran = gate(world, without_leg_digests(), {"shards": "2"})
    same("verdict", verdict(ran), ("seam-defect", "execute", "shard-missing"))


@scenario("two-gates", "two gates of one run keep their artifacts apart")
def two_gates(world):
    # One id is the end of the other.
    first = gate(world, inputs={"gate-id": "gate-r"})
    second = gate(world, inputs={"gate-id": "r"})
    same("jobs", (first.jobs, second.jobs), (GREEN, GREEN))
    same("artifacts", len(world.service.artifacts), 2 * len(ALL))
    assert {"pester-context-gate-r", "pester-context-r", "pester-run-raw-r-s1"} <= set(world.service.artifacts)
    names = {name for path in world.service.files("pester-evidence-r") for name in path.split("/") if name.startswith("pester-context-")}
    assert not any("gate-r" in name for name in names), names
    if not world.real:
        assert "downloaded pester-context-r\n" in second.text() + "\n" and "downloaded pester-context-gate-r" not in second.text()


@scenario("two-gates-one-blocked", "a gate that ran nothing does not report another's tests")
def two_gates_one_blocked(world):
    green = gate(world, inputs={"gate-id": "win"})
    same("first", green.jobs, GREEN)
    sha = git(world.checkout, "rev-parse", "HEAD")
    for gate_id in ("", "wi"):
        blocked = dispatch(world, sha, {"gate-id": gate_id, "pack": "no-such-pack"})
        same("jobs", blocked.jobs, {**GREEN, "selection": "failure", "execute": "skipped", "post": "failure"})
        name = "pester-evidence" + (gate_id and f"-{gate_id}")
        outcome = next(json.loads(body) for path, body in world.service.files(name).items() if path.endswith("operator-outcome.json"))
        same("verdict", (outcome["classification"], outcome["reason"]), ("selection-blocked", "pack-unknown"))
        same("total", outcome["counts"]["total"], 0)
        assert "tests-passed" not in json.dumps(outcome), outcome


@scenario("re-run", "a second attempt of the same run uses names of its own")
def re_run(world):
    red = gate(world, {"tests/a.sh": "#!/bin/sh\nexit 1\n"})
    same("first", red.jobs["execute"], "failure")
    world.run_attempt = 2
    ran = gate(world)
    same("jobs", ran.jobs, GREEN)
    assert {f"{name}-a2" for name in ALL} <= set(world.service.artifacts), sorted(world.service.artifacts)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


MINUTES_20 = 20 * 60


def aged(world, artifacts):
    """Makes receipts 20 minutes older, in the order they were written; their new digests."""
    def older(match):
        then = calendar.timegm(time.strptime(match.group(1).decode(), "%Y-%m-%dT%H:%M:%S")) - MINUTES_20
        return time.strftime('"%Y-%m-%dT%H:%M:%S', time.gmtime(then)).encode()
    renamed, digests = {}, {}
    for name in artifacts:
        (path, body), = ((path, body) for path, body in world.service.files(name).items() if path.endswith(".json"))
        old = hashlib.sha256(body).hexdigest()
        body, count = re.subn(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)', older, body)
        assert count, f"{name} holds no time"
        for parent, now in renamed.items():
            body = body.replace(parent.encode(), now.encode())
        renamed[old] = digests[name] = hashlib.sha256(body).hexdigest()
        world.service.replace(name, {**world.service.files(name), path: body})
    return digests


@scenario("re-run-failed", "only the failed job is run again, 20 minutes later, on what the others left: its own readiness is new")
def re_run_failed(world):
    # Red the first time, green the second, as a flaky machine is.
    flag = os.path.join(world.top, "mended")
    files = {"tests/a.sh": f"#!/bin/sh\ntest -e '{flag}'\n"}
    red = gate(world, files)
    same("first attempt", red.jobs, {**GREEN, "execute": "failure", "post": "failure"})
    before = {"context": "pester-context", "preflight": "pester-readiness", "selection": "pester-selection"}
    digests = aged(world, before.values())
    with open(os.path.join(ROOT, GATE)) as file:
        text = file.read()
    # The jobs that are replaced hold the anchors of the others.
    for name, step in re.findall(r"      - &([\w-]+)\n((?:        .*\n)+)", text):
        step = "      - " + step.lstrip()
        text = re.sub(rf"      - &{name}\n        ", "      - ", text).replace(f"      - *{name}\n", step)
    # GitHub does not run the green jobs again: their outputs are the first attempt's.
    for job, artifact in before.items():
        outputs = {"status": "ready", "artifact-name": artifact, "receipt-sha256": digests[artifact], "matrix": '{"shard":["1/1"]}'}
        lines = "".join(f"          echo '{name}={value}' >>\"$GITHUB_OUTPUT\"\n" for name, value in outputs.items())
        step = f"    steps:\n      - id: gate\n        shell: sh\n        run: |\n{lines}"
        text, count = re.subn(rf"(\n  {job}:\n(?:    .*\n|\n)*?)    steps:\n(?:      .*\n)+", lambda found: found.group(1) + step, text)
        same(f"{job} replaced", count, 1)
    world.run_attempt = 2
    with open(flag, "w"):
        pass
    sha = git(world.checkout, "rev-parse", "HEAD")
    world.write(GATE, text)
    ran = dispatch(world, sha)
    same("jobs", ran.jobs, GREEN)
    late = {name for name in world.service.artifacts if name.endswith("-a2")}
    same("artifacts of the second attempt", late, {"pester-execution-contract-s1-a2", "pester-run-raw-s1-a2", "pester-evidence-a2"})
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


with open(os.path.join(ROOT, "tests/data/hostile.json"), encoding="utf-8") as listed:
    HOSTILE = json.load(listed)


def pull_request(world, head_repository, labels, action="labeled", set_label=None, title="a change", sha=None):
    head = None if head_repository is None else {"full_name": head_repository, "id": 1 if head_repository == f"{OWNER}/{NAME}" else 2}
    return {
        "action": action, "label": {"name": set_label or (labels or [""])[0]}, "number": 7,
        "repository": {"full_name": f"{OWNER}/{NAME}", "id": 1, "owner": {"login": OWNER}, "default_branch": "main"},
        "pull_request": {"number": 7, "title": title, "labels": [{"name": name} for name in labels],
                         "head": {"ref": title[:40], "sha": sha or git(world.checkout, "rev-parse", "HEAD"), "repo": head},
                         "base": {"ref": "main", "sha": git(world.checkout, "rev-parse", "HEAD"), "repo": {"full_name": f"{OWNER}/{NAME}", "id": 1}}},
    }


def router(world, head_repository, labels, **more):
    return world.run(ROUTER, "pull_request_target", pull_request(world, head_repository, labels, **more))


INNER = {"context", "preflight", "selection", "execute", "post"}


@scenario("router-admits", "a labelled branch of this repository runs the whole gate, and verdict is green")
def router_admits(world):
    world.repository({})
    ran = router(world, f"{OWNER}/{NAME}", ["pester-gate"])
    same("outer jobs", {name: ran.jobs.get(name) for name in ("route", "verdict")}, {"route": "success", "verdict": "success"})
    same("inner jobs", {name: ran.jobs.get(name) for name in INNER}, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


@scenario("router-admits-fork", "a same-owner fork that was labelled at this head is checked out and tested")
def router_admits_fork(world):
    world.repository({})
    base = git(world.checkout, "rev-parse", "HEAD")
    world.write("tests/c.sh", "#!/bin/sh\nexit 0\n")
    git(world.checkout, "add", "-A")
    git(world.checkout, "commit", "-q", "-m", "fork")
    world.publish(f"{OWNER}/{NAME}-fork")
    sha = git(world.checkout, "rev-parse", "HEAD")
    git(world.checkout, "reset", "-q", "--hard", base)
    ran = router(world, f"{OWNER}/{NAME}-fork", ["pester-gate"], sha=sha)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    same("tests", ran.outcome()["counts"]["total"], 3)


def refused(world, ran, reason):
    same("verdict job", ran.jobs.get("verdict"), "failure")
    same("route", ran.jobs.get("route"), "success")
    assert not INNER & {job for job, result in ran.jobs.items() if result != "skipped"}, ran.jobs
    same("artifacts", set(world.service.artifacts), {"pester-route"})
    assert ran.put_out("reason", reason), reason
    # What verdict was told, and prints.
    assert f"needs.route.outputs.reason)' evaluated to '%!t(string={reason})'" in ran.text(), reason


@scenario("router-stranger", "a stranger's fork never reaches the host, and verdict is red")
def router_stranger(world):
    world.repository({})
    refused(world, router(world, f"mallory/{NAME}", ["pester-gate"]), "untrusted-cross-owner-fork")


@scenario("router-deleted", "a deleted fork never reaches the host")
def router_deleted(world):
    world.repository({})
    refused(world, router(world, None, ["pester-gate"]), "head-repository-deleted")


@scenario("router-unlabelled", "without the label nothing runs")
def router_unlabelled(world):
    world.repository({})
    refused(world, router(world, f"{OWNER}/{NAME}", ["bug"]), "pilot-label-missing")


@scenario("router-new-push", "a push to a labelled fork needs the label anew")
def router_new_push(world):
    world.repository({})
    refused(world, router(world, f"{OWNER}/{NAME}-fork", ["pester-gate"], action="synchronize"), "label-not-bound-to-head")


@scenario("hostile-event", "hostile titles, branches and labels change no job, output or artifact")
def hostile_event(world):
    world.repository({})
    ran = router(world, f"mallory/{NAME}", ["pester-gate", *HOSTILE], title="".join(HOSTILE))
    refused(world, ran, "untrusted-cross-owner-fork")
    route = json.loads(next(iter(world.service.files("pester-route").values())))
    same("should run", (route["shouldRun"], route["trustMode"]), (False, "none"))
    assert "ghs_" + "a" * 36 not in json.dumps(route)


@scenario("hostile-tests", "what tests print and are called, files and cases, changes no output and no job")
def hostile_tests(world):
    cases = "".join(f"<testcase name={saxutils.quoteattr(xml_text(text))}/>" for text in HOSTILE)
    config = ("dispatcher: {kind: command, command: [sh, run.sh], results: ['out/*.xml']}\n"
              "preflight: {disk: {min-free: 1MiB}}\ntests: {pattern: '*.sh'}\n")
    names = {"".join(c for c in text if c not in "/\0")[:60] for text in HOSTILE if not text.startswith(("ghs_", "github_pat_"))}
    files = {
        "pester-gate.yml": config,
        "texts": "\n".join(text.replace("\0", "") for text in HOSTILE) + "\n",
        "cases.xml": f"<testsuites>{cases}</testsuites>",
        "run.sh": "cat texts; cat texts >&2; mkdir -p out; cp cases.xml out/\n",
        **{f"tests/{name}.sh": "#!/bin/sh\nexit 0\n" for name in names},
    }
    ran = gate(world, files)
    same("jobs", ran.jobs, GREEN)
    same("artifacts", set(world.service.artifacts), {name for name in ALL})
    same("counts", ran.outcome()["counts"]["passed"], len(HOSTILE))
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))
    for name in world.service.artifacts:
        for path, data in world.service.files(name).items():
            for text in HOSTILE:
                assert not text.startswith(("ghs_", "github_pat_")) or text.encode() not in data, (path, text)


def xml_text(text):
    return "".join(c if c >= " " else "?" for c in text)


STEP = """on: workflow_dispatch
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@%s
        with: {ref: "${{ github.sha }}"}
      - uses: ./
        id: gate
      - run: echo "says $SAYS"
        if: always()
        env: {SAYS: "${{ steps.gate.outputs.classification }} ${{ steps.gate.outputs.passed }}"}
""" % PINS["checkout"]


@scenario("one-step", "the root action runs all layers in one job and keeps everything in one artifact")
def one_step(world):
    world.repository({".github/workflows/step.yml": STEP})
    ran = world.run(".github/workflows/step.yml", "workflow_dispatch", {"repository": {"full_name": f"{OWNER}/{NAME}"}})
    same("jobs", ran.jobs, {"gate": "success"})
    same("artifacts", set(world.service.artifacts), {"pester-evidence"})
    assert "says completed 2" in ran.text()


@scenario("one-step-twice", "the root action is used twice in one job: two artifacts, each with its own run only")
def one_step_twice(world):
    use = re.search(r"      - (?:id: gate\n        )?uses: \./\n(?:        .*\n)*", STEP).group()
    second = re.sub(r"id: \w+", "id: second", use)
    world.repository({".github/workflows/step.yml": STEP.replace(use, use + second, 1)})
    ran = world.run(".github/workflows/step.yml", "workflow_dispatch", {"repository": {"full_name": f"{OWNER}/{NAME}"}})
    same("jobs", ran.jobs, {"gate": "success"})
    same("artifacts", set(world.service.artifacts), {"pester-evidence", "pester-evidence-u2"})
    for name in world.service.artifacts:
        outcomes = [path for path in world.service.files(name) if path.endswith("pester-operator-outcome.json")]
        same(f"outcomes in {name}", len(outcomes), 1)


LAYERS = ("context", "preflight", "selection", "execute", "post")


@scenario("layers-in-one-job", "the layer actions of one job find each other's receipts without wiring, and a missing one names its action")
def layers_in_one_job(world):
    def job(layers):
        steps = "".join(f"      - uses: ./actions/{layer}\n        if: always()\n        with:\n          upload: 'false'\n" for layer in layers)
        head = STEP[: STEP.index("    steps:\n")] + "    steps:\n"
        checkout = re.search(r"      - uses: actions/checkout@.*\n(?:        .*\n)*", STEP).group()
        return head + checkout + steps
    event = {"repository": {"full_name": f"{OWNER}/{NAME}"}}
    world.repository({".github/workflows/step.yml": job(LAYERS)})
    ran = world.run(".github/workflows/step.yml", "workflow_dispatch", event)
    same("jobs", ran.jobs, {"gate": "success"})
    assert ran.put_out("classification", "completed") and ran.put_out("total", "2"), ran.told()
    world.write(".github/workflows/step.yml", job(("preflight",)))
    ran = world.run(".github/workflows/step.yml", "workflow_dispatch", event)
    same("jobs", ran.jobs, {"gate": "failure"})
    assert ran.put_out("reason", "receipt-missing") and "the action `context`" in ran.text(), ran.told()


@scenario("one-step-red", "the root action is red with failed tests, and its outputs say so")
def one_step_red(world):
    world.repository({".github/workflows/step.yml": STEP, "tests/a.sh": "#!/bin/sh\nexit 1\n"})
    ran = world.run(".github/workflows/step.yml", "workflow_dispatch", {"repository": {"full_name": f"{OWNER}/{NAME}"}})
    same("jobs", ran.jobs, {"gate": "failure"})
    assert "says test-failures 1" in ran.text()


def gate_elsewhere(world, leg_digests=True):
    """The gate in a repository of its own, at the tag v0; arguments by which act finds it there."""
    world.repository({})
    tool = os.path.join(world.folder, "tool")
    shutil.copytree(world.checkout, tool)
    # act does not know job.workflow_repository and job.workflow_sha, by which a called workflow finds its own actions.
    path = os.path.join(tool, GATE)
    with open(path) as file:
        text = file.read()
    for known, here in (("repository", "acme/pester-gate"), ("sha", "v0")):
        assert f"job.workflow_{known}" in text
        text = text.replace(f"job.workflow_{known}", f"'{here}'")
    text = text if leg_digests else re.sub(LEG_DIGESTS, "", text)
    with open(path, "w") as file:
        file.write(text)
    git(tool, "commit", "-q", "-a", "-m", "where it is")
    world.publish("acme/pester-gate", tool, "HEAD:refs/tags/v0")
    return ["--local-repository", f"acme/pester-gate@v0={tool}"]


def documented(path):
    """The workflows that a document shows."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return [block.replace("OWNER/", "acme/") for block in re.findall(r"```yaml\n(.*?)```", file.read(), re.S)]


def documented_workflows():
    """The one step of the README, and the five jobs of docs/actions.md: both short."""
    one_step, = documented("README.md")
    five_jobs = documented("docs/actions.md")[0]
    for block, most in ((one_step, 12), (five_jobs, 25)):
        assert len(block.splitlines()) <= most, block
    return one_step, five_jobs


def as_user(world, files, workflow, event_name="workflow_dispatch", event=None):
    """A repository that holds tests and these workflows, and nothing of the gate's."""
    more = gate_elsewhere(world)
    world.repository(files, workflows=False)
    return world.run(workflow, event_name, event or {"repository": {"full_name": f"{OWNER}/{NAME}"}}, more=more)


@scenario("readme-one-step", "a second repository that holds exactly the README's workflow runs the gate at a tag")
def readme_one_step(world):
    workflow = ".github/workflows/gate.yml"
    ran = as_user(world, {workflow: documented_workflows()[0]}, workflow)
    same("jobs", ran.jobs, {"gate": "success"})
    same("artifacts", set(world.service.artifacts), {"pester-evidence"})
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


@scenario("second-repository", "a second repository that holds exactly the first workflow of docs/actions.md runs the five jobs of another at a tag")
def second_repository(world):
    workflow = ".github/workflows/caller.yml"
    ran = as_user(world, {workflow: documented_workflows()[1]}, workflow)
    same("inner jobs", {name: ran.jobs.get(name) for name in INNER}, GREEN)
    same("artifacts", set(world.service.artifacts), ALL)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


# Stands for GitHub's command line: there is no earlier run until there is a folder with one.
GH = """#!/bin/sh
case "$1 $2" in
  "run list") [ ! -d '{kept}' ] || echo 7 ;;
  "run download") cp -R '{kept}' earlier ;;
esac
"""


@scenario("earlier-run", "the workflow of docs/actions.md fetches an earlier run: new failures are reported, and shards are cut by durations")
def earlier_run(world):
    workflow, kept = ".github/workflows/caller.yml", os.path.join(world.top, "kept")
    _, text = documented("docs/actions.md")
    text = text.replace("    with:\n      baseline", "    with:\n      shards: '2'\n      baseline")
    world.write("gh", GH.format(kept=kept), world.tools)
    files = {workflow: text, "tests/c.sh": "#!/bin/sh\nexit 0\n"}
    more = gate_elsewhere(world, leg_digests=False)
    world.repository(files, workflows=False)

    def run():
        return world.run(workflow, "workflow_dispatch", {"repository": {"full_name": f"{OWNER}/{NAME}", "default_branch": "main"}}, more=more)

    first = run()
    same("first", (first.jobs["earlier"], verdict(first)), ("success", ("completed", "none", "tests-passed")))
    assert "pester-triage.json" not in world.service.files("pester-evidence")
    # The first file took longer than the other two together.
    listed = json.loads(world.service.files("pester-evidence")["pester-tests.json"])
    for test in listed["tests"]:
        test["durationMs"] = 9000 if test["file"] == "tests/a.sh" else 10
    world.write("pester-evidence/pester-tests.json", json.dumps(listed), kept)
    world.service.artifacts.clear()
    world.write("tests/b.sh", "#!/bin/sh\nexit 1\n")
    world.commit()
    ran = run()
    same("verdict", verdict(ran), ("test-failures", "none", "tests-failed"))
    triage = json.loads(world.service.files("pester-evidence")["pester-triage.json"])
    same("triage", (triage["status"], triage["counts"]), ("regressed", {"regression": 1, "stable": 2}))
    selection, = (json.loads(body) for path, body in world.service.files("pester-selection").items() if path.endswith(".json"))
    same("shards", [shard["files"] for shard in selection["shards"]], [["tests/a.sh"], ["tests/b.sh", "tests/c.sh"]])
    # All jobs once more, beside what the first attempt left.
    world.run_attempt = 2
    again = run()
    same("again", (again.jobs["earlier"], verdict(again)), ("success", ("test-failures", "none", "tests-failed")))
    # The artifact is not there: the verdict is that of the tests.
    world.service.lost.add("earlier-run-3")
    world.run_attempt = 3
    lost = run()
    same("verdict without it", verdict(lost), ("test-failures", "none", "tests-failed"))
    said = sorted(reason["layer"] for reason in lost.outcome()["reasons"] if reason["code"] == "baseline-unreadable")
    same("who says so", said, ["post", "selection"])


@scenario("copied", "a second repository that holds a copy of gate.yml, and says in its inputs where the gate is")
def copied(world):
    more = gate_elsewhere(world)
    with open(os.path.join(ROOT, GATE)) as file:
        sha = world.repository({GATE: file.read()}, workflows=False)
    ran = dispatch(world, sha, {"gate-repository": "acme/pester-gate", "gate-ref": "v0"}, more)
    same("jobs", ran.jobs, GREEN)
    same("verdict", verdict(ran), ("completed", "none", "tests-passed"))


def init(world, *arguments):
    """A repository with tests, and what `pester-gate init` writes for it."""
    more = gate_elsewhere(world)
    world.repository({}, workflows=False)
    os.remove(os.path.join(world.checkout, "pester-gate.yml"))
    environment = {"PATH": os.environ["PATH"], "HOME": world.top}
    done = subprocess.run([world.binary, "init", "--gate-repository", "acme/pester-gate", *arguments], cwd=world.checkout,
                          env=environment, capture_output=True, text=True, timeout=60)
    same("init", (done.returncode, done.stderr), (0, ""))
    world.commit()
    return more


@scenario("init", "what `pester-gate init` writes runs, in either form")
def init_runs(world):
    for form, owed in (("one-step", {"gate": "success"}), ("five-jobs", GREEN)):
        more = init(world, "--layout", form)
        ran = world.run(".github/workflows/pester-gate.yml", "workflow_dispatch", {"repository": {"full_name": f"{OWNER}/{NAME}"}}, more=more)
        same(f"{form}: jobs", {name: ran.jobs.get(name) for name in owed}, owed)
        same(f"{form}: verdict", verdict(ran), ("completed", "none", "tests-passed"))
        shutil.rmtree(world.folder)
        os.makedirs(world.folder)
        world.service.artifacts.clear()


@scenario("init-trusted-pr", "the router that `pester-gate init --trusted-pr` writes refuses a stranger and admits a labelled branch")
def init_trusted_pr(world):
    more = init(world, "--trusted-pr")
    stranger = pull_request(world, f"mallory/{NAME}", ["pester-gate"])
    refused(world, world.run(ROUTER, "pull_request_target", stranger, more=more), "untrusted-cross-owner-fork")
    world.service.artifacts.clear()
    ran = world.run(ROUTER, "pull_request_target", pull_request(world, f"{OWNER}/{NAME}", ["pester-gate"]), more=more)
    same("inner jobs", {name: ran.jobs.get(name) for name in INNER}, GREEN)
    same("verdict", (verdict(ran), ran.jobs.get("verdict")), (("completed", "none", "tests-passed"), "success"))


def main():
    arguments = sys.argv[1:]
    if "--list" in arguments:
        print("| scenario | proves |\n|---|---|")
        for name, proves, _ in SCENARIOS:
            print(f"| `{name}` | {proves} |")
        return
    real = arguments[arguments.index("--real") + 1] if "--real" in arguments else None
    if real:
        at = arguments.index("--real")
        del arguments[at:at + 2]
        real = os.path.abspath(real)
    act, binary, *names = arguments
    failed, flaky, began = 0, 0, time.monotonic()
    chosen = [row for row in SCENARIOS if not names or row[0] in names]

    def attempt(name, check):
        """Whether it holds, and whether its last run left a verdict."""
        world, since = World(act, os.path.abspath(binary), real), time.monotonic()
        try:
            check(world)
            print(f"ok {name} ({time.monotonic() - since:.1f} s)", flush=True)
            return True, True
        except Exception as error:  # noqa: BLE001 - a scenario that breaks is a failed one, and the others go on
            print(f"FAILED {name}: {error}", flush=True)
            if world.last:
                print(world.last.told(), flush=True)
            return False, bool(world.last and world.last.outcome())
        finally:
            world.close()

    for name, _, check in chosen:
        holds, told = attempt(name, check)
        if not holds and not told:
            # A wrong verdict is the gate's. A run without any may be act's, which runs jobs side by side and is not free of
            # races: one more attempt, counted by itself and with all that the first one said.
            print(f"once more, because there was no verdict: {name}", flush=True)
            holds, _ = attempt(name, check)
            flaky += holds
        failed += not holds
    kind = "the real actions" if real else "stand-ins"
    late = f"; {flaky} of them passed at the second attempt only" if flaky else ""
    print(f"{len(chosen) - failed} passed, {failed} failed of the workflow scenarios, with {kind}, in {time.monotonic() - began:.0f} s{late}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
