"""The parents of the process. Granted by name.

A parent is whoever the kernel names as one at this moment: after a parent exits, another process
takes its place. Level claimed.
"""

from dataclasses import dataclass

from ._host import ask, interface

_ancestry = interface("ancestry")


@dataclass(slots=True)
class Ancestor:
    """One ancestor."""

    uid: int
    """Effective user id."""
    gid: int
    """Effective group id."""
    comm: bytes
    """The name it gives itself; at most 15 bytes."""
    executable: str | None
    """Path of its executable, if it can be read."""
    start_time: int
    """Clock ticks from boot until it began."""


def parents() -> list[Ancestor]:
    """Fact ``ancestry.parents``: nearest first, at most 16, without the process itself."""
    return [
        Ancestor(found.uid, found.gid, found.comm, found.executable, found.start_time)
        for found in ask(_ancestry.parents)
    ]
