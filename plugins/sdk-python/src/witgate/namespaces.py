"""The namespaces the process lives in. Always granted."""

from dataclasses import dataclass

from ._host import ask, interface

_namespaces = interface("namespaces")


@dataclass(slots=True)
class Namespace:
    """One namespace."""

    kind: str
    """``cgroup``, ``ipc``, ``mnt``, ``net``, ``pid``, ``time``, ``user`` or ``uts``."""
    inode: int
    """Its inode number, which names it until the next boot."""
    host: bool
    """It is the one that the daemon lives in, which on a host is the host's own."""


def all() -> list[Namespace]:
    """Fact ``namespaces.all``, level kernel."""
    return [Namespace(entry.kind, entry.inode, entry.host) for entry in ask(_namespaces.all)]
