"""Adapters: one file per agent CLI, behind one protocol."""
