"""Performs one gate and says whether it passed: `judge.judge` on what `check` describes gives a `verdict.Verdict`."""
