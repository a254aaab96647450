"""What ``plugin.toml`` asks for."""

import tomllib
from pathlib import Path
from typing import Self

from .._facts import ALWAYS_GRANTED


class Requests:
    """What a plugin may use."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    @classmethod
    def of(cls, plugin_toml: Path) -> Self | None:
        """Those of a file; ``None`` if there is no such file, and then anything may be used."""
        try:
            text = plugin_toml.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return cls(tomllib.loads(text).get("requests", []))

    def reach(self, interface: str) -> bool:
        """Whether the plugin has an interface."""
        return interface in ALWAYS_GRANTED or any(
            word.partition(":")[0].partition(".")[0] == interface for word in self._words
        )

    def cover(self, word: str) -> bool:
        """Whether a request covers what a word names: the same, or a path below it."""
        return any(
            word == request or (request.endswith("/") and word.startswith(request))
            for request in self._words
        )
