"""What an attestor found out.

This runs in every call, so it does its work in the plainest way there is.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ._errors import FactError
from ._key import Key

MAX_NAME = 256
"""Bytes of a selector's name."""

MAX_VALUE = 4096
"""Bytes of a selector's value."""

_NOT_SHOWABLE = "its value is empty, too long or holds control characters"

# What reorders the text around it or breaks its line; see the daemon's rule for selectors.
_HIDING = frozenset(
    map(chr, [0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)])
)

declared: dict[str, Key] = {}
"""The keys of the exported attestor; a report is checked against them unless there are none."""


class Selector(NamedTuple):
    """One selector; the daemon puts the plugin's configured name in front."""

    key: str
    name: str | None
    value: str


class Unknown(NamedTuple):
    """A key about which nothing can be said in this call."""

    key: str
    reason: str


class Report:
    """What holds, and what nothing can be said about."""

    __slots__ = ("selectors", "unknowns")

    def __init__(self) -> None:
        self.selectors: list[Selector] = []
        self.unknowns: list[Unknown] = []

    def selector(self, key: str, value: str, *, name: str | None = None) -> "Report":
        """Adds a selector, with a name if the key is one with names.

        The daemon refuses a whole report over one value that is empty, has more than 4096 bytes or
        holds a control character or a bidirectional override. So a value like that makes the key
        unknown instead.
        """
        if not isinstance(value, str):
            raise TypeError(f"the value of `{key}` must be a str, not {_shown(value)}")
        if not (name is None or isinstance(name, str)):
            raise TypeError(f"the name of `{key}` must be a str, not {_shown(name)}")
        if declared:
            _check(key, name)
        if _showable(value, MAX_VALUE) and (name is None or _showable(name, MAX_NAME)):
            self.selectors.append(Selector(key, name, value))
        else:
            self.unknowns.append(Unknown(key, _NOT_SHOWABLE))
        return self

    def unknown(self, key: str, reason: str | FactError) -> "Report":
        """Says that nothing can be said about a key, and why, for the operator."""
        if declared and key not in declared:
            raise _undeclared(key)
        self.unknowns.append(Unknown(key, plain(str(reason))))
        return self

    def unknown_each(self, keys: Iterable[str], reason: str | FactError) -> "Report":
        """Says so about each of several keys that one fact decides."""
        for key in keys:
            self.unknown(key, reason)
        return self

    def __repr__(self) -> str:
        return f"Report(selectors={self.selectors!r}, unknowns={self.unknowns!r})"


def plain(text: str) -> str:
    """The text as it can leave the plugin: at most 512 characters, and no half of a surrogate."""
    if len(text) > 512:
        text = text[:509] + "..."
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _showable(text: str, limit: int) -> bool:
    # Most are plain, and that is told in a fraction of the time.
    if text.isascii():
        return 0 < len(text) <= limit and text.isprintable()
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return size <= limit and not any(
        char in _HIDING or char < " " or "\x7f" <= char <= "\x9f" for char in text
    )


def _check(key: str, name: str | None) -> None:
    known = declared.get(key)
    if known is None:
        raise _undeclared(key)
    if known.named and name is None:
        raise ValueError(f"key `{key}` is declared with names; add: name=...")
    if name is not None and not known.named:
        raise ValueError(f"key `{key}` is declared without names and was given the name {name!r}")


def _undeclared(key: str) -> ValueError:
    return ValueError(f"key {key!r} is not declared; the keys are: {', '.join(declared)}")


def _shown(value: object) -> str:
    if value is None:
        return "None"
    return f"the {type(value).__name__} {repr(value)[:64]}"
