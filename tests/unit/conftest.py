"""What unit tests share: a clock that they drive."""

from __future__ import annotations

import pytest
from tests.driven_clock import DrivenClock


@pytest.fixture
def clock():
    return DrivenClock()
