"""Shared by the tests of the learning curve: linear algebra on one thread."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """A fit is of five numbers, over which threads do nothing but wait for each other."""
    with threadpool_limits(1):
        yield
