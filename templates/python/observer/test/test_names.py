import unittest

from names import sentence


class Sentence(unittest.TestCase):
    def test_a_cause_is_told_where_there_is_one(self):
        self.assertEqual(sentence("nightly-1", "succeeded", None), "nightly-1 has succeeded")
        self.assertEqual(
            sentence(None, "failed", "disk full"), "the session has failed: disk full"
        )
