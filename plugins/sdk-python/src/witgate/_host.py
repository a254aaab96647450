"""The way to the host: the component's imports inside the daemon, a fixture everywhere else."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from ._errors import Denied, Gone, IoError, NotRequested, TooLarge, Unsupported
from ._facts import REQUESTS

FACT_ERRORS: Mapping[str, Callable[..., Exception]] = {
    "FactError_Gone": Gone,
    "FactError_Denied": Denied,
    "FactError_Unsupported": Unsupported,
    "FactError_TooLarge": TooLarge,
    "FactError_Io": IoError,
}
"""The cases of the host's errors, by the names of the classes that are generated for them."""


building = sys.platform == "wasi"
"""The component is being built, and nobody is there to be asked; it ends with the build."""


class _NotRequested:
    """An interface that the component was built without."""

    def __init__(self, interface: str) -> None:
        self._interface = interface

    def __getattr__(self, function: str) -> Any:
        raise NotRequested(self._interface, REQUESTS[self._interface])


if sys.platform == "wasi":
    from importlib import import_module

    from componentize_py_types import Err

    def interface(name: str) -> Any:
        """The functions of an interface."""
        try:
            return import_module(f"wit_world.imports.{name}")
        except ModuleNotFoundError:
            return _NotRequested(name)

else:
    from .testing._recording import Err as Err
    from .testing._recording import interface as interface


def ask(
    function: Callable[..., Any],
    *arguments: Any,
    errors: Mapping[str, Callable[..., Exception]] = FACT_ERRORS,
) -> Any:
    """Calls a function of the host, and raises its error as the class that stands for it."""
    if building:
        raise RuntimeError(
            "code outside of functions runs when the component is built, where there is no process "
            "to look at; do this in attest"
        )
    try:
        return function(*arguments)
    except Err as error:
        case = error.value
        raise errors[type(case).__name__](*vars(case).values()) from None


def text(what: str, value: object) -> str:
    """An argument of a function of the host, which takes nothing else there."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__} {repr(value)[:64]}")
    if not value.isascii():
        value.encode()  # Half of a surrogate cannot leave the plugin.
    return value
