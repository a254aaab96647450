"""Fixtures: a recorded process in a file, and how a call about it is to end in another."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import _report, _run
from .._attestor import Attestor, check
from .._facts import LEVELS
from ._judge import Outcome, ended, judge
from ._recording import Call, Trap, answering
from ._requests import Requests

_EXPECTED = ".expected.json"
_FACTS = {*LEVELS, "$schema", "about", "challenged", "http.exchanges"} - {"http.response"}
_FIELDS = {"outcome", "selectors", "unknown", "reason", "settings", "wants"}


class FixtureError(Exception):
    """A fixture that cannot be used."""


class Fixture:
    """One recorded process."""

    def __init__(self, facts: str | Path) -> None:
        self.path = Path(facts)
        self.name = self.path.name.removesuffix(".json")
        self.expected_path = self.path.with_name(self.name + _EXPECTED)

    def __str__(self) -> str:
        return self.name

    def check(self, attestor: type[Attestor]) -> None:
        """Asserts that a call about this process ends as it is to end."""
        __tracebackhide__ = True
        difference = self.difference(self.run(attestor))
        if difference is not None:
            raise AssertionError(difference)

    def difference(self, outcome: Outcome) -> str | None:
        """What differs between how a call ended and how it is to end; ``None`` if nothing does."""
        if not self.expected_path.exists():
            return f"{self.expected_path.name} does not exist; this was seen:\n{_json(outcome)}"
        lines = list(_differences(self._expected(), outcome))
        if not lines:
            return None
        headline = f"{self.path.name} does not end as {self.expected_path.name} says"
        return "\n".join([headline, *lines])

    def run(self, attestor: type[Attestor]) -> Outcome:
        """Calls an attestor about this process, and judges its answer as the daemon would."""
        check(attestor)
        declared = _report.declared
        _report.declared = {key.key: key for key in attestor.keys}
        try:
            with self.loaded() as call:
                return _call(attestor(), call)
        finally:
            _report.declared = declared

    @contextmanager
    def loaded(self) -> Iterator[Call]:
        """Lets the facts come from this process, for a test of a single function."""
        expected = self._expected() if self.expected_path.exists() else {}
        requests = Requests.of(self.path.parent.with_name("plugin.toml"))
        call = Call(self._facts(), requests, expected.get("settings"), expected.get("wants"))
        with answering(call):
            yield call

    def _facts(self) -> dict[str, Any]:
        return _read(self.path, _FACTS)

    def _expected(self) -> dict[str, Any]:
        expected = _read(self.expected_path, _FIELDS)
        if "outcome" not in expected:
            raise FixtureError(f"{self.expected_path}: there is no `outcome`")
        return expected


def fixtures(folder: str | Path) -> list[Fixture]:
    """The fixtures in a folder, by name.

    Raises ``FixtureError`` if there is none: a test over nothing would always pass.
    """
    paths = sorted(Path(folder).glob("*.json"))
    found = [Fixture(path) for path in paths if not path.name.endswith(_EXPECTED)]
    names = {fixture.expected_path.name for fixture in found}
    for path in paths:
        if path.name.endswith(_EXPECTED) and path.name not in names:
            raise FixtureError(f"{path} belongs to no fixture")
    if not found:
        raise FixtureError(f"{folder} has no fixtures")
    return found


def check_fixtures(attestor: type[Attestor], folder: str | Path) -> None:
    """Asserts for every fixture in a folder that a call ends as it is to end."""
    __tracebackhide__ = True
    differences = [fixture.difference(fixture.run(attestor)) for fixture in fixtures(folder)]
    wrong = [difference for difference in differences if difference is not None]
    if wrong:
        raise AssertionError("\n".join(wrong))


def _call(attestor: Attestor, call: Call) -> Outcome:
    for key in attestor.keys:
        for fact in key.derived_from:
            interface = fact.partition(".")[0]
            if call.requests is not None and not call.requests.reach(interface):
                raise AssertionError(
                    f"key '{key.key}' is derived from `{fact}`, but plugin.toml does not ask for "
                    f"`{interface}`"
                )
    wrong = _run.validate(attestor, json.dumps(call.settings))
    if wrong is not None:
        raise AssertionError(f"the settings are refused: {wrong}")
    try:
        answer = _run.attest(attestor)
    except Trap as trap:
        return ended("trapped", str(trap))
    return judge(attestor, answer, call)


def _read(path: Path, known: set[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FixtureError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise FixtureError(f"{path} must hold a JSON object")
    for field in content:
        if field not in known:
            raise FixtureError(f"{path}: there is no field {field!r}; it is one of {sorted(known)}")
    return content


def _differences(expected: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    reason = "" if outcome.reason is None else f": {outcome.reason}"
    if outcome.word != expected["outcome"]:
        yield f"  outcome: expected {expected['outcome']}, seen {outcome.word}{reason}"
    elif expected.get("reason") not in (None, outcome.reason):
        yield f"  reason: expected {expected['reason']!r}, seen {outcome.reason!r}"
    for what, seen in (("selector", outcome.selectors), ("unknown", list(outcome.unknown))):
        field = "selectors" if what == "selector" else what
        wanted = set(expected.get(field, []))
        for text in sorted(wanted - set(seen)):
            yield f"  - {what} {text!r}: expected, not seen"
        for text in sorted(set(seen) - wanted):
            why = outcome.unknown.get(text, "") if what == "unknown" else ""
            yield f"  + {what} {text!r}: seen, not expected" + (f" ({why})" if why else "")


def _json(outcome: Outcome) -> str:
    content: dict[str, Any] = {"outcome": outcome.word}
    if outcome.selectors:
        content["selectors"] = outcome.selectors
    if outcome.unknown:
        content["unknown"] = list(outcome.unknown)
    return json.dumps(content, indent=2, ensure_ascii=False)
