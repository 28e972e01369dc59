"""Figures of a list of numbers."""


def spread(numbers):
    """How far the largest is from the smallest."""
    return max(numbers) - min(numbers)
