"""What the operator and this call want of the plugin. Always granted."""

import json
from typing import Any

from ._host import ask, interface, text

_config = interface("config")


def settings() -> dict[str, Any]:
    """The plugin's own settings, which ``Attestor.validate`` has seen."""
    found: dict[str, Any] = json.loads(ask(_config.settings))
    return found


def wants(key: str) -> bool:
    """Whether anybody wants this key in this call: an entry, a test, a template, or a person who
    asked for everything. A plugin may skip the work for a key that is not wanted; it must not leave
    out one that is.
    """
    found: bool = ask(_config.wants, text("a key", key))
    return found


def remaining_ms() -> int:
    """Milliseconds left of this call."""
    found: int = ask(_config.remaining_ms)
    return found
