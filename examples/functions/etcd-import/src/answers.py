"""What artifacts and answers mean. It asks nobody, and is tested without a host."""

import json
import re


def kind_of(name: str) -> str | None:
    """What an artifact is: ``about``, ``keys``, or nothing of ours."""
    if name == "etcd.json":
        return "about"
    return "keys" if re.fullmatch(r"keys/[0-9]{8}\.json", name) else None


def keys_of(content: bytes) -> int:
    """How many keys were stored."""
    facts = json.loads(content)
    if facts["form"] != "etcd-export/v1":
        raise ValueError(f"form {facts['form']!r} is unknown")
    return int(facts["keys"])


def put_by(content: bytes) -> int:
    """How many keys a transaction has put."""
    answer = json.loads(content)
    if answer.get("succeeded") is not True:
        raise ValueError("the transaction did not succeed")
    return len(answer["responses"])
