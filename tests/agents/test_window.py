"""What is sent of a long conversation: as much as fits, the same beginning for as long as it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcode.agents.window import RECENT, SHORT, FullError, Window, shorten
from dualcode.call import Message


def conversation(sizes: list[int], *, opening: int = 2) -> list[Message]:
    """Return an opening, and turns whose observations have these sizes."""
    first = [Message(role="system", content="s" * 200), Message(role="user", content="u" * 200)][:opening]
    for number, size in enumerate(sizes):
        first.append(Message(role="assistant", content=f"reply {number}"))
        first.append(Message(role="user", content=str(number % 10) * size))
    return first


def total(messages: tuple[Message, ...]) -> int:
    return sum(len(message.content) for message in messages)


def test_what_fits_is_sent_as_it_is() -> None:
    said = conversation([1000] * 5)
    assert Window(10_000, 512, 2).fit(said) == tuple(said)
    assert Window(None, 512, 2).fit(said) == tuple(said)


def test_older_observations_are_shortened_first_and_the_opening_never() -> None:
    said = conversation([3000] * 6)
    window = Window(4000, 500, 2)  # (4000 - 500 - 64) tokens of 3 characters
    sent = window.fit(said)
    assert total(sent) <= 10_308
    assert sent[:2] == tuple(said[:2])
    assert sent[-1] == said[-1]
    assert window.shortened == (1, 2, 3, 4)
    assert "[2,700 characters left out]" in sent[3].content


def test_what_was_shortened_stays_so_and_the_next_turns_need_no_shortening() -> None:
    said = conversation([3000] * 6)
    window = Window(4000, 500, 2)
    first = window.fit(said)
    grown = [*said, Message(role="assistant", content="more"), Message(role="user", content="x" * 1000)]
    assert window.fit(grown)[: len(first)] == first


def test_recent_observations_are_shortened_when_nothing_else_helps() -> None:
    said = conversation([9000, 9000])
    window = Window(3000, 500, 2)
    sent = window.fit(said)
    assert total(sent) <= (3000 - 500 - 64) * 3
    assert len(sent[-1].content) < RECENT + 50


def test_what_cannot_fit_is_refused() -> None:
    said = conversation([10])
    said[1] = Message(role="user", content="u" * 50_000)
    with pytest.raises(FullError):
        Window(4000, 500, 2).fit(said)


def test_a_server_s_count_of_tokens_is_believed() -> None:
    said = conversation([3000] * 3)
    window = Window(4000, 500, 2)
    window.learn(said, 10)  # long tokens: all fits now
    assert window.fit([*said, *conversation([3000] * 5, opening=0)])[:2] == tuple(said[:2])
    assert window.shortened == ()
    window.learn(said, total(tuple(said)))  # one character a token
    window.fit(said)
    assert window.shortened


def test_a_refused_conversation_is_shortened_though_no_context_is_known() -> None:
    said = conversation([3000] * 4)
    window = Window(None, 500, 2)
    window.refused(window.fit(said))
    assert total(window.fit(said)) <= 0.7 * total(tuple(said))
    assert window.shortened == (1, 2)


def test_an_earlier_conversation_is_shortened_and_the_brief_that_follows_it_is_not() -> None:
    earlier = conversation([3000] * 4)
    brief = Message(role="user", content="b" * 2500)
    said = [*earlier[:-1], brief, *conversation([100], opening=0)]
    window = Window(3000, 500, len(earlier))
    sent = window.fit(said)
    assert brief in sent
    assert 0 in window.shortened


@given(st.lists(st.integers(0, 6000), max_size=12), st.integers(600, 8000))
def test_whatever_is_sent_fits_and_keeps_roles_and_order(sizes: list[int], context: int) -> None:
    said = conversation(sizes)
    window = Window(context, 200, 2)
    window.learn([Message(role="user", content="x" * 300)], 95)  # three characters a token
    try:
        sent = window.fit(said)
    except FullError:
        least = 400 + sum(7 + len(str(n)) + min(size, SHORT) for n, size in enumerate(sizes))
        assert least > 0.5 * (context - 264) * 3
        return
    assert total(sent) <= max(1, context - 264) * 3
    assert [each.role for each in sent] == [each.role for each in said]


@given(st.text(max_size=500), st.integers(2, 100))
def test_a_shortened_text_has_both_ends_and_says_what_is_missing(text: str, most: int) -> None:
    short = shorten(text, most)
    if len(text) <= most:
        assert short == text
    else:
        half = most // 2
        assert short.startswith(text[:half])
        assert short.endswith(text[-half:])
        assert f"[{len(text) - 2 * half:,} characters left out]" in short
