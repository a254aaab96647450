"""Write a witgate attestor in Python.

An attestor looks at the one process of a call, through facts that the daemon hands out, and
reports selectors. A whole plugin:

    from witgate import Attestor, FactError, Key, Report, export, process

    class Uid(Attestor):
        keys = [
            Key("uid", "effective user id", example="1000",
                derived_from=["process.credentials"], stable=True, single=True),
        ]

        def attest(self) -> Report:
            try:
                return Report().selector("uid", str(process.credentials().uid))
            except FactError as error:
                return Report().unknown("uid", error)

    export(Uid)

The facts are in one module for each interface of ``wit/``: ``process``, ``cgroups``,
``namespaces``, ``executable``, ``ancestry``, ``cmdline``, ``environ``, ``files``, ``http`` and
``systemd``; ``cache``, ``config`` and ``log`` are the rest of what a plugin can use.

Rules that keep an attestor honest:

- *No is not unknown.* A key that is left out of the report does not hold, but only if every fact
  that it is derived from was read in this call. For a fact that cannot be read, say
  ``Report.unknown``; never guess, and never let one fact cost another's key.
- *Module-level code runs at build time.* ``witgate plugin build`` imports the plugin, and what the
  interpreter's memory holds then is the component. So imports, tables and compiled patterns cost
  nothing later; but a clock, an environment variable or a file that a module reads when it is
  imported is frozen as it was on the machine of the build.
- *Nothing is kept.* Every call runs in a fresh copy of that memory.
- *Everything is imported at the top.* There are no files inside the daemon to import from later.
"""

from ._attestor import Attestor, export
from ._errors import (
    Denied,
    FactError,
    Failed,
    Failure,
    Gone,
    InvalidSettings,
    IoError,
    NotApplicable,
    NotRequested,
    Retry,
    TooLarge,
    Unavailable,
    Unsupported,
)
from ._key import Key
from ._report import Report, Selector, Unknown

__all__ = [
    "Attestor",
    "Denied",
    "FactError",
    "Failed",
    "Failure",
    "Gone",
    "InvalidSettings",
    "IoError",
    "Key",
    "NotApplicable",
    "NotRequested",
    "Report",
    "Retry",
    "Selector",
    "TooLarge",
    "Unavailable",
    "Unknown",
    "Unsupported",
    "export",
]
