"""The attestor as componentize-py takes it, in the classes that it generates.

All of this is done once, when the component is built: in a call nothing is imported or put together
but what the author's code itself makes.
"""

import sys
from types import SimpleNamespace

import app  # The plugin's module, which exports its attestor.
from componentize_py_types import Err
from wit_world.exports import attestor as wit

from . import _attestor, _host, _run
from ._errors import Failure, NotApplicable, Retry, Unavailable
from ._key import Key
from ._report import Report, plain

_exported = _attestor.exported
if _exported is None:
    _classes = [one for one in vars(app).values() if isinstance(one, type)]
    _attestors = [one.__name__ for one in _classes if issubclass(one, _attestor.Attestor)]
    _name = next((name for name in _attestors if name != "Attestor"), "YourAttestor")
    # The build shows this line alone: none of the traceback is the author's.
    raise RuntimeError(f"app.py: exports no attestor; end it with: export({_name})")

_the_attestor = _exported()


def _selector_key(key: Key) -> wit.SelectorKey:
    facts = list(key.derived_from)
    return wit.SelectorKey(
        key.key, key.meaning, key.example, facts, key.named, key.stable, key.single, key.secret
    )


_manifest = wit.Manifest(
    [_selector_key(key) for key in _exported.keys], _attestor.schema(_exported)
)


# Filled in by the one call of an instance.
_report = wit.Report([], [])


def _in_wit(failure: Failure) -> object:
    if isinstance(failure, NotApplicable):
        return wit.Failure_NotApplicable()
    if isinstance(failure, Retry):
        return wit.Failure_Retry(failure.milliseconds)
    if isinstance(failure, Unavailable):
        return wit.Failure_Unavailable(plain(str(failure)))
    return wit.Failure_Failed(plain(str(failure)))


class Attestor:
    """The interface ``attestor``; the class must have this name."""

    def describe(self) -> wit.Manifest:
        return _manifest

    def validate(self, settings: str) -> None:
        wrong = _run.validate(_the_attestor, settings)
        if wrong is not None:
            raise Err(wrong)

    def attest(self) -> wit.Report:
        answer = _run.attest(_the_attestor)
        if isinstance(answer, Report):
            _report.selectors, _report.unknown = answer.selectors, answer.unknowns
            return _report
        raise Err(_in_wit(answer))


# The runtime of componentize-py seeds `random` at the first call of every instance, which takes
# 0.1 ms. A plugin that has not imported it by now never can, so there is nothing to seed.
sys.modules.setdefault("random", SimpleNamespace(seed=lambda: None))  # type: ignore[arg-type]

_host.building = False
