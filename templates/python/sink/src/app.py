"""The Function: sends every artifact to the target. The bytes stay on the host's side."""

import json

from wit_world import exports
from wit_world.imports import parameters, upstream

from names import path_of
from requests_to import request


class Sink(exports.Sink):
    def run(self) -> None:
        folder = json.loads(parameters.json())["folder"]
        while (artifact := upstream.receive()) is not None:
            path = path_of(folder, artifact.header.name)
            answer = request("PUT", path, body=artifact.body)
            if not 200 <= answer.status <= 299:
                raise answer.refused(f"PUT {path}")
            answer.body.discard()
