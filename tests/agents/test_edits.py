"""Which commands were to change a file: what models write, and what they only look at."""

import pytest

from dualcode.agents.commands import aims_at_tree

EDITS = [
    "sed -i 's/a/b/' x.py",
    "sed -i.bak -e 's/a/b/' x.py && python -m pytest -q",
    "sed --in-place 's/a/b/' x.py",
    "sed -Ei 's/a/b/' x.py",
    "cd src && sed -i 's/a/b/' x.py",
    "perl -pi -e 's/a/b/' x.py",
    "cat > new.py <<'EOF'\nx = 1\nEOF",
    "cat <<EOF >> src/a.py\nx = 1\nEOF",
    "echo 'x = 1' >new.py",
    "printf x | tee -a src/new.py",
    "patch -p1 <<'EOF'\n--- a\n+++ b\nEOF",
    "git apply fix.diff",
    "git apply <<'EOF'\ndiff\nEOF",
    "git checkout -- a.py",
    "mv a.py b.py",
    "rm -f a.py",
    "cp /tmp/a.py src/a.py",
    "python - <<'EOF'\nfrom pathlib import Path\nPath('a.py').write_text('x')\nEOF",
    "python3 -c \"open('a.py', 'w').write('x')\"",
    "python - <<'EOF'\nwith open(\"a.py\", mode=\"a\") as f:\n    f.write('x')\nEOF",
    "FOO=1 timeout 10 sed -i s/a/b/ x.py",
    "if true; then sed -i s/a/b/ x.py; fi",
    "sed -i 's/it's/b/' x.py",
    "ed x.py <<EOF\n1d\nw\nEOF",
    "truncate -s 0 x.py",
]
LOOKS = [
    "sed -n '1,20p' x.py",
    "grep -rn 'sed -i' .",
    "cat x.py",
    "python -m pytest -q tests 2>&1 | tail -5",
    "python -m pytest > /tmp/out.txt; tail /tmp/out.txt",
    "python -c 'print(1 > 0)'",
    "ls > /dev/null",
    "git diff HEAD",
    "git log --oneline",
    "cat > /tmp/t.py <<'EOF'\nopen('a', 'w')\nEOF\npython /tmp/t.py",
    "python - <<'EOF'\nopen('/tmp/a.txt', 'w').write('x')\nEOF",
    "python - <<'EOF'\nimport shop\nprint(shop.total([1]))\nEOF",
    "cp src/a.py /tmp/a.py",
    "rm -rf /tmp/work",
    "mv /tmp/a /tmp/b",
    "sed -i s/a/b/ /tmp/t.py",
    "make 2>&1",
    'echo "a > b"',
    "find . -name '*.py' | xargs grep -l x",
    "",
    "# sed -i nothing",
]


@pytest.mark.parametrize("command", EDITS)
def test_a_command_that_was_to_change_a_file(command: str) -> None:
    assert aims_at_tree(command, ("/tmp",))


@pytest.mark.parametrize("command", LOOKS)
def test_a_command_that_looks(command: str) -> None:
    assert not aims_at_tree(command, ("/tmp",))
