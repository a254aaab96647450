"""The host of a native test: answers about a recorded process as the daemon would."""

import json
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from .._errors import NotRequested
from .._facts import LEVELS, REQUESTS
from ._requests import Requests


class Trap(BaseException):
    """The daemon would end the call here. No ``except Exception`` of the author's stops it."""


class Err(Exception):
    """An error of the host, with a value whose class is named as the generated ones are."""

    def __init__(self, variant: str, case: Any) -> None:
        super().__init__(variant, case)
        name, payload = next(iter(case.items())) if isinstance(case, dict) else (case, None)
        camel = "".join(word.capitalize() for word in name.split("-"))
        self.value = type(f"{variant}_{camel}", (), {})()
        if payload is not None:
            self.value.value = payload


class Call:
    """One call about a recorded process."""

    def __init__(
        self,
        facts: dict[str, Any],
        requests: Requests | None = None,
        settings: dict[str, Any] | None = None,
        wants: list[str] | None = None,
    ) -> None:
        self.facts = facts
        self.requests = requests
        self.settings = settings or {}
        self.wants = wants
        self.read: set[str] = set()
        self.failed: dict[str, Any] = {}
        self._kept: dict[tuple[int, str], bytes] = {}

    @property
    def gone(self) -> bool:
        """A fact said that the process has exited."""
        return "gone" in self.failed.values()

    def wanted(self, key: str) -> bool:
        """Whether anybody wants a key."""
        return self.wants is None or key in self.wants

    def answer(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """What a function of the host gives."""
        if self.requests is not None and not self.requests.reach(interface):
            raise NotRequested(interface, REQUESTS[interface])
        special = getattr(self, f"_{interface}", None)
        if special is not None:
            return special(function, *arguments)
        return self._fact(f"{interface}.{function.replace('_', '-')}")

    def _fact(self, fact: str) -> Any:
        return _decoded(fact, self._recorded(fact, self.facts.get(fact)))

    def _recorded(self, fact: str, recorded: dict[str, Any] | None) -> Any:
        """The value, or the error, of a recorded fact; one that is left out is unsupported."""
        if recorded is not None and "ok" in recorded:
            self.read.add(fact)
            return recorded["ok"]
        error = "unsupported" if recorded is None else recorded["err"]
        self.failed.setdefault(fact, error)
        raise Err("FactError", error)

    def _may(self, function: str, argument: str, word: str) -> None:
        if self.requests is not None and not self.requests.cover(word):
            raise Trap(
                f'it called `{function}` with "{argument}", but its plugin.toml does not ask for '
                f'"{word}"'
            )

    def _environ(self, function: str, name: str) -> bytes | None:
        self._may(f"environ.{function}", name, f"environ:{name}")
        fact = "environ.variables"
        value = self._recorded(fact, self.facts.get(fact, {}).get(name))
        return None if value is None else _bytes(value)

    def _files(self, function: str, root: Any, path: str) -> Any:
        fact = ("files.host", "files.workload")[root.value]
        if not _is_path(path):
            raise Trap(
                f'it called `files.{function}` with "{path}"; a path is absolute, without `.`, '
                "`..`, doubled or trailing slashes"
            )
        self._may(f"files.{function}", path, f"{fact}:{path}")
        part = {"read": "content"}.get(function, function)
        value = self._recorded(fact, self.facts.get(fact, {}).get(path, {}).get(part))
        if value is None or function != "read":
            return _shaped(value)
        return _bytes(value)

    def _http(self, function: str, endpoint: str, request: Any) -> Any:
        self._may(f"http.{function}", endpoint, f"http:{endpoint}")
        asked = (endpoint, request.method, request.path, request.body)
        for exchange in self.facts.get("http.exchanges", []):
            said = exchange["request"]
            body = _bytes(said.get("body", ""))
            if asked == (exchange["endpoint"], said["method"], said["path"], body):
                return self._response(exchange["outcome"])
        words = f"the fixture has no answer of `{endpoint}` to {request.method} {request.path}"
        return self._response({"err": {"refused": words}})

    def _response(self, outcome: dict[str, Any]) -> Any:
        if "ok" not in outcome:
            self.failed.setdefault("http.response", outcome["err"])
            raise Err("HttpError", outcome["err"])
        self.read.add("http.response")
        said = outcome["ok"]
        headers = [
            SimpleNamespace(name=name, value=value) for name, value in said.get("headers", [])
        ]
        return SimpleNamespace(
            status=said["status"], headers=headers, body=_bytes(said.get("body", ""))
        )

    def _cache(self, function: str, scope: Any, key: str, value: bytes = b"", _: int = 0) -> Any:
        word = ("process", "cgroup", "plugin")[scope.value]
        self._may(f"cache.{function}", word, f"cache:{word}")
        if len(key.encode()) > 256 or len(value) > 64 << 10:
            raise Err("CacheError", "too-large")
        if function == "get":
            kept = self._kept.get((scope.value, key))
            return None if kept is None else SimpleNamespace(value=kept, age_ms=0)
        forbidden = ("image",) if word == "process" else ("image", "claimed")
        for fact in sorted(self.read):
            if LEVELS[fact] in forbidden:
                why = f"this call has read `{fact}`, which must not outlive it in scope {word}"
                raise Err("CacheError", {"refused": why})
        self._kept[scope.value, key] = value
        return None

    def _config(self, function: str, *key: str) -> Any:
        if function == "settings":
            return json.dumps(self.settings)
        return self.wanted(*key) if function == "wants" else 50

    def _log(self, _: str, level: Any, message: str) -> None:
        print(f"{('debug', 'info', 'warn', 'error')[level.value]}: {message}", file=sys.stderr)


_current: Call | None = None


@contextmanager
def answering(call: Call) -> Iterator[Call]:
    """Lets the facts come from a recorded process."""
    global _current
    before, _current = _current, call
    try:
        yield call
    finally:
        _current = before


class _Interface:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Any]:
        if _current is None:
            raise RuntimeError(
                f"{self._name}.{function} needs a process to look at; outside the daemon that is a "
                "fixture: with fixture.loaded(): ..."
            )
        call = _current
        return lambda *arguments: call.answer(self._name, function, arguments)


def interface(name: str) -> Any:
    """The functions of an interface."""
    return _Interface(name)


def _decoded(fact: str, value: Any) -> Any:
    """A value as the generated bindings give it; bytes are strings in a fixture."""
    if fact == "process.comm":
        return _bytes(value)
    if fact == "cmdline.arguments":
        return [_bytes(argument) for argument in value]
    shaped = _shaped(value)
    if fact == "ancestry.parents":
        for ancestor, said in zip(shaped, value, strict=True):
            ancestor.comm = _bytes(said["comm"])
    return shaped


def _shaped(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**value)
    return [_shaped(item) for item in value] if isinstance(value, list) else value


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else b64decode(value["base64"], validate=True)


def _is_path(text: str) -> bool:
    plain = all(part not in ("", ".", "..") for part in text[1:].split("/"))
    return text.startswith("/") and plain and text.isprintable() and len(text.encode()) <= 1024
