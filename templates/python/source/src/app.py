"""The Function: asks the target for one path and stores the answer.

The bytes stay on the host's side. An answer without a length needs an interim volume if it has
more than 1 MiB.
"""

import json

from wit_world import exports
from wit_world.imports import downstream, parameters
from wit_world.imports.artifacts import Header

from names import artifact_name
from requests_to import request


class Source(exports.Source):
    def run(self) -> None:
        path = json.loads(parameters.json())["path"]
        answer = request("GET", path)
        if answer.status != 200:
            raise answer.refused(f"GET {path}")
        outgoing = downstream.send(Header(artifact_name(path), answer.body.size(), []))
        outgoing.forward(answer.body)
        outgoing.finish()
