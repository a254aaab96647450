"""The systemd unit of the process. Granted by name.

The unit is the one that the root-owned control group names, and what is said about it comes from
the service manager. A daemon without a service manager says ``Unsupported``.
"""

from dataclasses import dataclass

from ._host import ask, interface

_systemd = interface("systemd")


@dataclass(slots=True)
class Unit:
    """One unit."""

    id: str
    """``nginx.service``, ``postgresql@16-main.service``."""
    fragment_path: str | None
    """Path of its unit file, if it has one."""
    slice: str | None
    """Its slice."""
    active_state: str
    """``active``, ``activating`` and so on."""
    sub_state: str
    """``running``, ``exited`` and so on."""
    invocation_id: str | None
    """32 hexadecimal digits, new with each start of the unit."""
    user: str | None
    """``User=``, if it is set."""


def unit() -> Unit | None:
    """Fact ``systemd.unit``, level kernel; ``None`` if the process is in no unit."""
    found = ask(_systemd.unit)
    if found is None:
        return None
    return Unit(
        found.id,
        found.fragment_path,
        found.slice,
        found.active_state,
        found.sub_state,
        found.invocation_id,
        found.user,
    )
