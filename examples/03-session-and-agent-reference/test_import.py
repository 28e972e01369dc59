import unittest

import roman


class TestImport(unittest.TestCase):
    def test_it_says_what_it_is(self):
        self.assertIn("Roman", roman.__doc__)
