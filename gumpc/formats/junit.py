"""JUnit XML, which every CI shows as tests: a suite per workflow, a case per diagnostic.

Only what makes the check fail is a failure; another diagnostic is a case that passes and has its text as output, so the
report never contradicts the exit code. A workflow without diagnostics is one case that passes.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from gumpc.diagnostics import Diagnostic
from gumpc.formats import Findings

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(findings: Findings) -> str:
    """The document, with counts for the whole and for each suite."""
    root = ElementTree.Element("testsuites", name="gumpc check")
    for name in dict.fromkeys([*findings.files, *(d.span.file for d in findings.diagnostics)]):
        _suite(root, name, findings)
    cases, failures = len(root.findall("*/testcase")), len(root.findall("*/*/failure"))
    root.attrib |= {"tests": str(cases), "failures": str(failures), "errors": "0"}
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, name: str, findings: Findings) -> None:
    path = _xml(findings.path(name))
    suite = ElementTree.SubElement(root, "testsuite", name=path)
    found = [diagnostic for diagnostic in findings.diagnostics if diagnostic.span.file == name]
    if not found:
        ElementTree.SubElement(suite, "testcase", name="check", classname=path)
    for diagnostic in found:
        _case(suite, path, diagnostic, findings)
    suite.attrib |= {
        "tests": str(len(suite)),
        "failures": str(sum(d.severity in findings.failing for d in found)),
        "errors": "0",
    }


def _case(suite: ElementTree.Element, path: str, diagnostic: Diagnostic, findings: Findings) -> None:
    span = diagnostic.span
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=f"{diagnostic.code} at {span.line}:{span.column}",
        classname=path,
        file=path,
        line=str(span.line),
    )
    text = f"{path}:{span.line}:{span.column}: {_xml(findings.details(diagnostic))}"
    if diagnostic.severity in findings.failing:
        failure = ElementTree.SubElement(case, "failure", type=diagnostic.code, message=_xml(diagnostic.message))
        failure.text = text
    else:
        ElementTree.SubElement(case, "system-out").text = f"{diagnostic.severity}: {text}"


def _xml(text: str) -> str:
    """`text` with the characters replaced that no XML may hold."""
    return _NOT_XML.sub("\ufffd", text)
