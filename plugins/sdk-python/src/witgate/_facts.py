"""The names of all facts and interfaces, as in ``wit/``."""

LEVELS = {
    "ancestry.parents": "claimed",
    "cgroups.claimed": "claimed",
    "cgroups.trusted": "kernel",
    "cmdline.arguments": "claimed",
    "environ.variables": "claimed",
    "executable.doubts": "image",
    "executable.info": "image",
    "executable.sha256": "image",
    "files.host": "runtime",
    "files.workload": "claimed",
    "http.response": "runtime",
    "namespaces.all": "kernel",
    "process.comm": "claimed",
    "process.credentials": "kernel",
    "process.label": "kernel",
    "process.names": "kernel",
    "process.privileges": "kernel",
    "process.start-time": "kernel",
    "process.state": "kernel",
    "systemd.unit": "kernel",
}
"""The best that each fact can be worth."""

ALWAYS_GRANTED = ("cgroups", "config", "log", "namespaces", "process")
"""The interfaces that every plugin has."""

REQUESTS = {
    "ancestry": "ancestry",
    "cache": "cache:process",
    "cmdline": "cmdline",
    "environ": "environ:NAME",
    "executable": "executable",
    "files": "files.workload:/PATH",
    "http": "http:NAME",
    "systemd": "systemd",
}
"""A word for ``requests`` in ``plugin.toml`` that asks for each of the other interfaces."""
