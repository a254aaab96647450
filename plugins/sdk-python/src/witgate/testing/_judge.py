"""What the daemon makes of an answer. The words are the daemon's."""

from collections.abc import Iterator
from typing import NamedTuple

from .._attestor import Attestor
from .._errors import Failure, NotApplicable, Retry, Unavailable
from .._key import Key
from .._report import Report, Selector, plain
from ._recording import Call

MAX_SELECTORS = 1024
MAX_UNKNOWN = 64
MAX_BYTES = 128 << 10


class Outcome(NamedTuple):
    """How a call ended."""

    word: str
    """``reported``, ``not-applicable``, ``unavailable``, ``failed``, ``retry``, ``gone``,
    ``trapped`` or ``bad-output``."""
    selectors: list[str]
    """Each as ``key:value`` or ``key:name:value``, in order."""
    unknown: dict[str, str]
    """Keys about which nothing can be said, and why."""
    reason: str | None
    """What the plugin, or the daemon, says about it."""


def judge(attestor: Attestor, answer: Report | Failure, call: Call) -> Outcome:
    """What an answer is worth."""
    if call.gone:
        return ended("gone", "the process has exited")
    if isinstance(answer, Report):
        return _report(attestor, answer, call)
    if isinstance(answer, NotApplicable):
        open_keys = {
            key.key: _unread(key, call)
            for key in attestor.keys
            if call.wanted(key.key) and any(fact in call.failed for fact in key.derived_from)
        }
        return Outcome("not-applicable", [], open_keys, None)
    word = {Retry: "retry", Unavailable: "unavailable"}.get(type(answer), "failed")
    return ended(word, plain(str(answer)))


def ended(word: str, reason: str) -> Outcome:
    """A call without selectors."""
    return Outcome(word, [], {}, reason)


def _report(attestor: Attestor, report: Report, call: Call) -> Outcome:
    keys = {key.key: key for key in attestor.keys}
    for problem in _problems(keys, report, call):
        return ended("bad-output", problem)
    reported = {selector.key for selector in report.selectors}
    unknown = {said.key: said.reason for said in reversed(report.unknowns)}
    for key in keys.values():
        left_out = key.key not in reported and key.key not in unknown
        if left_out and any(fact not in call.read for fact in key.derived_from):
            unknown[key.key] = _unread(key, call)
    wanted = {key: reason for key, reason in sorted(unknown.items()) if call.wanted(key)}
    return Outcome("reported", sorted(map(shown, report.selectors)), wanted, None)


def shown(selector: Selector) -> str:
    """A selector in its literal form, without the plugin's name."""
    name = "" if selector.name is None else f"{selector.name}:"
    return f"{selector.key}:{name}{selector.value}"


def _problems(keys: dict[str, Key], report: Report, call: Call) -> Iterator[str]:
    """The rules that a report breaks. A key that was not declared never gets this far."""
    selectors, unknown = len(report.selectors), len(report.unknowns)
    if selectors > MAX_SELECTORS:
        yield f"{selectors} selectors, the limit is {MAX_SELECTORS}"
    if unknown > MAX_UNKNOWN:
        yield f"{unknown} unknown keys, the limit is {MAX_UNKNOWN}"
    size = sum(len(s.value.encode()) + len((s.name or "").encode()) for s in report.selectors)
    if size > MAX_BYTES:
        yield f"{size} bytes of selectors, the limit is {MAX_BYTES}"
    single: set[tuple[str, str | None]] = set()
    for selector in report.selectors:
        key = keys[selector.key]
        if key.single and (key.key, selector.name) in single:
            yield f"key '{key.key}' is single, and was reported twice"
        single.add((key.key, selector.name))
        if any(fact not in call.read for fact in key.derived_from):
            yield f"key '{key.key}' was reported, but {_unread(key, call)}"
    for said in report.unknowns:
        key = keys[said.key]
        if key.single and not key.named and (key.key, None) in single:
            yield f"key '{key.key}' is single, and was reported and called unknown"


def _unread(key: Key, call: Call) -> str:
    """Which facts of a key were not read, and why."""
    missing = [fact for fact in key.derived_from if fact not in call.read]
    return "; ".join(
        f"`{fact}` could not be read: {call.failed[fact]}"
        if fact in call.failed
        else f"`{fact}` was not read"
        for fact in missing
    )
