"""One sandbox for each tier that this machine gives, shared by the tests of a module."""

import asyncio
from collections.abc import Iterator

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox.pool import Pool, open_sandbox
from dualcode.sandbox.tiers import TIERS


async def _open(tier: str) -> Pool:
    return await open_sandbox(2, tier=tier)


@pytest.fixture(scope="module", params=TIERS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Pool]:
    try:
        opened = asyncio.run(_open(request.param))
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {request.param}: {error}")
    yield opened
    asyncio.run(opened.close())
