"""Bytes that outlive the call, for what is dear to find out again. Granted by scope:
``cache:process``, ``cache:cgroup``, ``cache:plugin``. Kept in memory only; what is kept may be
forgotten at any time.

What a plugin takes from the cache counts as read from the facts that the call which put it there
had read. Only one call at a time finds a key missing; others that ask for it meanwhile wait for its
answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ._host import ask, interface, text

_cache = interface("cache")


class CacheError(Exception):
    """Why nothing can be kept."""


class Refused(CacheError):
    """Against the rules of the scope."""


class TooLarge(CacheError):
    """A key over 256 bytes, or a value over 64 KiB."""

    def __str__(self) -> str:
        return "the key has over 256 bytes, or the value over 64 KiB"


_ERRORS: Mapping[str, Callable[..., Exception]] = {
    "CacheError_Refused": Refused,
    "CacheError_TooLarge": TooLarge,
}


@dataclass(slots=True)
class Hit:
    """What was kept."""

    value: bytes
    age_ms: int
    """How long ago it was put there, in milliseconds."""


class Scope:
    """How long something may be kept, and who finds it."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def get(self, key: str) -> Hit | None:
        """Looks something up; ``None`` if it is not there."""
        found = ask(_cache.get, self, text("a key", key), errors=_ERRORS)
        return None if found is None else Hit(found.value, found.age_ms)

    def put(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Keeps something for so many milliseconds, at most an hour."""
        if not isinstance(value, bytes):
            raise TypeError(f"what is kept must be bytes, not {type(value).__name__}")
        if type(ttl_ms) is not int or not 0 <= ttl_ms < 1 << 32:
            raise TypeError(f"ttl_ms must be an int from 0 to 4294967295, not {ttl_ms!r}")
        ask(_cache.put, self, text("a key", key), value, ttl_ms, errors=_ERRORS)


process = Scope(0)
"""Calls about this very process, until it ends. Nothing may be put once this call has read a fact
of level image: a process may become another program."""

cgroup = Scope(1)
"""Calls about processes in this control group, until it ends. Nothing may be put once this call
has read a fact of level image or claimed."""

plugin = Scope(2)
"""All calls of this plugin. The same rule."""
