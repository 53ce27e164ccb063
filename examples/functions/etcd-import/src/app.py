"""The Function: puts keys back that ``etcd-export`` has stored.

Every artifact below ``keys/`` is the body of a transaction and goes to etcd as it is: its bytes
never enter this code. Keys that were not stored stay as they are. Transactions put, and nothing
else, so an import that broke off can be done again.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import progress, upstream
from wit_world.imports.artifacts import Body
from wit_world.imports.errors import Error_DataLossRisk
from wit_world.imports.progress import Level

from answers import keys_of, kind_of, put_by
from requests_to import failed, request

PATH = "/v3/kv/txn"


class Sink(exports.Sink):
    def run(self) -> None:
        stored = None
        put = 0
        while (artifact := upstream.receive()) is not None:
            name = artifact.header.name
            kind = kind_of(name)
            if kind == "about":
                stored = understood(keys_of, read(artifact.body), name)
            elif kind == "keys":
                put += send(name, artifact.body)
            else:
                # Such as the list of another Function. Whether all keys came, the count tells.
                artifact.body.discard()
                progress.log(Level.INFO, f"{name} is none of etcd-export's and left out")
        if stored is None:
            raise Err(Error_DataLossRisk("etcd.json, which says how many keys there are, is missing"))
        if stored != put:
            raise Err(Error_DataLossRisk(f"{put} keys were put and {stored} were stored"))
        progress.statistic("keys", float(put))


def send(name: str, body: Body) -> int:
    answer = request("POST", PATH, headers={"content-type": "application/json"}, body=body)
    if answer.status != 200:
        raise answer.refused(f"POST {PATH} of {name}")
    return understood(put_by, answer.read(), f"the answer for {name}")


def read(body: Body) -> bytes:
    return b"".join(iter(lambda: body.read(1 << 16), None))


def understood(reader, content: bytes, what: str) -> int:
    try:
        return reader(content)
    except (ValueError, KeyError, TypeError) as error:
        raise failed(f"{what} is not what it should be: {error!r}") from None
