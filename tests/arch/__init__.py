"""Tests of the shape of the code: who imports whom, what a command loads, what the wheel holds."""
