"""Which command a reply has: one block, however models write it, and never a guess between two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcode.agents.commands import blocks, read_turn, without_documents

HERE = "cat > notes.md <<'EOF'\nRun it:\n```bash\nmake\n```\n```\nEOF\necho written"
MARKS = "cat > a.txt <<'EOF'\n<think>\nhm\n</think>\nEOF"
TWO = "cat <<EOF && cat <<-'END'\n```\nEOF\n```\n\tEND\nls"


@pytest.mark.parametrize(
    ("reply", "command"),
    [
        ("I look.\n\n```bash\nls -la\n```\n", "ls -la"),
        ("```sh\nls\n```", "ls"),
        ("```shell\nls\n```\nThen I will see.", "ls"),
        ("```mswea_bash_command\nls\n```", "ls"),
        ("~~~bash\nls\n~~~", "ls"),
        ("  ```Bash\n  ls\n  ```", "ls"),
        ("````bash\nprintf '```\\n'\n```\n````", "printf '```\\n'\n```"),
        (f"The page.\n```bash\n{HERE}\n```", HERE),
        (f"```bash\n{TWO}\n```", TWO),
        ("Change this:\n```python\nx = 1\n```\nso:\n```bash\nsed -i s/1/2/ a.py\n```", "sed -i s/1/2/ a.py"),
        ("<think>```bash\nrm x\n```</think>```bash\nls\n```", "ls"),
        ("<think>hm</think>\n```bash\nls\n```", "ls"),
        ("hm, I look</think>\n```bash\nls\n```", "ls"),
        ("```bash\ngrep '</think>' a.py\n```", "grep '</think>' a.py"),
        (f"```bash\n{MARKS}\n```", MARKS),
        ("```bash\nls\n```<|im_end|>", "ls"),
        ("```bash\nls\n```</s>", "ls"),
        ("```bash\nprintf 'a\x0cb\u2028c'\n```", "printf 'a\x0cb\u2028c'"),
        ("```bash\r\nls -l\r\n```\r\n", "ls -l"),
        ("```bash\necho 'a\0b'\n```", "echo 'ab'"),
        ("```bash\nbc <<< '1+1'\n```", "bc <<< '1+1'"),
        ("```bash\necho $((1<<n))\n```", "echo $((1<<n))"),
    ],
)  # fmt: skip
def test_the_command_of_a_reply(reply: str, command: str) -> None:
    assert read_turn(reply).command == command


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (None, 0),
        ("", 0),
        ("ls -la", 0),
        ("```python\nprint(1)\n```", 0),
        ("```\nls\n```", 0),
        ("```bash\nls", 0),
        ("```bash\n\n```", 0),
        ("```bash\nls\n```\n```bash\npwd\n```", 2),
        ("```bash\nls\n```\nIt prints a.py.\n```bash\ncat a.py\n```\n```bash\ncat b.py\n```", 3),
    ],
)
def test_a_reply_without_exactly_one_command_has_none(reply: str | None, found: int) -> None:
    assert (read_turn(reply).command, read_turn(reply).found) == (None, found)


def test_a_here_document_that_never_ends_does_not_swallow_the_block_s_end() -> None:
    assert blocks("```bash\ncat <<EOF\nhello\n```\nDone.") == ["cat <<EOF\nhello"]


_LINES = st.lists(st.sampled_from(["ls", "echo '```'", "x=1", "", "```python", "  # no"]), min_size=1)


@given(_LINES, st.text("`~ab \n", max_size=30))
def test_what_is_written_into_a_longer_fence_comes_out_of_it(lines: list[str], around: str) -> None:
    command = "\n".join(lines)
    found = blocks(f"`````bash\n{command}\n`````\n")
    assert found == ([command.strip()] if command.strip() else [])
    assert all(isinstance(each, str) for each in blocks(around + command))


def test_here_documents_are_told_from_the_command() -> None:
    command = "python - <<'EOF'\nprint('> x')\nEOF\ncat a <<X >b\nsed -i\nX"
    assert without_documents(command) == ("python - <<'EOF'\ncat a <<X >b", "print('> x')\nEOF\nsed -i\nX")
