"""The arguments the process shows. Granted by name. Level claimed: a process can write there
whatever it likes, at any time.
"""

from ._host import ask, interface

_cmdline = interface("cmdline")


def arguments() -> list[bytes]:
    """Fact ``cmdline.arguments``: any bytes, cut at 4096 bytes in all."""
    found: list[bytes] = ask(_cmdline.arguments)
    return found
