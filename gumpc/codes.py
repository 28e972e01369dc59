"""The table of diagnostic codes: severity and title, one line per code; the documentation is made from it.

Families: G0xx text and YAML, G1xx shape, G2xx template syntax, G3xx names, G4xx flow, G5xx agents, gates and files
of this repository, G6xx safety. A code is never given a new meaning.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """What is true of every diagnostic with this code."""

    severity: str
    title: str


E, W = "error", "warning"

CODES: dict[str, Code] = {
    "G001": Code(E, "the file is not UTF-8 text"),
    "G002": Code(E, "the YAML cannot be read"),
    "G003": Code(E, "a tab is used for indentation"),
    "G004": Code(E, "a key is given twice"),
    "G005": Code(E, "a YAML tag is not allowed here"),
    "G006": Code(E, "an alias is unknown, cyclic or expands too far"),
    "G007": Code(E, "the file is too large or nested too deeply"),
    "G008": Code(E, "a file holds more than one document, or none"),
    "G009": Code(E, "a merge key does not name a mapping"),
    "G010": Code(W, "a published spelling that YAML reads otherwise"),
    "G011": Code(W, "a comment that ignores nothing"),
    "G101": Code(E, "a required key is missing"),
    "G102": Code(E, "an unknown key"),
    "G103": Code(E, "a value has the wrong type"),
    "G104": Code(E, "a value is not one of those allowed"),
    "G105": Code(E, "two keys cannot stand together"),
    "G106": Code(E, "a number is out of range"),
    "G107": Code(E, "a duration cannot be read"),
    "G108": Code(E, "a name is not allowed"),
    "G109": Code(E, "two siblings have the same name"),
    "G110": Code(E, "this key belongs to the other edition"),
    "G111": Code(E, "a file mixes both editions"),
    "G201": Code(W, "a brace is opened and not closed on its line"),
    "G202": Code(E, "a reference cannot be read"),
    "G301": Code(E, "a name is ambiguous"),
    "G302": Code(E, "a name is not defined"),
    "G303": Code(E, "a name is not in scope here"),
    "G304": Code(E, "a reference to a step that runs later"),
    "G305": Code(E, "a step refers to itself"),
    "G306": Code(E, "a field that this step does not write"),
    "G307": Code(E, "a task variable outside each"),
    "G308": Code(E, "an unknown gate name"),
    "G309": Code(E, "a session target that cannot be continued"),
    "G310": Code(W, "a free input"),
    "G311": Code(E, "an input of a called workflow is missing"),
    "G312": Code(W, "an input that the called workflow never reads"),
    "G313": Code(W, "a retry-only variable in a step without retry"),
    "G314": Code(E, "a reference into another parallel branch"),
    "G315": Code(E, "a variable that has no meaning here"),
    "G316": Code(E, "a foreach over a step that makes no tasks"),
    "G317": Code(W, "a value of the run so far, so the step always runs"),
    "G401": Code(E, "a retry without exit"),
    "G402": Code(W, "a retry entry that can never apply"),
    "G403": Code(E, "retry attempts must ascend"),
    "G404": Code(E, "a cycle of calls"),
    "G501": Code(E, "an unknown agent"),
    "G502": Code(E, "a file that a prompt needs is missing"),
    "G503": Code(W, "a context file is missing"),
    "G504": Code(E, "a required context file is missing"),
    "G505": Code(E, "a gate's command cannot be resolved in this repository"),
    "G506": Code(E, "a called workflow cannot be found"),
    "G507": Code(E, "a called validator does not end in a validate step"),
    "G508": Code(E, "a bad glob"),
    "G601": Code(E, "a reference where the shell would not quote it"),
    "G602": Code(E, "a path that leaves the repository"),
}
