"""The logic that needs no host, and is tested without one."""


def sentence(session: str | None, status: str, cause: str | None) -> str:
    """How a session ended, in a sentence."""
    ended = f"{session or 'the session'} has {status}"
    return f"{ended}: {cause}" if cause else ended
