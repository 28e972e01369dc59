"""Titles as parts of URLs."""


def slug(title):
    """The title in lower case."""
    return title.lower()
