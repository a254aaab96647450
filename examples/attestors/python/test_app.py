"""Run `pytest`: every recorded process in `fixtures/`, natively and within a second."""

from pathlib import Path

import pytest
from witgate.testing import Fixture, fixtures

from app import Os, unquoted


@pytest.mark.parametrize("fixture", fixtures(Path(__file__).with_name("fixtures")), ids=str)
def test_recorded_process(fixture: Fixture) -> None:
    fixture.check(Os)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("'a\\$b'", "a\\$b"),
        ('"a\\"b\\n"', 'a"b\\n'),
        ('"', '"'),
        ('"ends \\\\"', "ends \\"),
    ],
)
def test_quotes(value: str, expected: str) -> None:
    assert unquoted(value) == expected
