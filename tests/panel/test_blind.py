"""Blindness: no prompt says whose work it shows, whatever the work itself says."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode import resources
from dualcode.panel.blind import STAND_IN, Blind, parts_of
from dualcode.panel.panel import judge_all
from dualcode.panel.rubric import find_rubric
from tests.panel import judges

MODELS = {
    "kimi": "moonshotai/Kimi-K2.6",
    "opus": "claude-opus-4.8",
    "gpt-5.5": "openai/gpt-5.5",
    "small-1": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "alice": "Qwen/Qwen3-8B-AWQ",
    "o3": "o3-high",
}
CONDITIONS = [
    *(f"{one}->{two}" for one in MODELS for two in MODELS),
    *(f"no-plan:{one}" for one in MODELS),
    "review:kimi+opus",
    "drawn:alice+o3",
]
SPOKEN = ["Kimi", "K2.6", "Opus 4.8", "GPT 5.5", "gpt_5.5", "SmolLM2", "Qwen3"]
FORBIDDEN = [*CONDITIONS, *MODELS, *MODELS.values(), *SPOKEN]
WAYS = [
    "As {}, I would add them all.",
    "{}",
    "# written by {}\nx = 1",
    "Co-Authored-By: {} <bot@example.org>",
    f"see {resources.cache_folder()}/issues/worktrees/{{}}/1/src/shop",
    "class {}Client: ...",
    "my_{}_client = 1",
    "「{}」",
]
"""Ways in which a name may stand in a text."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SPOKEN)
def test_a_model_s_name_as_people_say_it_goes_wherever_it_stands(way: str, name: str) -> None:
    blind = Blind([*MODELS, *MODELS.values(), *CONDITIONS])
    for spelled in (name, name.upper(), name.lower()):
        assert not found_in(name, blind.text(way.format(spelled)))


def found_in(name: str, text: str) -> bool:
    """Whether a name stands in a text and is no part of another word."""
    before = "(?<![A-Za-z0-9])" if name[0].isalnum() else ""
    after = "(?![a-z0-9])" if name[-1].isalnum() else ""
    return re.search(f"{before}(?i:{re.escape(name)}){after}", text) is not None


names = st.sampled_from(FORBIDDEN) | st.sampled_from([each.upper() for each in FORBIDDEN])
mentions = st.tuples(st.sampled_from(WAYS), names).map(lambda both: both[0].format(both[1]))


@given(plan=mentions, said=mentions, code=mentions, tests=mentions, condition=st.sampled_from(CONDITIONS))
@settings(max_examples=40, deadline=None)
async def test_no_name_condition_or_path_occurs_in_any_prompt(
    plan: str, said: str, code: str, tests: str, condition: str
) -> None:
    added = "".join(f"+{line}\n" for line in code.split("\n"))
    diff = (
        f"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17\nFrom: {condition} <a@b.c>\n\n"
        "diff --git a/shop/new.py b/shop/new.py\nnew file mode 100644\nindex 0000000..1234567\n"
        f"--- /dev/null\n+++ b/shop/new.py\n@@ -0,0 +1,{added.count(chr(10))} @@\n{added}"
    )
    exhibit = replace(judges.exhibit(condition, plan=plan, diff=diff), instruction=said, tests=tests)
    seat, chat = judges.seat(judges.constant, name="judge-of-kimi")
    await judge_all(
        [exhibit],
        {"judge-of-kimi": seat},
        find_rubric("seven"),
        seed=1,
        record=lambda _: None,
        names={*MODELS, *MODELS.values()},
        paths=["/srv/trees"],
    )
    for request in chat.requests:
        text = judges.shown(request)
        assert not [each for each in [condition, *FORBIDDEN, "judge-of-kimi"] if found_in(each, text)], text
        for path in (str(Path.home()), str(Path.cwd()), str(resources.cache_folder()), "01234567"):
            assert not found_in(path, text)


def test_what_is_no_name_stays_to_the_letter() -> None:
    blind = Blind([*MODELS, *MODELS.values(), *CONDITIONS], ["/srv/trees"])
    code = (
        "def coder(model, reviewer):\n    total = small + high * instruct  # 8B of -O2\n"
        "    return opusculum(K2, alicex)\n    sha = '0123456789abcdef0123456789abcdef01234567'\n"
        "    open('/tmp/x', '/usr/bin/env', '/rooted')\n"
    )
    assert blind.code(code) == code


def test_code_stays_code() -> None:
    blind = Blind(["kimi"])
    assert blind.code("class KimiClient(Kimi): kimi_k2, kimi_api = kimi.load('kimi')") == (
        f"class {STAND_IN}Client({STAND_IN}): {STAND_IN}, {STAND_IN}_api = {STAND_IN}.load('{STAND_IN}')"
    )


@pytest.mark.parametrize(
    "text, left",
    [
        ("Fix it.\n\nCo-authored-by: Bob <b@x.org>\nGenerated with Claude Code\n", "Fix it.\n\n"),
        ("at 0123456789abcdef0123456789abcdef01234567 it", "at a-commit it"),
        ("/home/ann/shop/a.py and /Users/bob/b.py", "/repo/shop/a.py and /repo/b.py"),
        ("/srv/trees/x/a.py /srv/trees-2", "/repo/x/a.py /srv/trees-2"),
        ("Claude, ChatGPT, Kimi-K2, DeepSeek-R1", ", ".join([STAND_IN] * 4)),
    ],
)
def test_signatures_hashes_and_paths_go_whoever_is_in_the_team(text: str, left: str) -> None:
    assert Blind([], ["/srv/trees"]).text(text) == left


def test_a_models_name_gives_its_family_and_no_common_word() -> None:
    assert set(parts_of("HuggingFaceTB/SmolLM2-135M-Instruct")) == {
        "HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct", "SmolLM2", "SmolLM",
    }  # fmt: skip
    assert set(parts_of("review:kimi+opus")) == {"review:kimi+opus", "kimi", "opus"}
    assert set(parts_of("no-plan:coder")) == {"no-plan:coder", "no-plan"}
    assert not set(parts_of("reviewer")) | set(parts_of("A")) | set(parts_of("8b"))
