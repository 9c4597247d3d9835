"""The forms in which texts are compared: read once, and together, they are what each is alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.runs.needles import Text, squeezed, squeezed_all, words, words_all
from dualcode.runs.provenance import RUN, Sources

PIECES = [
    "nu", "ll", "null", "NULL", "\\", "\\n", "\\u0041", "\\0", "\0", "n", "0", "0x1F", "1_000", "1.50", ".5",
    "1e3", "e3", "None", '"', "'", "(", "}", " ", "\t", "\n", "\x1c", "foo", "Straße", "ß", "x_1", "µ",
    "9" * 400,
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)
said = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, max_size=6))
def test_texts_that_follow_each_other_have_the_forms_of_the_whole(parts: list[str]) -> None:
    whole = "\n".join(parts)
    assert Text.of(*parts) == Text.of(whole)
    assert Text.of(whole).words == words(whole)
    assert Text.of(whole).squeezed == squeezed(whole)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, max_size=6))
def test_texts_read_together_have_the_forms_of_each(parts: list[str]) -> None:
    assert squeezed_all(parts) == [squeezed(part) for part in parts]
    assert words_all(parts) == [words(part) for part in parts]


def test_no_texts_have_no_forms() -> None:
    assert squeezed_all([]) == words_all([]) == []
    assert Text.of() == Text("", "  ", "")


def naive(known: list[str], text: str) -> list[list[str]]:
    """The stretches of no known source, by the definition: longest first, a word at a time."""
    own, found, at, open_ = text.split(), list[list[str]](), 0, False
    while at < len(own):
        lengths = (
            n
            for n in range(len(own) - at, 0, -1)
            if any(
                f" {' '.join(own[at : at + n])} " in f" {each} "
                if n >= RUN
                else own[at : at + n] == each.split()
                for each in known
            )
        )
        length = next(lengths, 0)
        if not length and not open_:
            found.append([])
        if not length:
            found[-1].append(own[at])
        at, open_ = at + max(1, length), not length
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(said, max_size=4), st.lists(said, max_size=4), st.lists(said, max_size=4))
def test_what_has_no_source_is_what_the_definition_says(
    every: list[str], own: list[str], asked: list[str]
) -> None:
    shared = Sources(every)
    for _ in range(2):  # a second task has what every task may know, and nothing of the first
        sources, known = shared.beside(), [*every]
        for text, more in zip(asked, own, strict=False):
            assert sources.unexplained(text) == naive(known, text)
            sources.add(more)
            known.append(more)
        for text in asked:
            assert sources.unexplained(text) == naive(known, text)


@pytest.mark.parametrize("count", [1, 400])
def test_forms_are_kept_of_so_many_texts_and_true_of_all(count: int) -> None:
    known = [f"text number {n} of many" for n in range(count)]
    assert all(words(each) == Text.of(each).words for each in [*known, *known])
