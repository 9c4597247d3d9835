"""Silences of a command: the gaps between its lines, its start and its end."""

import sys

from benchmarks.silence import Said, listen, silences


def test_gaps_above_the_limit_are_told_the_longest_first() -> None:
    heard = [Said(0.0, "(the start)"), Said(4.0, "a"), Said(4.5, "b"), Said(12.0, "(the end)")]
    assert [(gap, before.text) for gap, before, _ in silences(heard, 3.0)] == [
        (7.5, "b"),
        (4.0, "(the start)"),
    ]
    assert silences(heard, 8.0) == []


def test_lines_of_both_streams_are_heard_with_the_exit_code() -> None:
    script = "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(5)"
    heard, code = listen([sys.executable, "-c", script])
    assert ([each.text for each in heard], code) == (["(the start)", "one", "two", "(the end)"], 5)
    assert heard == sorted(heard, key=lambda each: each.at)
