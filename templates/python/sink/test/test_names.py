import unittest

from names import path_of


class PathOf(unittest.TestCase):
    def test_a_name_becomes_a_path_below_the_folder(self):
        self.assertEqual(path_of("/", "a/b.json"), "/a/b.json")
        self.assertEqual(path_of("/x/", "a b?"), "/x/a%20b%3F")
