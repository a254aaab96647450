"""Lines for the operator. Always granted. Rate-limited, cut at 1024 bytes and escaped; what is
printed ends here too.
"""

from ._host import ask, interface

_log = interface("log")


class Level:
    """How much a line matters."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


_DEBUG, _INFO, _WARN, _ERROR = (Level(value) for value in range(4))


def debug(message: object) -> None:
    """For the author of the plugin."""
    _write(_DEBUG, message)


def info(message: object) -> None:
    """For the operator, when looking."""
    _write(_INFO, message)


def warn(message: object) -> None:
    """Something the operator should look at."""
    _write(_WARN, message)


def error(message: object) -> None:
    """The plugin cannot do its work."""
    _write(_ERROR, message)


def _write(level: Level, message: object) -> None:
    line = str(message)[:1024]
    if not line.isascii():
        line = line.encode("utf-8", "backslashreplace").decode()
    ask(_log.write, level, line)
