"""Variables of the environment that the process was started with. Granted one by one:
``environ:NAME``. Level claimed: a process can write there whatever it likes, at any time.
"""

from ._host import ask, interface, text

_environ = interface("environ")


def variable(name: str) -> bytes | None:
    """Fact ``environ.variables``: the value of one variable, at most 4096 bytes; ``None`` if the
    process has no such variable. A name that ``plugin.toml`` does not ask for ends the call.
    """
    found: bytes | None = ask(_environ.variable, text("the name of a variable", name))
    return found
