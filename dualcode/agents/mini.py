"""mini-swe-agent, imported when an agent first runs, and without what its import does besides.

Its import prints a banner, makes a folder for its settings and reads a `.env` into the environment. The
models that it carries want litellm; none of them is imported here.
"""

import functools
import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualcode.errors import ConfigError

if TYPE_CHECKING:
    from minisweagent.exceptions import FormatError, InterruptAgentFlow

HINT = "scripts/setup.sh, or: pip install 'dualcode[agents]' (docs/agents.md says what that brings)"
Said = dict[str, Any]
"""A message as the loop keeps it: role, content, extra."""


@dataclass(frozen=True)
class Mini:
    """What is used of it."""

    agent: Any
    """Its class DefaultAgent."""
    interrupt: "type[InterruptAgentFlow]"
    format_error: "type[FormatError]"
    version: str

    def loop(
        self,
        query: Callable[[Sequence[Said]], Said],
        execute: Callable[[Said], Said],
        *,
        steps: int,
        format_errors: int,
    ) -> Any:
        """Return its agent around what asks a model and what runs a command.

        `run(instance, told=system)` takes it to its end, in the calling thread, and returns what it says of
        that, `exit_status` above all; `messages` is the conversation so far.
        """
        return self.agent(
            _Model(query),
            _Environment(execute),
            system_template="{{ told }}",  # what it is told is a value, and no template of its own
            instance_template="{{ task }}",
            step_limit=steps,
            cost_limit=0.0,
            max_consecutive_format_errors=format_errors,
        )


class _Untold:
    """What its loop wants to know of a model and an environment, and nobody reads."""

    config = None

    def get_template_vars(self) -> Said:
        return {}

    def serialize(self) -> Said:
        return {}


class _Model(_Untold):
    """A model in its sense: asked by a function."""

    def __init__(self, query: Callable[[Sequence[Said]], Said]) -> None:
        self.query = query

    def format_message(self, **parts: Any) -> Said:
        return parts

    def format_observation_messages(
        self, _message: Said, outputs: Sequence[Said], _variables: Said
    ) -> list[Said]:
        return [{"role": "user", "content": each["output"]} for each in outputs]


class _Environment(_Untold):
    """An environment in its sense: commands are run by a function."""

    def __init__(self, execute: Callable[[Said], Said]) -> None:
        self.execute = execute


@functools.cache
def load() -> Mini:
    """Return it. Raises ConfigError if it is not installed."""
    try:
        with _quiet():
            import minisweagent
            from minisweagent.agents.default import DefaultAgent
            from minisweagent.exceptions import FormatError, InterruptAgentFlow
    except ImportError as error:
        raise ConfigError(
            f"agents need mini-swe-agent, which cannot be imported: {error}", hint=HINT
        ) from None
    return Mini(DefaultAgent, InterruptAgentFlow, FormatError, minisweagent.__version__)


@contextmanager
def _quiet() -> Generator[None]:
    """Give its import an empty folder to find settings in, and no reason to speak."""
    with tempfile.TemporaryDirectory(prefix="dualcode-mini-") as folder:
        ours = {"MSWEA_SILENT_STARTUP": "1", "MSWEA_GLOBAL_CONFIG_DIR": folder}
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
