"""The forms for CI: what each escapes, what stays the same when lines move, and the structure that SARIF asks for."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from gumpc.codes import CODES
from gumpc.diagnostics import Diagnostic, Edit, Fix, Note
from gumpc.formats import Findings, github, gitlab, junit, sarif
from gumpc.source import Span

NASTY = "50%: a, b\r\nc\x1b[31m & <d> ]]> \U0001f600"
FILE = "a b,c%:d\u00e9.yaml"
TEXT = "name: a\n\U0001f600: b\nname: a\n"


def findings(*diagnostics: Diagnostic, failing: tuple[str, ...] = ("error",), text: str = TEXT) -> Findings:
    return Findings(diagnostics, {FILE: text}, (FILE, "sound.yaml"), failing, lambda name: f"sub/{name}")


def at(line: int, code: str = "G102", message: str = NASTY) -> Diagnostic:
    return Diagnostic(code, message, Span(FILE, line, 2, line, 5))


WHOLE = Diagnostic(
    "G301",
    NASTY,
    Span(FILE, 1, 1, 2, 4),
    "label",
    (Note("here", Span(FILE, 2, 1, 2, 2), "detail"), Note("nowhere")),
    "do so",
    Fix("fix it", (Edit(Span(FILE, 1, 1, 1, 2), "x"), Edit(Span("other.yaml", 1, 1, 1, 1), NASTY))),
)


def test_annotations_are_one_line_each_and_escaped() -> None:
    lines = github.render(findings(WHOLE, at(2, "G402"))).split("\n")
    assert lines == [
        "::error file=sub/a b%2Cc%25%3Ad\u00e9.yaml,line=1,endLine=2,title=G301%3A a name is ambiguous::"
        "50%25: a, b%0D%0Ac\x1b[31m & <d> ]]> \U0001f600: label"
        "%0Anote: here (sub/a b,c%25:d\u00e9.yaml:2:1): detail%0Anote: nowhere%0Ahelp: do so%0Afix: fix it",
        "::warning file=sub/a b%2Cc%25%3Ad\u00e9.yaml,line=2,col=2,endColumn=5,"
        "title=G402%3A a retry entry that can never apply::50%25: a, b%0D%0Ac\x1b[31m & <d> ]]> \U0001f600",
        "",
    ]


def test_fingerprints_stay_when_lines_move_and_tell_equal_faults_apart() -> None:
    before = gitlab.fingerprints(findings(at(1), at(2), at(3)))
    moved = gitlab.fingerprints(findings(at(3), at(4), at(5), text=f"# new\n\n{TEXT}"))
    assert before == moved
    assert len(set(before)) == 3
    assert gitlab.fingerprints(findings(at(1, message="other"))) != before[:1]


def test_code_quality_has_what_gitlab_asks_for() -> None:
    (issue,) = json.loads(gitlab.render(findings(WHOLE)))
    assert {"description", "check_name", "fingerprint", "severity", "location"} <= issue.keys()
    assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
    assert issue["location"] == {"path": f"sub/{FILE}", "lines": {"begin": 1, "end": 2}}


@pytest.mark.parametrize(("failing", "failures"), [(("error",), 1), (("error", "warning"), 2)])
def test_junit_fails_where_the_check_fails(failing: tuple[str, ...], failures: int) -> None:
    root = ElementTree.fromstring(junit.render(findings(WHOLE, at(2, "G402"), failing=failing)))
    assert root.attrib == {"name": "gumpc check", "tests": "3", "failures": str(failures), "errors": "0"}
    assert len(root.findall("testsuite/testcase/failure")) == failures
    suites = [(s.attrib["name"], s.attrib["tests"], s.attrib["failures"]) for s in root]
    assert suites == [(f"sub/{FILE}", "2", str(failures)), ("sub/sound.yaml", "1", "0")]


def test_junit_holds_no_character_that_xml_forbids() -> None:
    text = junit.render(findings(at(1)))
    assert "\x1b" not in text
    assert "50%: a, b" in ElementTree.fromstring(text).findall(".//failure")[0].attrib["message"]


def test_sarif_has_the_structure_of_its_standard() -> None:
    log = json.loads(sarif.render(findings(WHOLE, at(2, "G402"), at(3, "G402"))))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["shortDescription"]["text"] for rule in rules] == [CODES[rule["id"]].title for rule in rules]
    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == [r["ruleId"] for r in run["results"]]
    assert [r["level"] for r in run["results"]] == ["error", "warning", "warning"]
    first = run["results"][0]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "sub/a%20b%2Cc%25%3Ad%C3%A9.yaml"}
    assert place["region"] == {"startLine": 1, "startColumn": 1, "endLine": 2, "endColumn": 4}
    assert [r["message"]["text"] for r in first["relatedLocations"]] == ["here"]
    changes = first["fixes"][0]["artifactChanges"]
    assert [c["artifactLocation"]["uri"] for c in changes] == ["sub/a%20b%2Cc%25%3Ad%C3%A9.yaml", "sub/other.yaml"]
    assert changes[1]["replacements"][0]["insertedContent"]["text"] == NASTY
    assert len({r["partialFingerprints"]["gumpc/v1"] for r in run["results"]}) == 3
