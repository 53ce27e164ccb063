import unittest

from names import placed


class Placed(unittest.TestCase):
    def test_a_folder_comes_before_the_name_once(self):
        self.assertEqual(placed("", "a/b"), "a/b")
        self.assertEqual(placed("2026/", "a"), "2026/a")
        self.assertEqual(placed("/x//y", "a"), "x/y/a")
