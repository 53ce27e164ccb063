import json
import unittest

from keys import MOST_BYTES, after, encode, end_of, groups, key_of, transaction


class Range(unittest.TestCase):
    def test_a_range_ends_behind_its_last_key(self):
        for prefix, end in [("", b"\x00"), ("a", b"b"), ("/x/", b"/x0"), ("ÿ", "ÿ".encode()[:-1] + b"\xc0")]:
            self.assertEqual(end_of(key_of(prefix)), end)
        self.assertEqual(end_of(b"a\xff\xff"), b"b")
        self.assertEqual(end_of(b"\xff"), b"\x00")

    def test_the_next_page_begins_behind_the_last_key(self):
        self.assertEqual(after(encode(b"a")), b"a\x00")


class Transaction(unittest.TestCase):
    def test_it_puts_each_key_with_its_value(self):
        body = json.loads(transaction([{"key": "YQ==", "value": "MQ=="}, {"key": "Yg=="}]))
        self.assertEqual(
            body,
            {
                "success": [
                    {"request_put": {"key": "YQ==", "value": "MQ=="}},
                    {"request_put": {"key": "Yg==", "value": ""}},
                ]
            },
        )

    def test_keys_that_fit_are_together_and_no_key_is_lost(self):
        big = encode(bytes(MOST_BYTES * 2 // 3))
        kvs = [{"key": encode(str(n).encode()), "value": value} for n, value in enumerate(["", big, big, ""])]
        parts = list(groups(kvs))
        self.assertEqual([len(part) for part in parts], [2, 2])
        self.assertEqual([kv for part in parts for kv in part], kvs)
        self.assertEqual(list(groups([])), [])
