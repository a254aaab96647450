"""Runs what the author wrote, and makes an answer of whatever it does."""

import json
import os
import sys
from typing import Any

from ._attestor import NO_SETTINGS, Attestor
from ._errors import Failed, Failure, Foreseen, InvalidSettings
from ._report import Report, plain

_SDK = os.path.dirname(os.path.abspath(__file__)) + os.sep

# Exceptions of the author's code. Others (a key pressed in a test) are none of our business.
_CAUGHT = (Exception, SystemExit)


def attest(attestor: Attestor) -> Report | Failure:
    """The report, or why there is none."""
    try:
        report = attestor.attest()
    except _CAUGHT as error:
        return _failure(attestor, error)
    if isinstance(report, Report):
        return report
    return _wrong_type(attestor, report)


def validate(attestor: Attestor, text: str) -> str | None:
    """What is wrong with the settings, if anything."""
    try:
        attestor.validate(_object(text))
    except InvalidSettings as error:
        has_settings = type(attestor).validate is not Attestor.validate
        return plain(str(error)) if has_settings else NO_SETTINGS
    except _CAUGHT as error:
        return _sentence(attestor, error)
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise InvalidSettings(f"the settings are not JSON: {error}") from None
    if not isinstance(settings, dict):
        raise InvalidSettings("the settings must be a JSON object")
    return settings


def _failure(attestor: Attestor, error: BaseException) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, Foreseen):
        return error.failure()
    return Failed(_sentence(attestor, error))


def _wrong_type(attestor: Attestor, value: object) -> Failed:
    kind = "None" if value is None else f"{type(value).__name__} {repr(value)[:64]}"
    code = type(attestor).attest.__code__
    file = os.path.abspath(code.co_filename)
    place = f"{_relative(file, _root(attestor))}:{code.co_firstlineno}"
    return Failed(f"attest returned {kind}, it must return a Report ({place})")


def _sentence(attestor: Attestor, error: BaseException) -> str:
    """``KeyError: 'missing' app.py:16``: what happened, and the author's own line."""
    try:
        message = str(error)
    except Exception:  # What an author's class says about itself may fail as well.
        message = ""
    message = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if len(message) > 400:
        message = message[:397] + "..."
    return plain(message + _place(error, _root(attestor)))


def _place(error: BaseException, root: str) -> str:
    """The last line of the author's that the exception passed, after a blank."""
    place = ""
    step = error.__traceback__
    while step is not None:
        file = os.path.abspath(step.tb_frame.f_code.co_filename)
        if file.startswith(root) and not file.startswith(_SDK) and "site-packages" not in file:
            place = f" {_relative(file, root)}:{step.tb_lineno}"
        step = step.tb_next
    return place


def _root(attestor: Attestor) -> str:
    """The folder of the module that the class is in."""
    module = sys.modules.get(type(attestor).__module__)
    file = getattr(module, "__file__", None) or ""
    return os.path.dirname(os.path.abspath(file)) + os.sep


def _relative(file: str, root: str) -> str:
    return file[len(root) :] if file.startswith(root) else os.path.basename(file)
