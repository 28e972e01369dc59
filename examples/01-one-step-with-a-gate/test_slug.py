import unittest

from slug import slug


class TestSlug(unittest.TestCase):
    def test_lower_case(self):
        self.assertEqual(slug("Hello"), "hello")
