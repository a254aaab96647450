"""Requests to endpoints that the operator named: ``http:NAME``. Where an endpoint is, which
methods and which paths it may be asked for, stands in the daemon's configuration and is unknown to
the plugin.

Fact ``http.response``, level runtime. Redirects are not followed.
"""

import json as _json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._errors import Failure, Foreseen, Unavailable
from ._host import ask, interface, text

_http = interface("http")


class HttpError(Foreseen):
    """Why there is no response."""


class Unreachable(HttpError):
    """Nobody answers there, or TLS failed. If it passes, the plugin is unavailable."""

    def __str__(self) -> str:
        return f"nobody answers: {self.args[0]}"

    def failure(self) -> Failure:
        return Unavailable(self)


class Timeout(HttpError):
    """No whole response in time. If it passes, the plugin is unavailable."""

    def __str__(self) -> str:
        return "no whole response in time"

    def failure(self) -> Failure:
        return Unavailable(self)


class TooLarge(HttpError):
    """The response is over its limit."""

    def __str__(self) -> str:
        return "the response is larger than the limit"


class Refused(HttpError):
    """The operator does not allow this method or path, or the request is malformed."""

    def __str__(self) -> str:
        return f"refused: {self.args[0]}"


class Malformed(HttpError):
    """What came back is not HTTP."""

    def __str__(self) -> str:
        return f"not HTTP: {self.args[0]}"


_ERRORS: Mapping[str, Callable[..., Exception]] = {
    "HttpError_Unreachable": Unreachable,
    "HttpError_Timeout": Timeout,
    "HttpError_TooLarge": TooLarge,
    "HttpError_Refused": Refused,
    "HttpError_Malformed": Malformed,
}


@dataclass(slots=True)
class Header:
    """One header field."""

    name: str
    """In lower case."""
    value: str


@dataclass(slots=True)
class _Request:
    method: str
    path: str
    headers: list[Header]
    body: bytes


@dataclass(slots=True)
class Response:
    """What came back, whatever its status."""

    status: int
    headers: dict[str, str]
    """Only ``content-type``, ``etag`` and ``retry-after``, if they were there."""
    body: bytes
    """At most what the operator allows: 1 MiB unless told otherwise, never more than 16."""

    def json(self) -> Any:
        """The body, read as JSON."""
        return _json.loads(self.body)


def get(endpoint: str, path: str) -> Response:
    """Asks for a path and query, from ``/`` on, with ``GET``."""
    return send(endpoint, "GET", path)


def send(
    endpoint: str,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Sends a request and waits for the whole response. The host adds ``host``, the token and the
    length. At most 32 headers and 64 KiB of body. An endpoint that ``plugin.toml`` does not ask for
    ends the call.
    """
    if not isinstance(body, bytes):
        raise TypeError(f"the body must be bytes, not {type(body).__name__}")
    fields = [
        Header(text("the name of a header", name), text("a header", value))
        for name, value in (headers or {}).items()
    ]
    request = _Request(text("the method", method), text("the path", path), fields, body)
    found = ask(_http.send, text("the endpoint", endpoint), request, errors=_ERRORS)
    return Response(found.status, {field.name: field.value for field in found.headers}, found.body)
