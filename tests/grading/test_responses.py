"""Claims about files of replies, and about extraction on real ones."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dualcode.errors import InputError
from dualcode.extraction import extract
from dualcode.grading.samples import ExtractionReport, extract_file
from dualcode.task import Task

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("DUALCODE_RAW_RESPONSES", ROOT.parent / "shared/data/raw_responses"))
BENCHMARK = ROOT / "benchmarks" / "extraction.py"
TASKS = {
    name: Task(id=name, prompt=f'def f{i}(x):\n    """Do it."""\n', entry_point=f"f{i}")
    for i, name in enumerate(["HumanEval/0", "HumanEval/1"])
}
GOOD = {"task_id": "HumanEval/0", "response": "```python\ndef f0(x):\n    return x\n```"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """Return the message for a file of this content; no output and no leftovers may remain."""
    source = tmp_path / "replies.jsonl"
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as caught:
        extract_file(source, tmp_path / "out.jsonl", TASKS)
    assert list(tmp_path.iterdir()) == [source]
    assert caught.value.hint
    assert str(source) in caught.value.message
    return caught.value.message


class TestExtractFile:
    def test_writes_evalplus_samples_in_order(self, tmp_path: Path) -> None:
        body = {"task_id": "HumanEval/1", "response": "    return x + 1", "model": "ignored"}
        source = write(tmp_path / "in.jsonl", body, GOOD)
        extract_file(source, tmp_path / "out.jsonl", TASKS)
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [set(row) for row in rows] == [{"task_id", "solution"}] * 2
        assert [row["task_id"] for row in rows] == ["HumanEval/1", "HumanEval/0"]
        assert rows[0]["solution"] == 'def f1(x):\n    """Do it."""\n    return x + 1\n'

    def test_reports_what_it_found(self, tmp_path: Path) -> None:
        other = {"task_id": "HumanEval/0", "response": "```python\ndef g(x):\n    return x\n```"}
        nothing = {"task_id": "HumanEval/1", "response": None}
        source = write(tmp_path / "in.jsonl", GOOD, GOOD, other, nothing)
        report = extract_file(source, tmp_path / "out.jsonl", TASKS)
        how = {"block": 2, "fragment": 1, "none": 1}
        assert report == ExtractionReport(rows=4, compiled=3, defined=2, without_code=1, how=how)

    @pytest.mark.parametrize("key", ["response", "solution", "completion"])
    def test_evalplus_s_raw_files_and_others_are_read_by_their_keys(self, tmp_path: Path, key: str) -> None:
        row = {"task_id": "HumanEval/0", key: GOOD["response"], "_identifier": "HumanEval/0 0"}
        report = extract_file(write(tmp_path / "s.raw.jsonl", row), tmp_path / "out.jsonl", TASKS)
        assert report.defined == 1

    def test_any_key_can_be_named(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD | {"generated_text": "    return 2 * x", "response": None})
        report = extract_file(source, tmp_path / "out.jsonl", TASKS, key="generated_text")
        assert report.how == {"body": 1}

    def test_a_named_key_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD)
        with pytest.raises(InputError, match="'text' missing; keys found: 'task_id', 'response'"):
            extract_file(source, tmp_path / "out.jsonl", TASKS, key="text")

    def test_null_response_is_an_empty_program(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", {"task_id": "HumanEval/0", "response": None})
        extract_file(source, tmp_path / "out.jsonl", TASKS)
        assert json.loads((tmp_path / "out.jsonl").read_text())["solution"] == ""

    def test_reads_gzip_whatever_the_name(self, tmp_path: Path) -> None:
        source = tmp_path / "in.jsonl"
        source.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
        assert extract_file(source, tmp_path / "out.jsonl", TASKS).rows == 1

    def test_byte_order_mark_and_blank_lines_are_ignored(self, tmp_path: Path) -> None:
        source = tmp_path / "in.jsonl"
        source.write_text(f"\ufeff{json.dumps(GOOD)}\r\n\n{json.dumps(GOOD)}", encoding="utf-8")
        assert extract_file(source, tmp_path / "out.jsonl", TASKS).rows == 2

    def test_output_may_be_the_input(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD)
        extract_file(source, source, TASKS)
        assert "solution" in source.read_text()

    def test_output_has_a_common_files_rights(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD)
        extract_file(source, tmp_path / "out.jsonl", TASKS)
        assert (tmp_path / "out.jsonl").stat().st_mode == source.stat().st_mode

    def test_link_is_followed_not_replaced(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD)
        link = tmp_path / "link.jsonl"
        link.symlink_to(tmp_path / "target.jsonl")
        extract_file(source, link, TASKS)
        assert link.is_symlink()
        assert "solution" in (tmp_path / "target.jsonl").read_text()


class TestRefusals:
    def test_earlier_output_survives_a_bad_line(self, tmp_path: Path) -> None:
        output = tmp_path / "out.jsonl"
        output.write_text("earlier")
        source = tmp_path / "in.jsonl"
        source.write_text(f"{json.dumps(GOOD)}\n{{")
        with pytest.raises(InputError):
            extract_file(source, output, TASKS)
        assert output.read_text() == "earlier"
        assert len(list(tmp_path.iterdir())) == 2

    def test_broken_json_names_the_line_and_the_text(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, f"{json.dumps(GOOD)}\n\n{{'task_id': 1}}\n")
        assert "line 3" in message
        assert "{'task_id': 1}" in message

    def test_row_that_is_no_object(self, tmp_path: Path) -> None:
        assert "[1, 2]" in refusal(tmp_path, "[1, 2]\n")

    def test_missing_key_lists_those_found(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, '{"task_id": "HumanEval/0", "text": "x"}\n')
        assert "'response' or 'solution' or 'completion' missing" in message
        assert "'text'" in message

    @pytest.mark.parametrize("value", [3, ["a"], {"content": "x"}, True])
    def test_response_of_a_wrong_type_is_shown(self, tmp_path: Path, value: object) -> None:
        row = json.dumps({"task_id": "HumanEval/0", "response": value})
        assert json.dumps(value) in refusal(tmp_path, row)

    def test_task_id_of_a_wrong_type_is_shown(self, tmp_path: Path) -> None:
        assert "task_id is 0" in refusal(tmp_path, '{"task_id": 0, "response": ""}')

    def test_unknown_task_names_the_nearest(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, '{"task_id": "HumanEval/00", "response": ""}')
        assert "'HumanEval/00'" in message
        assert "HumanEval/0" in message.partition("nearest")[2]

    @pytest.mark.parametrize("text", ["", "\n\n"])
    def test_empty_file_is_refused(self, tmp_path: Path, text: str) -> None:
        assert "no replies" in refusal(tmp_path, text)

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        assert "UTF-8" in refusal(tmp_path, b'{"task_id": "\xff"}')

    def test_torn_gzip(self, tmp_path: Path) -> None:
        assert "cannot be read" in refusal(tmp_path, gzip.compress(json.dumps(GOOD).encode() * 9)[:-12])

    def test_damaged_gzip(self, tmp_path: Path) -> None:
        assert "cannot be read" in refusal(
            tmp_path, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff"
        )

    def test_deeply_nested_json(self, tmp_path: Path) -> None:
        assert "not JSON" in refusal(tmp_path, "[" * 200_000)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"absent\.jsonl does not exist"):
            extract_file(tmp_path / "absent.jsonl", tmp_path / "out.jsonl", TASKS)
        assert not list(tmp_path.iterdir())

    def test_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD)
        with pytest.raises(InputError, match=r"out\.jsonl cannot be written: there is no folder"):
            extract_file(source, tmp_path / "absent" / "out.jsonl", TASKS)

    def test_output_that_is_no_regular_file(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", GOOD)
        for output in (tmp_path, Path("/dev/null")):
            with pytest.raises(InputError, match="no regular file"):
                extract_file(source, output, TASKS)


class TestRealReplies:
    @pytest.mark.skipif(not REAL.is_dir(), reason=f"no real replies at {REAL}")
    def test_at_least_99_percent_of_rows_with_code_define_the_entry_point(self) -> None:
        command = [sys.executable, str(BENCHMARK), "--data", str(REAL)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
        total = json.loads(done.stdout.splitlines()[-1])["all"]
        assert total["with_code"] > 2000
        assert total["ok_with_code"] >= 0.99 * total["with_code"]
        assert total["p99_ms"] < 50

    @pytest.mark.skipif(not REAL.is_dir(), reason=f"no real replies at {REAL}")
    def test_no_carriage_return_is_left(self) -> None:
        path = REAL / "can-ai-code_tabs.jsonl.gz"
        rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        tasks = [Task(id=row["task_id"], prompt="", entry_point=row["entry_point"]) for row in rows]
        texts = [extract(row["response"], task).text for row, task in zip(rows, tasks, strict=True)]
        assert not any("\r" in text for text in texts)

    def test_benchmark_without_data_exits_with_2_and_says_so(self, tmp_path: Path) -> None:
        command = [sys.executable, str(BENCHMARK), "--data", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2
        assert "no replies" in done.stderr
