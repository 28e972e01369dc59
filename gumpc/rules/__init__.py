"""Semantic rules over the IR, one file each."""
