"""The logic that needs no host, and is tested without one."""

from urllib.parse import quote


def path_of(folder: str, name: str) -> str:
    """The path an artifact goes to."""
    parts = [*(part for part in folder.split("/") if part), *name.split("/")]
    return "".join("/" + quote(part, safe="") for part in parts)
