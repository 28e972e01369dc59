"""The executor: a plan in, events out, and every effect of the system."""
