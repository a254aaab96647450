"""What an author declares, and what is said about it before anything runs."""

from typing import Any

import pytest
from witgate import Attestor, InvalidSettings, Key, Report, Retry, _report, export
from witgate._run import validate


def key(word: str = "uid", **more: Any) -> Key:
    return Key(word, "meaning", **{"example": "1", "derived_from": ["process.credentials"], **more})


class Plain(Attestor):
    keys = [key()]

    def attest(self) -> Report:
        return Report()


@pytest.fixture(autouse=True)
def no_other_attestor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_report, "declared", {})


@pytest.mark.parametrize(
    ("word", "more", "error"),
    [
        ("UID", {}, "'UID' is not a key"),
        ("a" * 64, {}, "is not a key"),
        ("uid", {"derived_from": []}, "derived from no fact"),
        ("uid", {"derived_from": "process.comm"}, r"must be a list: \['process.comm'\]"),
        ("uid", {"derived_from": ["process.com"]}, "did you mean 'process.comm'"),
        ("uid", {"derived_from": ["nonsense"]}, "'nonsense', which is no fact$"),
        ("uid", {"example": "\n"}, "the example of key `uid`"),
    ],
)
def test_a_wrong_key_is_refused(word: str, more: dict[str, Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        key(word, **more)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ([], "must have 1 to 64 keys, not 0"),
        ([key(), key()], "has `uid` twice"),
        (["uid"], r"nothing but Key\(...\)"),
        ([key(f"a{number}") for number in range(65)], "not 65"),
    ],
)
def test_a_wrong_list_of_keys_is_refused(keys: list[Any], error: str) -> None:
    attestor = type("Wrong", (Plain,), {"keys": keys})
    with pytest.raises((TypeError, ValueError), match=error):
        export(attestor)


def test_what_is_no_attestor_is_refused() -> None:
    with pytest.raises(TypeError, match="an Attestor"):
        export(Plain())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Empty has no method attest"):
        export(type("Empty", (Attestor,), {"keys": [key()]}))


def test_export_is_a_decorator_too() -> None:
    assert export(Plain) is Plain
    assert list(_report.declared) == ["uid"]


@pytest.mark.parametrize("settings", ["[]", "{", "null", '{"a": 1}', ""])
def test_a_plugin_without_settings_takes_an_empty_object_only(settings: str) -> None:
    assert validate(Plain(), settings) == "this plugin has no settings"
    assert validate(Plain(), " { } ") is None


def test_a_sentence_about_settings_is_passed_on() -> None:
    class Strict(Plain):
        def validate(self, settings: dict[str, Any]) -> None:
            raise InvalidSettings(f"{sorted(settings)} \udc80")

    assert validate(Strict(), '{"b": 1}') == "['b'] \\udc80"


@pytest.mark.parametrize(
    "value", ["", "a\n", "a\x7f", "\x85", "a\u202eb", "\u2066", "v" * 4097, "\udc80", "ü" * 2049]
)
def test_a_value_that_no_selector_can_have_is_unknown(value: str) -> None:
    report = Report().selector("uid", value).selector("uid", "1", name=value)
    assert not report.selectors
    assert [said.key for said in report.unknowns] == ["uid", "uid"]


@pytest.mark.parametrize("value", ["a b", "v" * 4096, "ü" * 2048, "\N{NO-BREAK SPACE}", "/a:b"])
def test_any_other_value_is_a_selector(value: str) -> None:
    report = Report().selector("uid", value, name="n")
    assert report.selectors == [("uid", "n", value)]
    assert not report.unknowns


@pytest.mark.parametrize("value", [1, None, b"1", ["1"]])
def test_a_value_or_name_must_be_text(value: Any) -> None:
    with pytest.raises(TypeError, match="the value of `uid` must be a str, not"):
        Report().selector("uid", value)
    if value is not None:
        with pytest.raises(TypeError, match="the name of `uid` must be a str, not the"):
            Report().selector("uid", "1", name=value)


def test_unknown_takes_a_sentence_for_each_key() -> None:
    report = Report().unknown_each(["uid", "gid"], "r" * 600)
    said = [(said.key, len(said.reason)) for said in report.unknowns]
    assert said == [("uid", 512), ("gid", 512)]


@pytest.mark.parametrize("pause", [-1, 1 << 32, 1.5, True, "1"])
def test_a_pause_is_a_number_of_milliseconds(pause: Any) -> None:
    with pytest.raises(TypeError, match="a pause is an int"):
        Retry(pause)
