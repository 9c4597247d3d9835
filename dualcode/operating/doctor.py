"""The doctor: everything that can be looked at, a line each, without needing any of it to be there."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from dualcode.config import TeamConfig
from dualcode.errors import DualcodeError
from dualcode.operating import machine, servers
from dualcode.operating.cards import Cards
from dualcode.operating.check import Check, failed, skipped
from dualcode.serving.running import find_team, recorded


async def examine(
    team: Path | TeamConfig | None,
    run_dir: Path,
    *,
    load: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Check]:
    """Yield what is found, as it is found. Without `load` no server is asked for a token.

    `say` is told what takes its time, before it is done.
    """
    for each in machine.versions():
        yield each
    for each in machine.limits(run_dir):
        yield each
    for each in machine.gpus(Cards()):
        yield each
    say("starting a sandbox, and reading the suites' data")
    yield await machine.sandbox()
    for each in machine.data():
        yield each
    for each in machine.logs():
        yield each
    if team is None and recorded() is None:
        yield skipped("servers", "none was started here, and --team names none")
        return
    try:
        config = find_team(team)
    except DualcodeError as error:
        yield failed("servers", error.message, error.hint or "dualcode serve status")
        return
    for name in dict.fromkeys(config.roles.values()):
        async for each in servers.look(config, name, load=load, say=say):
            yield each
