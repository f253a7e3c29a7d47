#!/usr/bin/env python3
"""Counts results files with ElementTree, independently of the product's readers.

Prints one JSON object {path: counts} for the files given. Rules: docs/results.md.
"""
import json
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


def counts(path):
    root = ET.parse(path).getroot()
    readers = {"testsuites": junit, "testsuite": junit, "test-results": nunit25, "test-run": nunit3, "test-suite": nunit3, "TestRun": trx}
    reader = readers.get(local(root.tag))
    if reader is None:
        return None
    out = dict.fromkeys(["total", "passed", "failed", "errors", "skipped", "notRun"], 0)
    for outcome in reader(root):
        out[outcome] += 1
        out["total"] += outcome != "notRun"
    return out


print(json.dumps({path: counts(path) for path in sys.argv[1:]}))
