"""docs/diagnostics.md: each code has a page, each example gives its code and no other, all is up to date."""

from __future__ import annotations

import re

import pytest

from gumpc.code_pages import read_pages
from gumpc.codes import CODES
from tests.arch.diagnostics_page import FAMILIES, PAGE, make_page, said_of

PAGES = read_pages()


def test_every_code_has_a_page_and_every_page_a_code():
    assert PAGES.keys() == CODES.keys()
    assert all(code.startswith(tuple(FAMILIES)) for code in CODES)


@pytest.mark.parametrize("code", sorted(PAGES))
def test_an_example_gives_its_code_and_no_other(code: str):
    assert set(re.findall(r"^\w+\[(G\d{3})\]", said_of(PAGES[code]), re.MULTILINE)) == {code}


def test_the_page_is_what_is_made_from_the_table():
    assert PAGE.read_text("utf-8") == make_page(), "`make update-golden` writes docs/diagnostics.md"
