"""What is looked at before anything is downloaded, on stand-ins for the driver, the hub and the disk."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psutil
import pytest

from dualcode.errors import ServingError
from dualcode.serving import hub, preflight
from dualcode.serving.facts import GIB
from dualcode.serving.hardware import read_checkpoint
from dualcode.serving.interpreter import Interpreter
from dualcode.serving.pair import start
from dualcode.serving.profiles import Profile, load
from tests.serving.conftest import MakeProfile
from tests.serving.nvml import card, nvml

COMMIT = "0499c3ac83fdef8810b907a23894ba91e95eddd8"
MODEL = "org/model"
VLLM = Interpreter(python=Path("/vllm/python"), versions={"vllm": "0.32.0", "torch": "2.13.0"}, cuda="13.0")


@contextmanager
def serving(answer: Callable[[str], tuple[int, Mapping[str, str], Any]]) -> Generator[str]:
    """A hub: path -> status, headers, JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def cached(
    folder: Path, *, commit: str = COMMIT, name: str = MODEL, files: tuple[str, ...] = ("a", "b")
) -> None:
    """Put a model of two files into a hub's cache; `files` are those that have arrived."""
    repository = folder / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    (snapshot / "config.json").write_text("{}")
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    for file in files:
        (snapshot / f"{file}.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets the driver tell of these GPUs, with a compiler on PATH or none."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "no-toolkit"))

    def put(*cards: dict[str, Any], compiler: bool = True, driver: str = "580.65.06") -> None:
        monkeypatch.setitem(sys.modules, "pynvml", nvml(*cards, SystemGetDriverVersion=driver))
        if compiler:
            (folder / "gcc").touch(0o755)

    return put


def two(**answers: Any) -> tuple[dict[str, Any], ...]:
    return tuple(card(number, **answers) for number in (0, 1))


def refused(profile: Profile | str, vllm: Interpreter = VLLM) -> str:
    """Return what a check of a profile on GPUs says is wrong."""
    loaded = load(profile) if isinstance(profile, str) else profile
    with pytest.raises(ServingError) as caught:
        preflight.check(loaded, loaded.servers, vllm, on_gpu=True)
    assert "nothing was downloaded" in caught.value.message
    return caught.value.message


def hold_both(cache: Path) -> None:
    """Let the cache hold both of the pair's models."""
    for server in load("a10g").servers:
        assert server.weights
        cached(cache, name=server.weights)


def changed(**flags: Any) -> Profile:
    """The a10g profile with these flags in both servers (`_` for `-`)."""
    loaded = load("a10g")
    more = {name.replace("_", "-"): value for name, value in flags.items()}
    servers = [each.model_copy(update={"flags": {**each.flags, **more}}) for each in loaded.servers]
    return loaded.model_copy(update={"servers": tuple(servers)})


def test_a_machine_as_the_profile_wants_it_passes(cache: Path, cards: Callable[..., None]) -> None:
    hold_both(cache)
    cards(*two())
    profile = load("a10g")
    found = preflight.check(profile, profile.servers, VLLM, on_gpu=True)
    assert {name: each.commit for name, each in found.items()} == {"coder": COMMIT, "reviewer": COMMIT}


def test_an_old_driver_is_named_with_the_series_that_the_wheel_needs(
    cache: Path, cards: Callable[..., None]
) -> None:
    hold_both(cache)
    cards(*two(), driver="570.86.15")
    assert "driver 570.86.15 is older than vLLM's CUDA 13.0 needs (580 or newer)" in refused("a10g")
    older = VLLM.model_copy(update={"cuda": "12.8"})
    profile = load("a10g")
    assert preflight.check(profile, profile.servers, older, on_gpu=True)


def test_a_missing_compiler_or_header_is_named_before_triton_fails_on_it(
    cache: Path, cards: Callable[..., None]
) -> None:
    hold_both(cache)
    cards(*two(), compiler=False)
    assert "there is no C compiler" in refused("a10g")
    cards(*two())
    assert "no Python.h" in refused("a10g", VLLM.model_copy(update={"headers": False}))


def test_flags_that_the_card_does_not_take_are_named(cache: Path, cards: Callable[..., None]) -> None:
    hold_both(cache)
    cards(*two())
    assert "by FlashInfer alone, which compiles with nvcc; there is none" in refused(
        changed(kv_cache_dtype="fp8")
    )
    cards(*two(DeviceGetCudaComputeCapability=(7, 0)))
    told = refused(changed(kv_cache_dtype="fp8", dtype="bfloat16"))
    assert "7.0) is older than vLLM's kernels" in told
    assert "has no bfloat16" in told
    assert "no kernels for a cache in fp8" in told
    cards(*two(DeviceGetCudaComputeCapability=(9, 0)))
    profile = changed(kv_cache_dtype="fp8")
    assert preflight.check(profile, profile.servers, VLLM, on_gpu=True)


def test_memory_that_others_hold_is_named_with_who_holds_it(cache: Path, cards: Callable[..., None]) -> None:
    hold_both(cache)
    holder = SimpleNamespace(pid=os.getpid(), usedGpuMemory=None)
    cards(card(0), card(1, used=3000, DeviceGetComputeRunningProcesses=[holder]))
    name = psutil.Process().name()
    told = refused("a10g")
    assert f"2.9 GiB of GPU 1 are taken by {name} (pid {os.getpid()}); the profile leaves 0.2" in told
    cards(card(0), card(1, used=3000, DeviceGetDisplayActive=1))
    assert "GPU 1 are taken by a display" in refused("a10g")


def test_a_smaller_card_than_the_profile_was_made_for_is_told_by_its_plan(
    cache: Path, cards: Callable[..., None]
) -> None:
    hold_both(cache)
    cards(*two(DeviceGetName="Some card", total=16384))
    told = refused("a10g")
    assert "the reviewer does not fit on GPU 1 (Some card)" in told
    assert "leave no cache" in told


def test_a_full_disk_is_named_before_the_download(
    cache: Path, cards: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    def nearly_full(_path: object) -> Usage:
        return Usage(100, 90, 10 * GIB)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    cards(*two())
    size = [{"rfilename": "a", "size": 9 * GIB}]
    with serving(lambda _path: (200, {}, {"sha": COMMIT, "siblings": size})) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        told = refused("a10g")
    assert "18.0 GiB are to be downloaded to" in told
    assert "where 10.0 GiB are free" in told


def test_everything_that_is_wrong_is_told_at_once_each_with_its_remedy(
    cache: Path, cards: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cards(*two(), driver="470.65.06", compiler=False)
    told = refused("a10g")
    for words in ("driver 470", "no C compiler", "the coder: ", "the reviewer: ", "$HF_HUB_OFFLINE forbids"):
        assert words in told
    assert told.count("unset HF_HUB_OFFLINE") == 2


def test_a_branch_means_the_commit_that_the_hub_says_and_what_is_missing_is_counted(cache: Path) -> None:
    asked: list[str] = []

    def answer(path: str) -> tuple[int, Mapping[str, str], Any]:
        asked.append(path)
        return 200, {}, {"sha": COMMIT, "siblings": [{"size": 700}, {"size": 300}]}

    blobs = cache / "models--org--model/blobs"
    blobs.mkdir(parents=True)
    (blobs / "x.incomplete").write_bytes(bytes(100))
    with serving(answer) as url:
        found = hub.weights(MODEL, "main", {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": url})
    assert (found.commit, found.missing_bytes) == (COMMIT, 900)
    assert asked == ["/api/models/org/model/revision/main?blobs=true"]


def test_what_the_cache_has_whole_is_not_asked_for(cache: Path) -> None:
    cached(cache)
    nowhere = {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": "http://127.0.0.1:9"}
    for revision in ("main", COMMIT):
        assert hub.weights(MODEL, revision, nowhere).commit == COMMIT
    with pytest.raises(ServingError, match="cannot be reached for org/model"):
        hub.weights(MODEL, "other", nowhere)


def test_a_half_downloaded_model_is_not_whole(cache: Path) -> None:
    cached(cache, files=("a",))
    with pytest.raises(ServingError, match="cannot be reached"):
        hub.weights(MODEL, "main", {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    ("status", "headers", "told", "remedy"),
    [
        (404, {"X-Error-Code": "RevisionNotFound"}, "has no revision 'v9'", "revision"),
        (401, {"X-Error-Code": "RepoNotFound"}, "does not exist, or is not ours to read", "model"),
        (403, {"X-Error-Code": "GatedRepo"}, "is gated", "HF_TOKEN"),
        (500, {}, "HTTP 500", "again"),
        (200, {}, "HTTP 200", "again"),
    ],
)
def test_what_the_hub_has_not_is_told_with_the_line_to_change(
    cache: Path, status: int, headers: Mapping[str, str], told: str, remedy: str
) -> None:
    with (
        serving(lambda _path: (status, headers, {})) as url,
        pytest.raises(ServingError, match=told) as caught,
    ):
        hub.weights(MODEL, "v9", {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": url})
    assert remedy in (caught.value.hint or "")


def test_the_caches_place_follows_the_hubs_own_variables() -> None:
    home = {"HOME": "/h"}
    assert hub.cache(home) == Path("/h/.cache/huggingface/hub")
    assert hub.cache({**home, "XDG_CACHE_HOME": "/x"}) == Path("/x/huggingface/hub")
    assert hub.cache({**home, "HF_HOME": "/y"}) == Path("/y/hub")
    assert hub.cache({**home, "HF_HOME": "/y", "HUGGINGFACE_HUB_CACHE": "/z"}) == Path("/z")
    assert hub.cache({**home, "HUGGINGFACE_HUB_CACHE": "/z", "HF_HUB_CACHE": "/w"}) == Path("/w")


@pytest.mark.parametrize(("name", "path"), [("org/m", False), ("m", False), ("./m", True), ("/a/b/c", True)])
def test_a_models_name_is_told_from_a_path(name: str, path: bool) -> None:
    assert preflight.looks_like_a_path(name) == path


def test_a_folder_that_is_not_there_is_refused_without_asking_the_hub(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={"model": "/nowhere/at/all"})
    with pytest.raises(ServingError, match="the coder's model /nowhere/at/all is not there"):
        start(profile, state=state, python=vllm)


def test_a_server_serves_and_records_the_commit_that_its_branch_meant(
    make_profile: MakeProfile, vllm: Path, state: Path, cache: Path, tmp_path: Path
) -> None:
    cached(cache)
    dump = tmp_path / "dump.json"
    pair = start(make_profile(coder={"model": MODEL, "dump": str(dump)}), state=state, python=vllm)
    arguments = json.loads(dump.read_text())["arguments"]
    assert arguments[arguments.index("--revision") + 1] == COMMIT
    assert arguments[arguments.index("--tokenizer-revision") + 1] == COMMIT
    assert pair["coder"].commit == COMMIT
    found = read_checkpoint(MODEL, {"HF_HUB_CACHE": str(cache)}, COMMIT)
    assert found is not None
    assert found.commit == COMMIT


def test_the_reviewers_weights_are_pinned_by_commit() -> None:
    assert {server.name: server.revision for server in load("a10g").servers}["reviewer"] == COMMIT
