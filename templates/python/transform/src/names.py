"""The logic that needs no host, and is tested without one."""


def placed(folder: str, name: str) -> str:
    """The name of an artifact in a folder."""
    return "/".join([*(part for part in folder.split("/") if part), name])
