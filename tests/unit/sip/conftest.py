"""Endpoints that make calls, and that take them."""

from __future__ import annotations

import pytest
from tests.unit.sip.endpoint_steps import make_endpoint


@pytest.fixture
def dialer():
    return make_endpoint()


@pytest.fixture
def phone():
    return make_endpoint(accept_calls=True)
