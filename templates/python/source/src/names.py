"""The logic that needs no host, and is tested without one."""


def artifact_name(path: str) -> str:
    """The last part of a path, as the name of an artifact."""
    parts = [part for part in path.split("?")[0].split("/") if part]
    return parts[-1] if parts else "export"
