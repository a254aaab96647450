"""The program file behind the process. Granted by name.

On stock Linux a hostile process of the same uid can forge all of this, and unless the request was
challenged a program may have replaced itself before it was looked at: facts of this interface are
of level image at best, and claimed for an unchallenged request.
"""

from dataclasses import dataclass

from ._host import ask, interface

_executable = interface("executable")


@dataclass(slots=True)
class Program:
    """What the link ``exe`` leads to."""

    path: str
    """Path in the process's own mount namespace, made printable. A deleted file keeps the path it
    had; ``deleted`` tells, never a suffix."""
    device: int
    inode: int
    size: int
    """Length in bytes."""
    deleted: bool
    """The file has no name any more."""
    same_on_host: bool
    """The path leads to this same file in the daemon's mount namespace."""


def info() -> Program:
    """Fact ``executable.info``."""
    found = ask(_executable.info)
    return Program(
        found.path, found.device, found.inode, found.size, found.deleted, found.same_on_host
    )


def doubts() -> list[str]:
    """Fact ``executable.doubts``: what speaks against taking the process for the program that the
    link names, by name. None is no proof. Words may be added; these exist:

    - ``deleted``: the file has no name any more;
    - ``exe_not_mapped``: nothing of the file is mapped, so the link was set to it;
    - ``foreign_mount``: the path leads to another file, or to none, in the daemon's mount
      namespace;
    - ``memfd``: the file is memory that never had a name;
    - ``nested_userns``: the process lives in a user namespace other than the daemon's;
    - ``traced``: another process traces it and can make it do anything.

    With ``exe_not_mapped`` and ``nested_userns``, where the link may be a forgery, ``info`` and
    ``sha256`` are withheld.
    """
    found: list[str] = ask(_executable.doubts)
    return found


def sha256() -> str:
    """Fact ``executable.sha256``: the digest of the file's content, 64 lower-case hexadecimal
    digits. ``TooLarge`` over the operator's size limit.
    """
    found: str = ask(_executable.sha256)
    return found
