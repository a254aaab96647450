"""Runs a built component over fixtures, in a host that is not the daemon.

    python second_host.py COMPONENT FIXTURES [--wasi]

It needs `pip install wasmtime`. Facts come from the same recordings as in native tests, over the
component's imports; how a call ended is judged and compared in the same way. Of WASI there are an
environment and arguments, both empty, and everything else traps; with `--wasi` all of it is there.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import wasmtime
from wasmtime.component import Component, Linker, Record, ResultType, Variant, VariantType

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from witgate import Failed, Failure, Key, NotApplicable, Report, Retry, Selector, Unavailable
from witgate._report import Unknown
from witgate.testing import Fixture, Outcome, fixtures
from witgate.testing._judge import ended, judge
from witgate.testing._recording import Call, Err, Trap

FUNCTIONS = {
    "ancestry": ["parents"],
    "cache": ["get", "put"],
    "cgroups": ["trusted", "claimed"],
    "cmdline": ["arguments"],
    "config": ["settings", "wants", "remaining-ms"],
    "environ": ["variable"],
    "executable": ["info", "doubts", "sha256"],
    "files": ["read", "entries", "status"],
    "http": ["send"],
    "log": ["write"],
    "namespaces": ["all"],
    "process": ["credentials", "names", "label", "privileges", "state", "start-time", "comm"],
    "systemd": ["unit"],
}
ENUMS = {
    "cache": ["process", "cgroup", "plugin"],
    "files": ["host", "workload"],
    "log": ["debug", "info", "warn", "error"],
}
WITHOUT_ERRORS = ("config", "log")
# Always a `Variant`, "ok" or "err" as well: left to guess, it takes an error for a `none`.
ResultType._tagged = VariantType._tagged = lambda _: True

PURE_WASI = {"get-environment": list, "get-arguments": list, "initial-cwd": lambda: None}


class Host:
    """One component, compiled."""

    def __init__(self, component: Path, wasi: bool) -> None:
        self.engine = wasmtime.Engine()
        self.component = Component.from_file(self.engine, str(component))
        self.imports = list(self.component.type.imports(self.engine))
        self.wasi = wasi
        self.keys = [key_of(said) for said in self.called("describe", Call({}))[0].keys]

    def called(self, export: str, call: Call, *arguments: Any) -> tuple[Any, Trap | None]:
        """What an export gives in a fresh instance, or why the host ended the call."""
        traps: list[Trap] = []
        store = wasmtime.Store(self.engine)
        store.set_wasi(wasmtime.WasiConfig())
        linker = self.linker(call, traps)
        instance = linker.instantiate(store, self.component)
        interface = instance.get_export_index(store, "witgate:attestor/attestor@0.1.0")
        function = instance.get_func(store, instance.get_export_index(store, export, interface))
        try:
            return function(store, *arguments), None
        except Exception:
            if not traps:
                raise
            return None, traps[0]

    def linker(self, call: Call, traps: list[Trap]) -> Linker:
        linker = Linker(self.engine)
        if self.wasi:
            linker.add_wasip2()
        with linker.root() as root:
            for name in self.imports:
                package, _, interface = name.partition("/")
                interface = interface.partition("@")[0]
                functions = FUNCTIONS.get(interface, []) if package == "witgate:attestor" else []
                if name.startswith("wasi:cli/environment@") and not self.wasi:
                    with root.add_instance(name) as instance:
                        for function, empty in PURE_WASI.items():
                            instance.add_func(function, lambda _, empty=empty: empty())
                elif functions:
                    with root.add_instance(name) as instance:
                        for function in functions:
                            instance.add_func(function, answer(call, interface, function, traps))
        if not self.wasi:
            linker.define_unknown_imports_as_traps(self.component)
        return linker

    def run(self, fixture: Fixture) -> Outcome:
        """Attests a recorded process."""
        with fixture.loaded() as call:
            wrong, _ = self.called("validate", call, call_settings(call))
            assert wrong.tag == "ok", f"the settings are refused: {wrong.payload}"
            said, trap = self.called("attest", call)
            if trap is not None:
                return ended("trapped", str(trap))
            return judge(SimpleNamespace(keys=self.keys), answer_of(said), call)


def call_settings(call: Call) -> str:
    return str(call.answer("config", "settings", ()))


def answer(call: Call, interface: str, function: str, traps: list[Trap]) -> Callable[..., Any]:
    """A function of the host that answers from a recording."""

    def answered(_: Any, *arguments: Any) -> Any:
        said = [plain(interface, argument) for argument in arguments]
        if interface in ENUMS:
            said[0] = SimpleNamespace(value=ENUMS[interface].index(said[0]))
        try:
            value = typed(call.answer(interface, function.replace("-", "_"), tuple(said)))
            return value if interface in WITHOUT_ERRORS else Variant("ok", value)
        except Err as error:
            case = error.args[1]
            case = Variant(*next(iter(case.items()))) if isinstance(case, dict) else Variant(case)
            return Variant("err", case)
        except Trap as trap:
            traps.append(trap)
            raise RuntimeError(str(trap)) from None

    return answered


def plain(interface: str, value: Any) -> Any:
    return SimpleNamespace(**vars(value)) if isinstance(value, Record) else value


def typed(value: Any) -> Any:
    if isinstance(value, SimpleNamespace):
        record = Record()
        for name, field in vars(value).items():
            setattr(record, name.replace("_", "-"), typed(field))
        return record
    return [typed(item) for item in value] if isinstance(value, list) else value


def key_of(said: Any) -> Key:
    fields = {name.replace("-", "_"): value for name, value in vars(said).items()}
    return Key(fields.pop("key"), fields.pop("meaning"), **fields)


def answer_of(said: Any) -> Report | Failure:
    if said.tag == "err":
        failures = {
            "not-applicable": lambda _: NotApplicable(),
            "retry": Retry,
            "unavailable": Unavailable,
            "failed": Failed,
        }
        return failures[said.payload.tag](said.payload.payload)
    report = Report()
    report.selectors = [Selector(s.key, s.name, s.value) for s in said.payload.selectors]
    report.unknowns = [Unknown(u.key, u.reason) for u in said.payload.unknown]
    return report


def main(component: str, folder: str, *flags: str) -> int:
    host = Host(Path(component), "--wasi" in flags)
    wrong = 0
    for fixture in fixtures(folder):
        outcome = host.run(fixture)
        difference = fixture.difference(outcome)
        wrong += difference is not None
        print(difference or f"{fixture}: {outcome.word} {' '.join(outcome.selectors)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
