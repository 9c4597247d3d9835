"""What is chosen among tiers that hold or fail by a script, and how the choice is explained."""

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox import tiers

NO_NAMESPACES = SandboxError("unshare: Operation not permitted")
NO_LANDLOCK = SandboxError("landlock: Function not implemented", hint="a newer kernel")


def script(
    monkeypatch: pytest.MonkeyPatch, *, abi: int = 7, crashes: bool = False, **probed: SandboxError | None
) -> None:
    monkeypatch.setattr(tiers, "_probed", dict(probed))
    monkeypatch.setattr(tiers.kernel, "landlock_abi", lambda: abi)
    monkeypatch.setattr(tiers.kernel, "reaches_handler", lambda: crashes)
    monkeypatch.setattr(tiers.policy, "compile_policy", lambda: b"policy")


async def test_the_strongest_that_holds_is_chosen_without_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(monkeypatch, namespaces=None, landlock=None)
    choice = await tiers.choose()
    assert (choice.tier.name, choice.tier.reason, choice.tier.lacks) == ("namespaces", "", ())
    assert choice.policy == b"policy"


async def test_a_weaker_one_says_why_no_stronger_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, abi=3, namespaces=NO_NAMESPACES, landlock=None)
    chosen = (await tiers.choose()).tier
    assert (chosen.name, chosen.reason) == ("landlock", "namespaces: unshare: Operation not permitted")
    assert [lack for lack in chosen.lacks if "ABI" in lack] == [
        "Landlock ABI 3: TCP stopped by the filter alone",
        "Landlock ABI 3: signals and abstract sockets stopped by the filter alone",
    ]


async def test_what_was_asked_for_by_name_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, namespaces=NO_NAMESPACES, landlock=None)
    for unsafe in (False, True):
        with pytest.raises(SandboxError, match="namespaces: unshare") as raised:
            await tiers.choose("namespaces", unsafe=unsafe)
        assert "landlock" not in raised.value.message


async def test_a_refusal_gives_the_first_hint_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, namespaces=NO_NAMESPACES, landlock=NO_LANDLOCK)
    with pytest.raises(SandboxError) as raised:
        await tiers.choose()
    assert raised.value.hint == "a newer kernel"
    script(monkeypatch, namespaces=NO_NAMESPACES, landlock=NO_NAMESPACES)
    with pytest.raises(SandboxError) as raised:
        await tiers.choose()
    assert "--unsafe" in str(raised.value.hint)


async def test_none_at_all_must_be_allowed_and_is_never_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, namespaces=NO_NAMESPACES, landlock=None)
    assert (await tiers.choose(unsafe=True)).tier.name == "landlock"
    script(monkeypatch, namespaces=NO_NAMESPACES, landlock=NO_LANDLOCK)
    chosen = (await tiers.choose(unsafe=True)).tier
    assert chosen.name == "unsafe"
    assert chosen.reason == f"namespaces: {NO_NAMESPACES.message}; landlock: {NO_LANDLOCK.message}"
    assert any("system calls" in held for held in chosen.holds)
    assert any("FILES CAN BE READ" in lack for lack in chosen.lacks)


async def test_a_limit_that_cannot_be_given_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, crashes=True, namespaces=None)
    assert any("crash handler" in lack for lack in (await tiers.choose()).tier.lacks)


@pytest.mark.parametrize("name", ["", "docker", "Landlock"])
async def test_a_tier_that_there_is_not_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(SandboxError, match="there are namespaces, landlock and unsafe"):
        await tiers.choose(name)
