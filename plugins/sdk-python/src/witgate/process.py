"""What the kernel knows about the process that is being attested. Always granted."""

from dataclasses import dataclass

from ._host import ask, interface

_process = interface("process")


@dataclass(slots=True)
class Credentials:
    """Who the process is to the kernel, as captured by the socket when it connected."""

    uid: int
    """Effective user id."""
    gid: int
    """Effective group id."""
    groups: list[int]
    """Supplementary group ids, ascending."""


@dataclass(slots=True)
class Names:
    """The credentials' names in this host's user and group database; ``None`` where it has none."""

    user: str | None
    group: str | None
    groups: list[str | None]
    """In the order of ``Credentials.groups``."""


@dataclass(slots=True)
class Privileges:
    """What the process may still do. Sets of capabilities are bit masks by capability number."""

    seccomp: int
    """0 none, 1 strict, 2 filter."""
    no_new_privs: bool
    inheritable: int
    permitted: int
    effective: int
    bounding: int
    ambient: int


def credentials() -> Credentials:
    """Fact ``process.credentials``, level kernel."""
    found = ask(_process.credentials)
    return Credentials(found.uid, found.gid, found.groups)


def names() -> Names:
    """Fact ``process.names``, level kernel: the host resolves them, a plugin reads no files."""
    found = ask(_process.names)
    return Names(found.user, found.group, found.groups)


def label() -> str:
    """Fact ``process.label``, level kernel: the LSM label of the connecting socket (AppArmor,
    SELinux, Smack). ``Unsupported`` where no module labels sockets.
    """
    found: str = ask(_process.label)
    return found


def privileges() -> Privileges:
    """Fact ``process.privileges``, level kernel."""
    found = ask(_process.privileges)
    return Privileges(
        found.seccomp,
        found.no_new_privs,
        found.inheritable,
        found.permitted,
        found.effective,
        found.bounding,
        found.ambient,
    )


def state() -> str:
    """Fact ``process.state``, level kernel: the state letter of proc(5), ``S``, ``R`` and so on."""
    found: str = ask(_process.state)
    return found


def start_time() -> int:
    """Fact ``process.start-time``, level kernel: clock ticks from boot until the process began.
    The unit is 10 ms, so it names no process by itself.
    """
    found: int = ask(_process.start_time)
    return found


def comm() -> bytes:
    """Fact ``process.comm``, level claimed: the name the process gives itself; at most 15 bytes."""
    found: bytes = ask(_process.comm)
    return found
