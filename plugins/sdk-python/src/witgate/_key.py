"""What a plugin says about itself."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from difflib import get_close_matches

from ._facts import LEVELS

MAX_TEXT = 512
"""Bytes of a meaning or an example."""


@dataclass(frozen=True)
class Key:
    """One selector key that a plugin may report, and what it is worth."""

    key: str
    """A lower-case word: ``uid``, ``label``."""
    meaning: str
    """What it means, in a sentence."""
    _: KW_ONLY
    example: str
    """A value as an example."""
    derived_from: Sequence[str]
    """The facts it is derived from, such as ``process.credentials``. The key is worth as much as
    the least of them, and a report with it is refused unless all of them were read."""
    named: bool = False
    """Its selectors carry a name: ``docker:label:tier:web`` has the name ``tier``."""
    stable: bool = False
    """The value does not change while the process lives."""
    single: bool = False
    """There is at most one selector of this key (and name)."""
    secret: bool = False
    """The value is never shown."""

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_-]{0,62}", self.key):
            raise ValueError(
                f"{self.key!r} is not a key: 1 to 63 of a-z, 0-9, '_' and '-', starting with a "
                "letter"
            )
        for part, text in (("meaning", self.meaning), ("example", self.example)):
            if len(text.encode()) > MAX_TEXT or not text.isprintable():
                raise ValueError(
                    f"the {part} of key `{self.key}` must have at most {MAX_TEXT} bytes and no "
                    "control characters"
                )
        _check_facts(self.key, self.derived_from)


def _check_facts(key: str, facts: Iterable[str]) -> None:
    if isinstance(facts, str):
        raise TypeError(f"derived_from of key `{key}` must be a list: [{facts!r}]")
    if not facts:
        raise ValueError(f"key `{key}` is derived from no fact, so it is worth nothing")
    for fact in facts:
        if fact not in LEVELS:
            near = get_close_matches(fact, LEVELS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"key `{key}` is derived from {fact!r}, which is no fact{hint}")
