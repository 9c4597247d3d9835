"""What the work says: in order, joined where the client is slow, and ended where the client said."""

import pytest

from dualcode.gateway.voice import Event, Until, Voice


async def test_pieces_that_wait_are_one_and_kinds_stay_in_order() -> None:
    voice = Voice(["END"])
    for text in ("a", "b"):
        voice.tell(text)
    for text in ("c", "dE", "ND", "e"):
        voice.say(text)
    voice.close()
    assert [await voice.next() for _ in range(3)] == [
        Event("thought", "ab"),
        Event("answer", "cd"),
        Event("end"),
    ]
    assert voice.said == "cd"


@pytest.mark.parametrize("stops", [["xyz"], ["z"], ["xyzzy", "yz"], ["none"], []])
def test_a_stop_sequence_is_found_wherever_a_text_is_cut(stops: list[str]) -> None:
    text = "axyxyzzyxy"
    places = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    end = min(places)[1] if places else len(text)
    for size in range(1, len(text) + 1):
        cut = Until(stops)
        pieces = [cut.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join(pieces) + cut.rest() == text[:end]
