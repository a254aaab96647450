"""Files of the host, or of what the process has for a root. Granted by path:
``files.host:/PATH`` or ``files.workload:/PATH``; a path that ends with ``/`` stands for everything
below it. A path that ``plugin.toml`` does not ask for ends the call.

Only regular files are read. Paths are absolute, without ``.``, ``..`` or doubled slashes.
"""

from dataclasses import dataclass

from ._host import ask, interface, text

_files = interface("files")


@dataclass(slots=True)
class Entry:
    """What is in a directory."""

    name: str
    kind: str
    """``file``, ``directory``, ``symlink`` or ``other``."""


@dataclass(slots=True)
class Status:
    """What the file system says about a file."""

    kind: str
    """``file``, ``directory`` or ``other``."""
    size: int
    """Length in bytes."""
    mode: int
    """Permission bits."""
    uid: int
    """Owner, as the daemon sees it."""
    gid: int
    """Group, as the daemon sees it."""
    modified: int
    """Last change of the content, in seconds since 1970."""


class Root:
    """Below which root."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def read(self, path: str) -> bytes | None:
        """Content of a file; ``None`` if there is no such file. ``TooLarge`` over 256 KiB."""
        found: bytes | None = ask(_files.read, self, text("a path", path))
        return found

    def entries(self, path: str) -> list[Entry] | None:
        """What is in a directory, by name; ``None`` if there is no such directory. ``TooLarge``
        over 1024 entries.
        """
        found = ask(_files.entries, self, text("a path", path))
        return None if found is None else [Entry(entry.name, entry.kind) for entry in found]

    def status(self, path: str) -> Status | None:
        """About a file or directory; ``None`` if there is nothing of that name."""
        found = ask(_files.status, self, text("a path", path))
        if found is None:
            return None
        return Status(found.kind, found.size, found.mode, found.uid, found.gid, found.modified)


host = Root(0)
"""The daemon's own. Fact ``files.host``, level runtime: every directory on the way, and the file,
must belong to root (or the daemon's user) and be writable by nobody else, and none may be a
symbolic link; else ``Denied``."""

workload = Root(1)
"""That of the process. Fact ``files.workload``, level claimed: whoever made that root wrote the
file. Symbolic links are followed inside that root, and never out of it."""
