import unittest

from answers import keys_of, kind_of, put_by


class Answers(unittest.TestCase):
    def test_artifacts_are_known_by_their_names(self):
        self.assertEqual(kind_of("etcd.json"), "about")
        self.assertEqual(kind_of("keys/00000001.json"), "keys")
        for name in ("keys/1.json", "keys/00000001.json.age", "../etcd.json", ""):
            self.assertIsNone(kind_of(name))

    def test_keys_are_counted(self):
        self.assertEqual(keys_of(b'{"form": "etcd-export/v1", "keys": 7}'), 7)
        self.assertEqual(put_by(b'{"succeeded": true, "responses": [{}, {}]}'), 2)

    def test_what_did_not_succeed_is_an_error(self):
        for content in (b"{}", b'{"succeeded": false, "responses": []}', b"no json"):
            with self.assertRaises(ValueError):
                put_by(content)
        with self.assertRaises(ValueError):
            keys_of(b'{"form": "etcd-export/v2", "keys": 7}')
