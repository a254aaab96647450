"""What an author writes, and hands over."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from . import _report
from ._errors import InvalidSettings
from ._key import Key
from ._report import Report

MAX_KEYS = 64

NO_SETTINGS = "this plugin has no settings"


class Attestor:
    """A plugin. Make a subclass of it, and give that to ``export``."""

    keys: ClassVar[Sequence[Key]] = ()
    """Every key it can ever report."""

    config_schema: ClassVar[Mapping[str, Any] | None] = None
    """JSON schema (draft 2020-12) of its settings, if it has any."""

    def validate(self, settings: dict[str, Any]) -> None:
        """Checks settings before they are used; raises ``InvalidSettings`` with what is wrong, for
        the operator. May use nothing but ``log``. Without this method a plugin has no settings.
        """
        if settings:
            raise InvalidSettings(NO_SETTINGS)

    def attest(self) -> Report:
        """Looks at the process of this call; raises ``NotApplicable``, ``Retry``, ``Unavailable``
        or ``Failed`` if there is no report. A fact's error that passes means ``Failed``.
        """
        raise NotImplementedError


A = TypeVar("A", bound=Attestor)

exported: type[Attestor] | None = None
"""What the plugin's module exported last."""


def export(attestor: type[A]) -> type[A]:
    """Makes a class the plugin. Can also stand above it, as a decorator."""
    global exported
    check(attestor)
    _report.declared = {key.key: key for key in attestor.keys}
    exported = attestor
    return attestor


def check(attestor: type[Attestor]) -> None:
    """Finds what the daemon would refuse, while the author's line is at hand."""
    if not (isinstance(attestor, type) and issubclass(attestor, Attestor)):
        raise TypeError(f"export takes a class that is an Attestor, not {attestor!r}")
    name = attestor.__name__
    if attestor.attest is Attestor.attest:
        raise TypeError(f"{name} has no method attest")
    keys = [key.key for key in attestor.keys if isinstance(key, Key)]
    if len(keys) != len(attestor.keys):
        raise TypeError(f"{name}.keys must hold nothing but Key(...)")
    if not 0 < len(keys) <= MAX_KEYS:
        raise ValueError(f"{name}.keys must have 1 to {MAX_KEYS} keys, not {len(keys)}")
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"{name}.keys has `{key}` twice")


def schema(attestor: type[Attestor]) -> str:
    """The schema of its settings as text; empty if it has none."""
    return "" if attestor.config_schema is None else json.dumps(attestor.config_schema)
