"""Reports: a model folded from the ledger, and its views."""
