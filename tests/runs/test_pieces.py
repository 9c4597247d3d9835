"""A hidden string that was taken apart is found wherever a reader could put it together again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.runs.audit import GAP, scattered


def by_definition(own: list[str], loose: list[str]) -> int | None:
    """Try every place for every word."""

    def follows(word: int, at: int) -> bool:
        if word == len(own):
            return True
        near = range(at + 1, min(at + 2 + GAP, len(loose)))
        return any(loose[there] == own[word] and follows(word + 1, there) for there in near)

    starts = (at for at, word in enumerate(loose) if word == own[0] and follows(1, at))
    return next(starts, None)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, GAP + 1)), max_size=8).map(
        lambda places: [word for each, gap in places for word in (each, *"x" * gap)]
    ),
)
def test_words_in_order_are_found_whichever_of_them_come_again(own: list[str], loose: list[str]) -> None:
    assert scattered(own, loose) == by_definition(own, loose)


def test_a_word_that_comes_again_hides_nothing_that_stands_behind_it() -> None:
    """The nearest `2` is too far from `3`; the next one is not."""
    loose = ["1", "2", *["x"] * 10, "2", *["x"] * 5, "3"]
    assert scattered(["1", "2", "3"], loose) == 0


@pytest.mark.parametrize(("between", "found"), [(0, 0), (GAP, 0), (GAP + 1, None)])
def test_so_many_words_may_stand_between_two(between: int, found: int | None) -> None:
    assert scattered(["1", "2"], ["1", *["x"] * between, "2"]) == found


def test_many_words_that_are_all_the_same_are_looked_through_in_one_go() -> None:
    assert scattered(["0"] * 300, ["0"] * 299) is None
    assert scattered(["0"] * 300, ["0"] * 300) == 0
