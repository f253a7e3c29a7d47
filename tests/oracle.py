#!/usr/bin/env python3
"""Counts results files with ElementTree and json, independently of the product's readers.

Prints one JSON object {path: counts} for the files given. Rules: docs/results.md.
"""
import json
import re
import sys
import xml.etree.ElementTree as ET


def local(tag):
    return tag.rsplit("}", 1)[-1]


def junit(root):
    for case in root.iter():
        if local(case.tag) != "testcase":
            continue
        kinds = {local(child.tag) for child in case}
        if "error" in kinds:
            yield "errors"
        elif "failure" in kinds:
            yield "failed"
        elif case.get("status", "").lower() in ("disabled", "notrun"):
            yield "notRun"
        elif "skipped" in kinds:
            yield "skipped"
        else:
            yield "passed"


NUNIT = {
    "success": "passed", "failure": "failed", "error": "errors", "cancelled": "errors",
    "ignored": "skipped", "skipped": "skipped", "inconclusive": "skipped", "notrunnable": "skipped",
}


def nunit25(root):
    listed = not_executed = 0
    for case in root.iter():
        if local(case.tag) != "test-case":
            continue
        executed = case.get("executed", "").lower()
        listed += 1
        not_executed += executed == "false"
        if case.get("result"):
            yield NUNIT.get(case.get("result").lower(), "errors")
        elif executed == "false":
            yield "skipped"
        elif case.get("success"):
            yield "passed" if case.get("success").lower() == "true" else "failed"
        else:
            yield "failed" if any(local(child.tag) == "failure" for child in case) else "passed"
    # Pester's total holds listed cases that were not executed, NUnit's does not.
    not_run = int(root.get("not-run", 0))
    listed_in_not_run = not_executed if root.get("total") is None else listed - int(root.get("total"))
    yield from ["notRun"] * min(not_run, max(0, not_run - listed_in_not_run))


NUNIT3 = {"passed": "passed", "warning": "passed", "failed": "failed", "skipped": "skipped", "inconclusive": "skipped"}


def nunit3(root):
    for case in root.iter():
        if local(case.tag) == "test-case":
            outcome = NUNIT3.get(case.get("result", "").lower(), "errors")
            yield "errors" if outcome == "failed" and case.get("label", "").lower() == "error" else outcome


TRX = {"passed": "passed", "completed": "passed", "warning": "passed", "failed": "failed", "notexecuted": "skipped", "inconclusive": "skipped"}


def trx(root):
    for result in root.iter():
        name = local(result.tag)
        if name.endswith("TestResult") or name == "TestResultAggregation":
            # What holds results of its own is not one beside them.
            if not any(local(child.tag) == "InnerResults" and len(child) for child in result):
                yield TRX.get(result.get("outcome", "").lower(), "errors")


GO = {"pass": "passed", "bench": "passed", "skip": "skipped"}


def go(events):
    running, failed = {}, set()
    for event in events:
        package, test = event.get("Package"), event.get("Test")
        action = event["Action"]
        if action == "run":
            running[package, test] = ""
        elif action == "output" and test:
            running[package, test] = running.get((package, test), "") + event["Output"]
        elif action in ("pass", "bench", "skip", "fail"):
            if test:
                output = running.pop((package, test), "")
                if action == "fail":
                    failed.add(package)
                    yield "errors" if re.search("^(panic|fatal error): ", output, re.M) else "failed"
                else:
                    yield GO[action]
            else:
                left = [key for key in running if key[0] == package]
                for key in left:
                    del running[key]
                    failed.add(package)
                    yield "errors"
                if action == "fail" and package not in failed:
                    yield "errors"


LIBTEST = {"ok": "passed", "FAILED": "failed", "ignored": "skipped", "bench": "passed"}


def libtest(text):
    for block in re.split("^running [0-9]+ tests?$", text, flags=re.M)[1:]:
        for word in re.findall(r"^test .* \.\.\. (ok|FAILED|ignored|bench)\b", block.split("\nfailures:\n")[0], re.M):
            yield LIBTEST[word]


JEST = {"passed": "passed", "failed": "failed", "pending": "skipped", "todo": "skipped", "skipped": "skipped", "disabled": "notRun"}


def jest(root):
    for file in root["testResults"]:
        outcomes = [JEST.get(case["status"], "errors") for case in file["assertionResults"]]
        yield from outcomes
        if file["status"] == "failed" and not {"failed", "errors"} & set(outcomes):
            yield "errors"


def mocha(root):
    yield from ["passed"] * len(root["passes"]) + ["skipped"] * len(root["pending"])
    for test in root["failures"]:
        yield "errors" if re.match('"(before|after) (all|each)" hook', test["title"]) else "failed"


def rspec(root):
    for example in root["examples"]:
        yield {"passed": "passed", "pending": "skipped", "failed": "failed"}.get(example["status"], "errors")
    yield from ["errors"] * root["summary"]["errors_outside_of_examples_count"]


def outcomes_of_text(text):
    if text.lstrip().startswith("{"):
        try:
            root = json.loads(text)
        except ValueError:
            return go([json.loads(line) for line in text.splitlines()])
        return (jest if "testResults" in root else rspec if "examples" in root else mocha)(root)
    return libtest(text)


def counts(path):
    if path.endswith((".json", ".jsonl", ".txt")):
        return totals(outcomes_of_text(open(path, encoding="utf-8").read()))
    root = ET.parse(path).getroot()
    readers = {"testsuites": junit, "testsuite": junit, "test-results": nunit25, "test-run": nunit3, "test-suite": nunit3, "TestRun": trx}
    reader = readers.get(local(root.tag))
    if reader is None:
        return None
    return totals(reader(root))


def totals(outcomes):
    out = dict.fromkeys(["total", "passed", "failed", "errors", "skipped", "notRun"], 0)
    for outcome in outcomes:
        out[outcome] += 1
        out["total"] += outcome != "notRun"
    return out


print(json.dumps({path: counts(path) for path in sys.argv[1:]}))
