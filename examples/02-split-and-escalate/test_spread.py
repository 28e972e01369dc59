import unittest

from stats import spread


class TestSpread(unittest.TestCase):
    def test_some(self):
        self.assertEqual(spread([3, 1, 8]), 7)
