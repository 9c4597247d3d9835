"""What `dualcode sandbox` says of machines that are scripted."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dualcode.cli import sandbox as command
from dualcode.errors import SandboxError
from dualcode.sandbox import pool, tiers
from dualcode.sandbox.job import Job, Ran
from dualcode.sandbox.sandbox import Tier
from dualcode.sandbox.scripted import ScriptedSandbox, returned

REFUSED = SandboxError("unshare: Operation not permitted")


class Opened(ScriptedSandbox):
    """A sandbox that is open already, of a tier that is chosen by the test."""

    def __init__(self, tier: Tier) -> None:
        super().__init__(self._same)
        self._tier = tier

    @property
    def tier(self) -> Tier:
        return self._tier

    def _same(self, job: Job) -> Ran:
        return returned([1])

    async def __aenter__(self) -> "Opened":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def machine(
    monkeypatch: pytest.MonkeyPatch, opened: Opened | SandboxError, **probed: SandboxError | None
) -> list[dict[str, Any]]:
    """Let the machine give these tiers and open this sandbox; return how it was asked for."""
    asked = list[dict[str, Any]]()

    async def probe(name: str) -> SandboxError | None:
        return probed[name]

    def open_sandbox(workers: int, **options: Any) -> Opened:
        asked.append(options | {"workers": workers})
        if isinstance(opened, SandboxError):
            raise opened
        return opened

    monkeypatch.setattr(tiers, "probe", probe)
    monkeypatch.setattr(pool, "open_sandbox", open_sandbox)
    return asked


def said(*arguments: str) -> Result:
    return CliRunner().invoke(command.sandbox, list(arguments))


def test_the_chosen_tier_is_measured_alone_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(Tier(name="landlock", holds=("files: read-only",), lacks=("names can be asked for",)))
    asked = machine(monkeypatch, opened, namespaces=REFUSED, landlock=None)
    done = said("--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["chosen"]) == (0, "landlock")
    assert report["tiers"] == [
        {"name": "namespaces", "works": False, "why": "unshare: Operation not permitted"},
        {"name": "landlock", "works": True, "why": ""},
    ]
    assert (report["holds"], report["lacks"]) == (["files: read-only"], ["names can be asked for"])
    assert asked == [{"workers": 1, "unsafe": False}]
    assert opened.closed
    assert len(opened.jobs) == report["run_ms"]["runs"] + 1, "the first of them starts the server"
    assert 0 <= report["run_ms"]["median"] <= report["run_ms"]["p99"]


def test_the_page_says_what_holds_and_what_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(Tier(name="namespaces", holds=("network: none", "files: read-only")))
    machine(monkeypatch, opened, namespaces=None, landlock=None)
    lines = said().output.splitlines()
    assert lines[:2] == ["namespaces  works (chosen)", "landlock    works"]
    held, lacking = lines.index("holds"), lines.index("lacks")
    assert lines[held + 1 : lacking] == ["  network: none", "  files: read-only"]
    assert lines[lacking + 1].startswith("  nothing known;")
    assert lines[-1].startswith("one run of a trivial program: median ")


def test_where_none_works_the_code_is_3_and_the_way_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = SandboxError("no sandbox works", hint="a newer kernel")
    machine(monkeypatch, refusal, namespaces=REFUSED, landlock=REFUSED)
    done = said()
    assert done.exit_code == 3
    assert done.stdout.count("no: unshare: Operation not permitted") == 2
    assert "nothing is run without one unless told --unsafe\n  try: a newer kernel\n" in done.stderr
    report = said("--json")
    assert report.exit_code == 3
    assert json.loads(report.stdout) | {"tiers": []} == {
        "tiers": [], "chosen": None, "holds": [], "lacks": [], "hint": "a newer kernel", "run_ms": None,
    }  # fmt: skip


def test_the_tier_that_contains_nothing_is_named_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(Tier(name="unsafe", holds=(), lacks=("FILES CAN BE READ AND WRITTEN",)))
    asked = machine(monkeypatch, opened, namespaces=REFUSED, landlock=REFUSED)
    text = said("--unsafe").output
    assert "unsafe      (chosen, as told)" in text
    assert "  FILES CAN BE READ AND WRITTEN" in text
    assert asked[0]["unsafe"] is True
