"""Keys of etcd: ranges, base64, and transactions. It asks nobody, and is tested without a host."""

import base64
import json

# etcd refuses requests of more than 1.5 MiB; what surrounds keys and values needs some of it.
MOST_BYTES = 1 << 20

# The end of a range that is all keys, and the first key there can be.
ALL = b"\x00"


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def key_of(prefix: str) -> bytes:
    """The first key of a range: an empty one is no key."""
    return prefix.encode() or ALL


def end_of(first: bytes) -> bytes:
    """The end of the range of all keys that begin like this."""
    if first == ALL:
        return ALL
    kept = first.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else ALL


def after(key: str) -> bytes:
    """The first key that can come after this one."""
    return base64.b64decode(key) + b"\x00"


def groups(kvs: list[dict]):
    """Keys in groups that fit into a request."""
    group: list[dict] = []
    length = 0
    for kv in kvs:
        bytes_of = (len(kv["key"]) + len(kv.get("value", ""))) * 3 // 4
        if group and length + bytes_of > MOST_BYTES:
            yield group
            group, length = [], 0
        group.append(kv)
        length += bytes_of
    if group:
        yield group


def transaction(kvs: list[dict]) -> bytes:
    """The body of a request that puts these keys, all or none."""
    puts = [
        {"request_put": {"key": kv["key"], "value": kv.get("value", "")}} for kv in kvs
    ]
    return json.dumps({"success": puts}, separators=(",", ":")).encode()
