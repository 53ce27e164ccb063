"""The Function: says how the session ended.

An error of an observer is reported and changes nothing.
"""

from wit_world import exports
from wit_world.imports import outcomes, progress, session
from wit_world.imports.outcomes import Status
from wit_world.imports.progress import Level

from names import sentence


class Observer(exports.Observer):
    def run(self) -> None:
        status = outcomes.overall()
        cause = outcomes.cause()
        reason = getattr(cause, "value", None)
        message = getattr(reason, "message", reason)
        level = Level.INFO if status == Status.SUCCEEDED else Level.WARN
        name = session.fact("session.name")
        progress.log(level, sentence(name, status.name.lower(), message))
