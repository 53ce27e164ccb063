"""The Function: puts every artifact into a folder.

The bytes stay on the host's side. To look at them, read the body by ``artifacts.as_stdin`` and
write by ``outgoing.as_stdout``: a list of bytes that is handed to ``write`` is never freed.
"""

import json

from wit_world import exports
from wit_world.imports import downstream, parameters, upstream
from wit_world.imports.artifacts import Header

from names import placed


class Transform(exports.Transform):
    def run(self) -> None:
        folder = json.loads(parameters.json())["folder"]
        while (artifact := upstream.receive()) is not None:
            header = artifact.header
            outgoing = downstream.send(
                Header(placed(folder, header.name), header.size, header.attributes)
            )
            outgoing.forward(artifact.body)
            outgoing.finish()
