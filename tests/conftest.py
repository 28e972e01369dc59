"""What holds for every test: random examples are the same in every run, so a failure is one that anyone sees again."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
