"""Every interface and every mistake, over fixtures; the built component runs over the same ones."""

import time
from pathlib import Path

import pytest
from app import BUILT, Everything
from witgate import log, process
from witgate._attestor import schema
from witgate._run import validate
from witgate.testing import Fixture, fixtures

FOLDER = Path(__file__).with_name("everything") / "fixtures"


@pytest.mark.parametrize("fixture", fixtures(FOLDER), ids=str)
def test_recorded_process(fixture: Fixture) -> None:
    fixture.check(Everything)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ('{"do": "facts"}', None),
        ("{}", "`do` must name a function"),
        ('{"do": "none"}', "KeyError: 'none' app.py:"),
        ("[]", "the settings must be a JSON object"),
        ("{", "the settings are not JSON: "),
    ],
)
def test_settings(settings: str, wrong: str | None) -> None:
    said = validate(Everything(), settings)
    assert said is None if wrong is None else str(said).startswith(wrong)


def test_module_code_has_run_by_now() -> None:
    assert int(BUILT) < time.time_ns()


def test_the_schema_is_text() -> None:
    assert schema(Everything) == '{"type": "object", "properties": {"do": {"type": "string"}}}'


def test_a_fact_outside_of_a_fixture_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"with fixture.loaded\(\)"):
        process.credentials()


def test_a_single_function_can_be_tested(capsys: pytest.CaptureFixture[str]) -> None:
    with Fixture(FOLDER / "every-fact.json").loaded():
        assert process.credentials().uid == 33
        log.warn(17)
    assert capsys.readouterr().err == "warn: 17\n"
