"""The judge and the files of native tests."""

import json
from pathlib import Path
from typing import Any

import pytest
from witgate import Attestor, FactError, Key, NotApplicable, Report, process
from witgate.testing import Fixture, FixtureError, check_fixtures, fixtures


def keys(**more: Any) -> list[Key]:
    def key(word: str, **more: Any) -> Key:
        return Key(word, "", example="", derived_from=["process.credentials"], **more)

    return [key("uid", single=True, **more), key("gid")]


class Reads(Attestor):
    keys = keys()

    def attest(self) -> Report:
        return Report().selector("uid", str(process.credentials().uid))


def write(folder: Path, facts: object, expected: object) -> Fixture:
    (folder / "fixtures").mkdir(exist_ok=True)
    path = folder / "fixtures" / "one.json"
    path.write_text(json.dumps(facts))
    if expected is not None:
        path.with_name("one.expected.json").write_text(json.dumps(expected))
    return Fixture(path)


CREDENTIALS = {"process.credentials": {"ok": {"uid": 7, "gid": 8, "groups": []}}}


def outcome(folder: Path, attest: Any, facts: object = CREDENTIALS) -> tuple[str, str]:
    attestor = type("Tried", (Reads,), {"attest": attest})
    seen = write(folder, facts, {"outcome": "reported"}).run(attestor)
    return seen.word, seen.reason or ""


def test_a_difference_is_shown_line_by_line(tmp_path: Path) -> None:
    expected = {"outcome": "reported", "selectors": ["uid:8"], "unknown": ["gid"]}
    fixture = write(tmp_path, CREDENTIALS, expected)
    with pytest.raises(AssertionError) as failed:
        fixture.check(Reads)
    assert str(failed.value).splitlines() == [
        "one.json does not end as one.expected.json says",
        "  - selector 'uid:8': expected, not seen",
        "  + selector 'uid:7': seen, not expected",
        "  - unknown 'gid': expected, not seen",
    ]
    with pytest.raises(AssertionError, match="uid:8"):
        check_fixtures(Reads, tmp_path / "fixtures")


def test_another_outcome_is_shown_with_its_reason(tmp_path: Path) -> None:
    fixture = write(tmp_path, {}, {"outcome": "reported"})
    with pytest.raises(AssertionError, match="expected reported, seen failed: this host does not"):
        fixture.check(Reads)
    fixture = write(tmp_path, {}, {"outcome": "failed", "reason": "another"})
    with pytest.raises(AssertionError, match="reason: expected 'another', seen 'this host"):
        fixture.check(Reads)


def test_without_an_expected_report_it_is_shown_to_be_kept(tmp_path: Path) -> None:
    fixture = write(tmp_path, CREDENTIALS, None)
    with pytest.raises(AssertionError, match="does not exist") as failed:
        fixture.check(Reads)
    assert '"selectors": [\n    "uid:7"\n  ]' in str(failed.value)


def test_a_key_whose_fact_was_not_read_is_unknown(tmp_path: Path) -> None:
    def attest(_: Attestor) -> Report:
        return Report()

    attestor = type("Silent", (Reads,), {"attest": attest})
    fixture = write(tmp_path, CREDENTIALS, {"outcome": "reported", "wants": ["gid"]})
    assert fixture.run(attestor).unknown == {"gid": "`process.credentials` was not read"}


def test_not_applicable_is_not_no_where_a_fact_failed(tmp_path: Path) -> None:
    def attest(_: Attestor) -> Report:
        try:
            process.credentials()
        except FactError:
            raise NotApplicable from None
        return Report()

    attestor = type("Away", (Reads,), {"attest": attest})
    fixture = write(tmp_path, {"process.credentials": {"err": "denied"}}, None)
    assert set(fixture.run(attestor).unknown) == {"uid", "gid"}


def test_a_report_that_the_daemon_refuses_is_refused(tmp_path: Path) -> None:
    def unread(_: Attestor) -> Report:
        return Report().selector("gid", "1")

    def twice(_: Attestor) -> Report:
        process.credentials()
        return Report().selector("uid", "1").selector("uid", "2")

    def both(_: Attestor) -> Report:
        process.credentials()
        return Report().selector("uid", "1").unknown("uid", "why")

    def many(_: Attestor) -> Report:
        process.credentials()
        report = Report()
        for number in range(1025):
            report.selector("gid", str(number))
        return report

    def large(_: Attestor) -> Report:
        process.credentials()
        report = Report()
        for _number in range(33):
            report.selector("gid", "v" * 4096)
        return report

    for attest, words in (
        (unread, "key 'gid' was reported, but `process.credentials` was not read"),
        (twice, "key 'uid' is single, and was reported twice"),
        (both, "key 'uid' is single, and was reported and called unknown"),
        (many, "1025 selectors, the limit is 1024"),
        (large, "135168 bytes of selectors, the limit is 131072"),
    ):
        assert outcome(tmp_path, attest) == ("bad-output", words)


def test_a_key_of_an_interface_that_is_not_requested_is_found(tmp_path: Path) -> None:
    (tmp_path / "plugin.toml").write_text("requests = ['environ:HOME']")

    class Derived(Reads):
        keys = [Key("path", "", example="", derived_from=["executable.info"])]

    fixture = write(tmp_path, CREDENTIALS, {"outcome": "reported"})
    with pytest.raises(AssertionError, match="plugin.toml does not ask for `executable`"):
        fixture.check(Derived)


def test_settings_that_are_refused_are_an_error(tmp_path: Path) -> None:
    fixture = write(tmp_path, CREDENTIALS, {"outcome": "reported", "settings": {"a": 1}})
    with pytest.raises(AssertionError, match="refused: this plugin has no settings"):
        fixture.check(Reads)


@pytest.mark.parametrize(
    ("facts", "expected", "error"),
    [
        ({"process.pid": 1}, {"outcome": "reported"}, "no field 'process.pid'"),
        (CREDENTIALS, {"outcome": "reported", "selector": []}, "no field 'selector'"),
        (CREDENTIALS, {}, "there is no `outcome`"),
        ([], {"outcome": "reported"}, "must hold a JSON object"),
    ],
)
def test_a_mistake_in_a_fixture_is_an_error(
    tmp_path: Path, facts: object, expected: object, error: str
) -> None:
    fixture = write(tmp_path, facts, expected)
    with pytest.raises(FixtureError, match=error):
        fixture.check(Reads)


def test_a_folder_without_fixtures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FixtureError, match="has no fixtures"):
        fixtures(tmp_path)
    (tmp_path / "one.expected.json").write_text("{}")
    with pytest.raises(FixtureError, match="belongs to no fixture"):
        fixtures(tmp_path)
