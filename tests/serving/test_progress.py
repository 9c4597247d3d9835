"""What a starting server is said to do, and how that is shown."""

import io
from pathlib import Path

import pytest

from dualcode.serving.progress import Display, Watch

HEAD = "(EngineCore pid=7) INFO 11-28 10:00:00 [x.py:1] "


def doing(watch: Watch) -> str:
    """The line without the server's name and the seconds."""
    return watch.line().partition(": ")[2].rpartition(" (")[0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "starting"),
        ("INFO [model.py:1] Resolved architecture: Qwen3ForCausalLM", "reading its configuration"),
        (HEAD + "Starting to load model Qwen/Qwen3-32B-AWQ...", "loading weights"),
        ("Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:03<00:03,  1.5s/it]",
         "loading weights, file 2 of 4"),
        (HEAD + "Model loading took 18.0 GiB memory and 31.2 seconds", "weights are loaded"),
        (HEAD + "Dynamo bytecode transform time: 3.70 s", "compiling"),
        (HEAD + "Available KV cache memory: 2.71 GiB", "dividing the memory"),
        ("Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  60%|██████    | 3/5 [00:00<00:00]",
         "recording CUDA graphs, 60 %"),
        ("INFO:     Application startup complete.", "about to answer"),
        ("mode: CompilationMode.NONE, backend: inductor, torch.compile: off", "starting"),
    ],
)  # fmt: skip
def test_a_stage_is_read_from_vllms_own_lines(tmp_path: Path, line: str, told: str) -> None:
    log = tmp_path / "coder.log"
    log.write_text(line + "\n")
    assert doing(Watch("coder", log)) == told


def test_a_bar_that_returns_without_a_new_line_is_read_to_its_last_state(tmp_path: Path) -> None:
    log = tmp_path / "coder.log"
    log.write_bytes(b"".join(b"\rLoading safetensors checkpoint shards: | %d/4" % part for part in (1, 2, 3)))
    watch = Watch("coder", log)
    assert doing(watch) == "loading weights, file 3 of 4"
    with log.open("ab") as file:
        file.write(b"\rLoading safetensors checkpoint shards: | 4/4")
    assert doing(watch) == "loading weights, file 4 of 4"


def test_a_download_is_told_by_what_has_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    blobs = tmp_path / "models--org--m/blobs"
    blobs.mkdir(parents=True)
    (blobs / "old").write_bytes(bytes(10))
    gib = 2**30
    watch = Watch("coder", tmp_path / "none.log", "org/m", 2 * gib)
    assert doing(watch) == "downloading 0.0 of 2.0 GiB"
    with (blobs / "new.incomplete").open("wb") as file:
        file.truncate(gib)  # takes no room
    assert doing(watch) == "downloading 1.0 of 2.0 GiB"
    with (blobs / "new.incomplete").open("wb") as file:
        file.truncate(2 * gib)
    assert doing(watch) == "starting"
    assert doing(Watch("coder", tmp_path / "none.log", "org/m", None)) == "downloading, 0.0 GiB so far"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_the_line_of_the_moment_is_repeated_and_not_too_often() -> None:
    pipe = io.StringIO()
    display = Display(pipe, every=1000)
    display.now("loading")
    assert pipe.getvalue() == ""
    display = Display(pipe, every=0)
    display.now("loading")
    display.now("loading")
    display.say("ready")
    display.close()
    assert pipe.getvalue() == "loading\nloading\nready\n"


def test_silence_in_a_pipe_is_shorter_than_three_seconds() -> None:
    assert Display(io.StringIO())._every < 3  # pyright: ignore[reportPrivateUsage]


def test_on_a_terminal_the_line_of_the_moment_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    screen = Terminal()
    display = Display(screen)
    display._every = 0  # pyright: ignore[reportPrivateUsage]
    display.now("a line that is longer than the screen")
    display.say("ready")
    assert screen.getvalue() == "\r\x1b[2Ka line that is long\r\x1b[2Kready\n"
