"""Every interface, and every mistake: the settings say which."""

import json
import time
from collections.abc import Callable
from typing import Any

from lib.division import half
from witgate import (
    Attestor,
    FactError,
    Failed,
    InvalidSettings,
    Key,
    NotApplicable,
    Report,
    Retry,
    Unavailable,
    ancestry,
    cache,
    cgroups,
    cmdline,
    config,
    environ,
    executable,
    export,
    files,
    http,
    log,
    namespaces,
    process,
    systemd,
)

BUILT = str(time.time_ns())
"""Code outside of functions runs once, when the component is built."""

FACTS: dict[str, Callable[[], object]] = {
    "ancestry": ancestry.parents,
    "cgroups-claimed": cgroups.claimed,
    "cgroups-trusted": cgroups.trusted,
    "environ": lambda: (environ.variable("HOME"), environ.variable("NOT_SET")),
    "executable": executable.info,
    "doubts": executable.doubts,
    "sha256": executable.sha256,
    "entries": lambda: files.host.entries("/etc/apt"),
    "no-entries": lambda: files.host.entries("/etc/none"),
    "read": lambda: files.workload.read("/etc/hostname"),
    "status": lambda: files.host.status("/etc/hosts"),
    "http": lambda: http.get("docker", "/containers/1/json").json()["Image"],
    "posted": lambda: http.send("docker", "POST", "/x", headers={"accept": "a/b"}, body=b"\xff"),
    "namespaces": namespaces.all,
    "comm": process.comm,
    "credentials": process.credentials,
    "label": process.label,
    "names": process.names,
    "privileges": process.privileges,
    "start-time": process.start_time,
    "state": process.state,
    "systemd": systemd.unit,
}


def facts() -> Report:
    report = Report()
    for name, fact in FACTS.items():
        try:
            report.selector("seen", f"{fact()!r}", name=name)
        except (FactError, http.HttpError) as error:
            report.selector("seen", f"{type(error).__name__}: {error}", name=name)
    return report


def rest() -> Report:
    process.credentials()
    log.debug("a line \N{GREEK SMALL LETTER ALPHA} \udc80")
    cache.process.put("key", b"\x00\xff", 1000)
    report = Report().selector("seen", repr(cache.process.get("key")), name="hit")
    report.selector("seen", repr(cache.plugin.get("key")), name="miss")
    process.comm()
    try:
        cache.plugin.put("key", b"", 1000)
    except cache.CacheError as error:
        report.selector("seen", f"{type(error).__name__}: {error}", name="refused")
    try:
        cache.process.put("k" * 257, b"", 1000)
    except cache.CacheError as error:
        report.selector("seen", f"{type(error).__name__}: {error}", name="too-large")
    report.selector("seen", f"{config.wants('seen')} {config.wants('other')}", name="wants")
    report.selector("seen", f"{config.remaining_ms() > 0}", name="remaining")
    return report


def frozen() -> Report:
    process.credentials()
    report = Report().selector("seen", BUILT, name="built")
    return report.selector("seen", str(time.time_ns()), name="now")


def key_error() -> Report:
    return {}["missing"]


def no_return() -> None:
    pass


def dictionary() -> dict[str, str]:
    return {"seen": "x"}


def elsewhere() -> Report:
    half(1)
    return Report()


def library() -> Report:
    json.loads("")
    return Report()


def number() -> Report:
    report = Report()
    report.selector("seen", 33, name="uid")  # type: ignore[arg-type]
    return report


def misspelt() -> Report:
    return Report().selector("sene", "x")


def no_name() -> Report:
    return Report().selector("seen", "x")


def half_surrogate() -> Report:
    process.credentials()
    return Report().selector("seen", b"\xff".decode(errors="surrogateescape"), name="bytes")


def long_message() -> Report:
    raise ValueError("x" * 1_000_000)


def bytes_path() -> Report:
    content = files.workload.read(b"/etc/hostname")  # type: ignore[arg-type]
    return Report().selector("seen", str(content), name="read")


def leave() -> Report:
    raise SystemExit(3)


def not_requested() -> Report:
    return Report().selector("seen", repr(cmdline.arguments()), name="arguments")


def another_path() -> Report:
    return Report().selector("seen", repr(files.workload.read("/etc/shadow")), name="shadow")


def fact_error() -> Report:
    return Report().selector("seen", process.label(), name="label")


def unreachable() -> Report:
    return Report().selector("seen", repr(http.get("docker", "/none")), name="http")


def not_applicable() -> Report:
    raise NotApplicable


def retry() -> Report:
    raise Retry(250)


def unavailable() -> Report:
    raise Unavailable("the runtime starts")


def failed() -> Report:
    raise Failed("two hierarchies disagree \udc80")


class Everything(Attestor):
    keys = [
        Key(
            "seen",
            "what was seen",
            example="x",
            derived_from=["process.credentials"],
            named=True,
            stable=True,
        ),
        Key("other", "nothing", example="y", derived_from=["files.host"], secret=True),
    ]
    config_schema = {"type": "object", "properties": {"do": {"type": "string"}}}

    def validate(self, settings: dict[str, Any]) -> None:
        if "do" not in settings:
            raise InvalidSettings("`do` must name a function")
        globals()[settings["do"]]

    def attest(self) -> Report:
        report: Report = globals()[config.settings()["do"]]()
        return report


export(Everything)
