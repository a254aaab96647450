"""Where the process stands in the control group hierarchies. Always granted.

Names of control groups can be chosen by whoever may create directories, so a path is evidence only
as far as nobody but root could have made it: use ``trusted`` unless you want to show what the
process claims.
"""

from dataclasses import dataclass

from ._host import ask, interface

_cgroups = interface("cgroups")


@dataclass(slots=True)
class Trusted:
    """One hierarchy, and the part of the path that only root could have made."""

    hierarchy: int
    """Hierarchy number; 0 is the unified (v2) hierarchy."""
    controllers: list[str]
    """Controllers, or ``name=systemd``; empty for v2."""
    prefix: str
    """The longest prefix of the path of which every directory belongs to root and can be written
    by nobody else. Absolute, without a slash at the end except for the root itself."""
    delegated: bool
    """The path goes on below ``prefix``, through directories somebody else may write."""
    mounted: bool
    """The hierarchy is mounted on this host, so ownership could be checked. If it is not,
    ``prefix`` is ``/`` and the entry says nothing."""


@dataclass(slots=True)
class Claimed:
    """One line of proc(5) ``cgroup``."""

    hierarchy: int
    controllers: list[str]
    path: str
    """The whole path."""


def trusted() -> list[Trusted]:
    """Fact ``cgroups.trusted``, level kernel."""
    return [
        Trusted(entry.hierarchy, entry.controllers, entry.prefix, entry.delegated, entry.mounted)
        for entry in ask(_cgroups.trusted)
    ]


def claimed() -> list[Claimed]:
    """Fact ``cgroups.claimed``, level claimed."""
    return [
        Claimed(entry.hierarchy, entry.controllers, entry.path) for entry in ask(_cgroups.claimed)
    ]
