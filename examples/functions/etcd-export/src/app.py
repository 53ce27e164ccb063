"""The Function: stores the keys of an etcd, through its JSON gateway.

All pages are of the revision of the first, so what is stored is one state of the store. Each
artifact is the body of a transaction that puts its keys: ``etcd-import`` sends it as it is.
Bytes leave by standard output, since a list that is handed to the host is never freed.
"""

import json
import sys

from wit_world import exports
from wit_world.imports import downstream, parameters, progress
from wit_world.imports.artifacts import Header

from keys import after, end_of, encode, groups, key_of, transaction
from requests_to import failed, request, retryable

# Bytes written to standard output at once.
PART = 64 << 10

PATH = "/v3/kv/range"


class Source(exports.Source):
    def run(self) -> None:
        wanted = json.loads(parameters.json())
        first = key_of(wanted["prefix"])
        end = end_of(first)
        revision = 0
        stored = 0
        number = 0
        while True:
            page = read(first, end, revision, wanted["pageSize"])
            revision = page.revision
            kept = [kv for kv in page.kvs if wanted["leased"] or "lease" not in kv]
            for group in groups(kept):
                number += 1
                send(f"keys/{number:08}.json", transaction(group))
                stored += len(group)
            if not page.more:
                break
            first = after(page.kvs[-1]["key"])
        send("etcd.json", about(wanted["prefix"], revision, stored))
        progress.statistic("keys", float(stored))
        progress.statistic("revision", float(revision))


class Page:
    """An answer to a range request."""

    def __init__(self, answer: dict):
        self.revision = int(answer["header"]["revision"])
        self.kvs = answer.get("kvs", [])
        # Without a key there is no next one to begin with.
        self.more = bool(answer.get("more")) and bool(self.kvs)


def read(first: bytes, end: bytes, revision: int, limit: int) -> Page:
    asked = {
        "key": encode(first),
        "range_end": encode(end),
        "revision": str(revision),
        # Keys come in order. To ask for an order would have etcd read the whole range each time.
        "limit": str(limit),
    }
    answer = request(
        "POST",
        PATH,
        headers={"content-type": "application/json"},
        body=json.dumps(asked).encode(),
    )
    if answer.status != 200:
        refusal = answer.refused(f"POST {PATH}")
        if revision and "compacted" in str(refusal.value.value):
            raise retryable(
                f"revision {revision} was compacted while it was read; "
                "etcd keeps revisions too short a time, or the export takes too long"
            )
        raise refusal
    try:
        return Page(json.loads(answer.read()))
    except (ValueError, KeyError, TypeError) as error:
        raise failed(f"POST {PATH}: the answer is not etcd's: {error!r}") from None


def send(name: str, content: bytes) -> None:
    outgoing = downstream.send(Header(name, len(content), []))
    outgoing.as_stdout()
    try:
        # In parts: of more than 1 MiB at once, standard output takes 1 MiB and no more.
        for start in range(0, len(content), PART):
            sys.stdout.buffer.write(content[start : start + PART])
        sys.stdout.buffer.flush()
    except OSError:
        # What broke it off, `finish` tells: fewer bytes than declared are never an artifact.
        pass
    outgoing.finish()


def about(prefix: str, revision: int, stored: int) -> bytes:
    facts = {"form": "etcd-export/v1", "prefix": prefix, "revision": revision, "keys": stored}
    return (json.dumps(facts, indent=2) + "\n").encode()
