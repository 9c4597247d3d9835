"""The error tree. Each error is raised at the boundary that it crossed, and caught once.

DualcodeError                   what happened, with the value, and the next command to try
├── ConfigError                 something that the user wrote is wrong                   exit 2
│   ├── TeamError               the team's TOML, or what its endpoints answered
│   ├── ProfileError            a serving profile
│   ├── UnknownNameError        a pipeline, suite, task or role that does not exist
│   ├── PipelineError           a pipeline's file cannot be loaded
│   ├── WorkflowError           a workflow's file, or what it is given
│   ├── InputError              a file given to a command: samples, responses, data
│   └── ClusterError            the cluster of --ray is not there, or its nodes do not go together
├── SuiteError                  a benchmark's data cannot be had or is not what it claims exit 2
├── ServingError                a vLLM process cannot start or died                      exit 3
├── EndpointError               a request failed after its retries             exit 3, -> errored
│   ├── UnreachableError        connection refused, lost or timed out
│   ├── ContextOverflowError    the request does not fit the model's context
│   └── ReplyError              the server answered something that is no completion
├── SandboxError                none can be had here, or it broke               exit 3, -> errored
├── GraderError                 the grader broke; says nothing about the program          -> errored
├── MoneyError                  a limit of money is reached; what was done is kept       exit 7
└── RunError                    a run's folder cannot be used, or the run had to stop    exit 3

An EndpointError, SandboxError or GraderError inside a task makes that task *errored*, never failed.
"""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcode.call import Attempt


class DualcodeError(Exception):
    """Any error that dualcode raises on purpose.

    `hint` is the next thing to try, usually a command; it is printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = _visible(message)
        self.hint = hint and _visible(hint)

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class again, as exceptions are: what some are made of is in their message alone.
        return _restored, (type(self), self.message, self.__dict__)


def _restored(kind: type[DualcodeError], message: str, told: dict[str, Any]) -> DualcodeError:
    error = kind.__new__(kind, message)
    error.__dict__.update(told)
    return error


def _visible(text: str) -> str:
    """Return a text that moves no terminal's cursor: names and values in it are from files of anybody's."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


class ConfigError(DualcodeError):
    """Something that the user wrote is wrong."""

    exit_code = 2


class TeamError(ConfigError):
    """The team's TOML is wrong, or its endpoints are not what it says."""


class ProfileError(ConfigError):
    """A serving profile is missing or wrong."""


class UnknownNameError(ConfigError):
    """A name that does not exist; the message lists the nearest ones, or all."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        shown = near or names[:12]
        more = "" if near or len(names) <= len(shown) else f", … ({len(names)} in all)"
        lead = "nearest" if near else "known"
        super().__init__(
            f"no {kind} is named {name!r}; {lead}: {', '.join(shown) or 'none'}{more}", hint=hint
        )
        self.name = name


class PipelineError(ConfigError):
    """A pipeline's file or entry point cannot be loaded, or defines what it must not."""


class WorkflowError(ConfigError):
    """A workflow's file is refused, each fault with its line; or what it is given does not fit it."""


class InputError(ConfigError):
    """A file given to a command does not hold what the command needs."""


class ClusterError(ConfigError):
    """The cluster that tasks are to be done at is not there, or its nodes do not go together."""


class SuiteError(DualcodeError):
    """A benchmark's data cannot be had, or is not what it claims to be."""

    exit_code = 2


class ServingError(DualcodeError):
    """A vLLM process cannot start, or died."""

    exit_code = 3


class EndpointError(DualcodeError):
    """A request to a model server failed after its retries.

    `attempts` holds what was tried, for the record of the call.
    """

    exit_code = 3
    attempts: "tuple[Attempt, ...]" = ()


class UnreachableError(EndpointError):
    """The server refused, lost or timed out the connection."""


class ContextOverflowError(EndpointError):
    """The request does not fit into the model's context; asking again cannot help."""


class ReplyError(EndpointError):
    """The server answered something that is no completion; asking again cannot help."""


class SandboxError(DualcodeError):
    """The sandbox cannot be had on this machine, or broke; this says nothing about the program."""

    exit_code = 3


class GraderError(DualcodeError):
    """The grader broke; this says nothing about the program."""


class MoneyError(DualcodeError):
    """A limit of money is reached. What was done is kept, and can be gone on with."""

    exit_code = 7


class RunError(DualcodeError):
    """A run's folder cannot be used, or the run had to stop."""

    exit_code = 3
