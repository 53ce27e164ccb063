import unittest

from names import artifact_name


class ArtifactName(unittest.TestCase):
    def test_it_is_that_of_what_was_asked_for(self):
        self.assertEqual(artifact_name("/v1/export.json?pretty"), "export.json")
        self.assertEqual(artifact_name("/a/b/"), "b")
        self.assertEqual(artifact_name("/"), "export")
