"""Native tests of an attestor over recorded processes, without building the component.

    import pytest
    from pathlib import Path
    from witgate.testing import Fixture, fixtures

    from app import Os

    @pytest.mark.parametrize("fixture", fixtures(Path(__file__).with_name("fixtures")), ids=str)
    def test_recorded_process(fixture: Fixture) -> None:
        fixture.check(Os)

A fixture is two files: ``debian.json``, what is known about a process (``witgate fixture record``
writes one), and ``debian.expected.json``, how a call about it is to end. What the attestor answers
is judged as the daemon would judge it, and requests that ``plugin.toml`` does not name end the call
as they would there.
"""

from ._fixture import Fixture, FixtureError, check_fixtures, fixtures
from ._judge import Outcome

__all__ = ["Fixture", "FixtureError", "Outcome", "check_fixtures", "fixtures"]
