"""`gumpc check --explain CODE`: the page of a code, as docs/diagnostics.md has it."""

from __future__ import annotations

import sys

from gumpc.cli.console import fail
from gumpc.code_pages import page_as_text, read_pages
from gumpc.nearest import nearest


def explain_code(code: str) -> int:
    """Print the page; 2, with the nearest code, when there is none."""
    pages = read_pages()
    page = pages.get(code.strip().upper())
    if page is None:
        close = nearest(code.strip().upper(), pages)
        hint = f"did you mean `{close}`? " if close else ""
        return fail(f"there is no code `{code}`", help=f"{hint}docs/diagnostics.md lists all of them")
    sys.stdout.write(page_as_text(page))
    return 0
