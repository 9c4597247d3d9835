"""Memory plans: held against what is on record of such cards, and against the profiles' own comments."""

import re

import pytest

from dualcode.errors import UnknownNameError
from dualcode.serving.facts import GIB, load_facts
from dualcode.serving.plan import DISPLAY_GIB, FLASHINFER_GIB, ServerPlan, plan
from dualcode.serving.profiles import Profile, load

FACTS = load_facts()
REVIEWER = "Qwen/Qwen3-32B-AWQ"
CODER = "Qwen/Qwen2.5-Coder-14B-Instruct-AWQ"
MADE_FOR = {"a10g": "a10g", "one-80gb": "a100-80gb", "two-24gb": "rtx-4090", "two-hosts": "a10g"}


def planned(profile: str | Profile, gpu: str, display: float = 0) -> dict[str, ServerPlan]:
    loaded = load(profile) if isinstance(profile, str) else profile
    return {each.server: each for each in plan(loaded, FACTS.gpu(gpu), FACTS, display=display)}


def with_flags(profile: str, server: str, **flags: object) -> Profile:
    """Return a profile with one server alone, and its flags changed (`_` for `-`)."""
    loaded = load(profile)
    one = next(each for each in loaded.servers if each.name == server)
    changed = {**one.flags, **{name.replace("_", "-"): value for name, value in flags.items()}}
    return loaded.model_copy(update={"servers": (one.model_copy(update={"flags": changed}),)})


@pytest.mark.parametrize("model", FACTS.models)
def test_computed_weights_are_within_a_percent_of_what_vllm_measured(model: str) -> None:
    facts = FACTS.models[model]
    assert facts.measured_gib is not None
    assert facts.weights_gib == pytest.approx(facts.measured_gib, rel=0.01)


@pytest.mark.parametrize(("model", "billions"), [(CODER, 14.77), (REVIEWER, 32.76)])
def test_a_models_shape_has_the_parameters_that_its_card_says(model: str, billions: float) -> None:
    facts = FACTS.models[model]
    both = facts.linear_parameters + 2 * facts.vocabulary * facts.hidden
    assert both / 1e9 == pytest.approx(billions, rel=0.001)


@pytest.mark.parametrize(("model", "kib"), [(CODER, 192), (REVIEWER, 256)])
def test_a_token_of_cache_is_as_large_as_the_models_pages_say(model: str, kib: int) -> None:
    assert FACTS.models[model].cache_bytes(2) == kib * 1024


@pytest.mark.parametrize(("share", "tokens"), [(0.85, 87_200), (0.60, 39_040)])
def test_a_plan_promises_no_more_cache_than_two_rtx_4090_had(share: float, tokens: int) -> None:
    """Qwen3-32B-AWQ over two RTX 4090 under vLLM 0.28, the KV cache's size in tokens as its log told it."""
    flags = {"max_num_seqs": 128, "max_num_batched_tokens": 2048, "max_model_len": 8192}
    profile = with_flags("a10g", "reviewer", gpu_memory_utilization=share, tensor_parallel_size=2, **flags)
    found = planned(profile, "rtx-4090")["reviewer"]
    assert 0.88 * tokens < found.cache_tokens <= tokens


@pytest.mark.parametrize(("profile", "gpu"), MADE_FOR.items())
def test_every_shipped_profile_fits_on_its_card(profile: str, gpu: str) -> None:
    found = planned(profile, gpu)
    assert set(found) == {"coder", "reviewer"}
    assert [each.problems for each in found.values()] == [(), ()]
    assert all(each.at_full_length >= 1.3 for each in found.values())


@pytest.mark.parametrize(("profile", "gpu"), MADE_FOR.items())
def test_the_sums_in_a_profiles_yaml_are_those_that_are_computed(profile: str, gpu: str) -> None:
    found = planned(profile, gpu)
    for server in load(profile).servers:
        each = found[server.name]
        told = re.findall(r"^# memory: (.*)$", server.config.read_text(), re.MULTILINE)
        assert told == [
            f"card {each.memory:.2f}, vLLM {each.share:.2f}, weights {each.weights:.2f}, activations "
            f"{each.activations:.2f}, workspace {each.workspace:.2f}, other {each.other:.2f}, cache "
            f"{each.cache:.2f} GiB",
            f"cache of {each.cache_tokens} tokens, {each.at_full_length:.1f} requests of full length, "
            f"{each.outside:.2f} GiB free beside vLLM",
        ]


def test_the_limits_of_the_a10g_profile_leave_room_for_a_thought_an_answer_and_a_prompt() -> None:
    from dualcode.config import load_team

    reviewer = load_team(load("a10g").team_file).endpoints["reviewer"]
    length = planned("a10g", "a10g")["reviewer"].max_model_len
    assert length - reviewer.thinking_budget - reviewer.answer_tokens >= 2048


def test_consumer_cards_hold_the_pair_beside_a_display_and_the_a10g_profile_does_not() -> None:
    for gpu in ("rtx-3090", "rtx-4090"):
        assert all(each.fits for each in planned("two-24gb", gpu, display=DISPLAY_GIB).values())
        assert not planned("a10g", gpu, display=DISPLAY_GIB)["reviewer"].fits


def test_a_cache_in_fp8_holds_twice_the_tokens_less_flashinfers_workspace() -> None:
    plain = planned("a10g", "a10g")["reviewer"]
    small = planned(with_flags("a10g", "reviewer", kv_cache_dtype="fp8"), "a10g")["reviewer"]
    assert small.workspace == FLASHINFER_GIB
    assert small.cache == pytest.approx(plain.cache - FLASHINFER_GIB)
    assert small.cache_tokens == pytest.approx(2 * small.cache * GIB / (256 * 1024), abs=16)
    hopper = planned(with_flags("a10g", "reviewer", kv_cache_dtype="fp8"), "h100")["reviewer"]
    assert hopper.workspace == 0  # FlashAttention takes it there


def test_two_servers_on_one_card_need_a_context_each() -> None:
    found = planned("one-80gb", "a100-80gb")
    assert found["coder"].outside == pytest.approx(found["reviewer"].outside)
    assert found["coder"].outside == pytest.approx(79.14 * (1 - 0.36 - 0.58))
    tight = load("one-80gb")
    first, second = tight.servers
    greedy = second.model_copy(update={"flags": {**second.flags, "gpu-memory-utilization": 0.63}})
    tight = tight.model_copy(update={"servers": (first, greedy)})
    assert planned(tight, "a100-80gb")["coder"].problems == (
        "0.79 GiB would be free beside vLLM, 0.90 must be",
    )


def test_what_does_not_fit_says_why() -> None:
    long = with_flags("a10g", "reviewer", max_model_len=16384)
    assert planned(long, "a10g")["reviewer"].problems == (
        "the cache holds 11104 tokens, max-model-len wants 16384",
    )
    assert "leave no cache" in planned("one-80gb", "l4")["coder"].problems[0]


def test_speed_follows_from_what_a_step_reads() -> None:
    """Reading the reviewer's weights once takes 29.6 ms at 600 GB/s, and no step is faster."""
    found = planned("a10g", "a10g")["reviewer"]
    floor = FACTS.models[REVIEWER].read_gib * GIB / 600e9
    assert floor == pytest.approx(0.0296, rel=0.01)
    assert found.tokens_per_second < 1 / floor
    assert found.tokens_per_second < found.tokens_per_second_full < 3 * found.tokens_per_second


def test_an_unknown_gpu_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="rtx-4090"):
        FACTS.gpu("rtx-409")
