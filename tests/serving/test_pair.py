"""Starting and stopping, on a scripted stand-in for vLLM (`fake_vllm`)."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from dualcode.errors import ProfileError, ServingError
from dualcode.serving import interpreter, processes
from dualcode.serving.failures import cause
from dualcode.serving.launch import ENTRY
from dualcode.serving.logs import follow, logs
from dualcode.serving.pair import fitting, start, status, stop
from dualcode.serving.profiles import Profile, load
from dualcode.serving.running import FILE, recorded, running, save
from tests.serving.conftest import MakeProfile

KEY = "sk-never-to-be-seen"


def quiet(_line: str) -> None:
    """Say nothing."""


def group_of(pid: int) -> list[int]:
    """The living processes of a group; a zombie waits only for a parent to ask."""
    found: list[int] = []
    for each in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):  # it ended meanwhile
            if os.getpgid(each.pid) == pid and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each.pid)
    return found


def test_both_servers_answer_and_are_recorded(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    said: list[str] = []
    began = start(make_profile(coder={}, reviewer={}), state=state, python=vllm, say=said.append)
    assert running(state) == began
    assert began.base_urls().keys() == {"coder", "reviewer"}
    assert [each.health for each in status(state)] == ["healthy", "healthy"]
    assert {each.max_model_len for each in status(state)} == {4096}
    assert sorted(line.split()[0] for line in said) == ["coder", "reviewer"]
    assert stop(state, say=quiet) == ["coder", "reviewer"]
    assert running(state) is None
    assert status(state) == []


def test_servers_start_side_by_side(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    started: list[int] = []

    def count(_line: str) -> None:
        found = recorded(state)
        started.append(len(found.servers) if found else 0)

    start(make_profile(a={}, b={}), state=state, python=vllm, say=count)
    assert started == [2, 2]  # when the first was ready, and when the second was


def test_a_dying_server_fails_at_once_with_its_last_words(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={"fake": {"silent": True}}, reviewer={"fake": {"dies": 7}})
    with pytest.raises(ServingError) as caught:  # although the coder is not ready yet
        start(profile, state=state, python=vllm, say=quiet)
    assert "the reviewer died" in caught.value.message
    assert "exit code 7" in caught.value.message
    assert "last words" in caught.value.message
    assert caught.value.hint is not None
    assert f"{vllm} -m {ENTRY} --config {profile}reviewer.yaml" in caught.value.hint


def test_a_dying_server_takes_the_other_with_it(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={"fake": {"children": 1}}, reviewer={"fake": {"dies": 1}})
    before = set(psutil.pids())
    with pytest.raises(ServingError):
        start(profile, state=state, python=vllm, say=quiet)
    left = [each for each in psutil.Process().children(recursive=True) if each.pid not in before]
    assert left == []
    assert not (state / FILE).exists()


def test_a_server_that_never_answers_is_given_up(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = Path(make_profile(coder={"fake": {"silent": True}}))
    team = profile / "team.toml"
    team.write_text(team.read_text().replace("ready_seconds = 120", "ready_seconds = 1"))
    with pytest.raises(ServingError, match=r"within 1 s \(ready_seconds under .*coder\]\); it was"):
        start(str(profile), state=state, python=vllm, say=quiet)


@pytest.fixture
def interruptible() -> Generator[None]:
    """Let SIGINT interrupt: a shell starts background jobs, and so perhaps the tests, with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupting_a_start_ends_its_servers(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={"fake": {"silent": True, "children": 1}})
    found: list[int] = []

    def interrupt() -> None:
        while not (found_pair := recorded(state)) or len(group_of(found_pair["coder"].pid)) < 2:
            time.sleep(0.05)
        found.append(found_pair["coder"].pid)
        os.kill(os.getpid(), 2)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        start(profile, state=state, python=vllm, say=quiet)
    thread.join()
    assert group_of(found[0]) == []
    assert recorded(state) is None


def test_a_port_in_use_names_who_holds_it(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=rf"port {port} .* \(pid {os.getpid()}\)"):
            start(make_profile(coder={"port": port}), state=state, python=vllm, say=quiet)


def test_one_port_for_two_servers_is_refused(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    with pytest.raises(ProfileError, match="more than one server"):
        start(make_profile(a={"port": 8123}, b={"port": 8123}), state=state, python=vllm, say=quiet)


def test_ports_can_be_named_per_server(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    (port,) = processes.free_ports(1, "127.0.0.1")
    profile = make_profile(coder={})
    assert start(profile, ports={"coder": port}, state=state, python=vllm, say=quiet)["coder"].port == port
    stop(state, say=quiet)
    with pytest.raises(ProfileError, match="no server"):
        start(profile, ports={"koder": port}, state=state, python=vllm, say=quiet)


def test_stale_state_is_cleaned_silently(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={})
    first = start(profile, state=state, python=vllm, say=quiet)
    processes.end(first.servers, patience=0)  # a crash: running.json stays
    assert (state / FILE).exists()
    assert running(state) is None
    assert start(profile, state=state, python=vllm, say=quiet)["coder"].pid != first["coder"].pid


def test_unreadable_state_counts_as_none(state: Path) -> None:
    state.mkdir()
    (state / FILE).write_text("{half a rec")
    assert running(state) is None
    assert stop(state) == []


def test_one_dead_server_is_told_and_the_pair_is_not_running(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    both = start(make_profile(coder={}, reviewer={}), state=state, python=vllm, say=quiet)
    processes.end([both["coder"]], patience=0)
    assert running(state) is None
    assert [each.health for each in status(state)] == ["dead", "healthy"]
    assert stop(state, say=quiet) == ["coder", "reviewer"]


def test_stop_ends_a_stubborn_server_and_its_children(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={"fake": {"stubborn": True, "children": 2}})
    pid = start(profile, state=state, python=vllm, say=quiet)["coder"].pid
    assert len(group_of(pid)) == 3
    left = recorded(state)
    assert left
    assert len(processes.end(left.servers, patience=0.2)) == 3
    assert group_of(pid) == []


def test_stop_ends_children_that_outlived_their_server(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    server = start(make_profile(coder={"fake": {"children": 1}}), state=state, python=vllm, say=quiet)[
        "coder"
    ]
    psutil.Process(server.pid).kill()
    while processes.alive(server):
        time.sleep(0.02)
    assert group_of(server.pid)
    stop(state, say=quiet)
    assert group_of(server.pid) == []


def test_a_recycled_pid_is_not_killed(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    pair_ = start(make_profile(coder={}), state=state, python=vllm, say=quiet)
    stop(state, say=quiet)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        server = pair_["coder"].model_copy(update={"pid": stranger.pid})  # its old creation time
        save(pair_.model_copy(update={"servers": (server,)}), state)
        assert running(state) is None
        assert stop(state, say=quiet) == []
        assert processes.end([server], patience=0) == []
        assert stranger.poll() is None
        stranger.kill()


def test_the_api_key_reaches_the_server_and_nothing_that_is_written(
    make_profile: MakeProfile, vllm: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    dump = tmp_path / "dump.json"
    said: list[str] = []
    start(make_profile(coder={"dump": str(dump)}), state=state, python=vllm, say=said.append)
    found = json.loads(dump.read_text())
    assert found["env"]["VLLM_API_KEY"] == KEY  # and it answered /v1/models, which asks for it
    assert KEY not in json.dumps(found["arguments"])
    assert KEY not in "\n".join(said)
    written = [file for file in state.rglob("*") if file.is_file()]
    assert len(written) >= 3
    assert all(KEY not in file.read_text() for file in written)


def test_a_server_with_another_key_is_locked_not_broken(
    make_profile: MakeProfile, vllm: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    start(make_profile(coder={}), state=state, python=vllm, say=quiet)
    monkeypatch.setenv("VLLM_API_KEY", "another")
    assert [(each.health, each.max_model_len) for each in status(state)] == [("locked", None)]


def test_the_api_key_is_not_in_an_error(
    make_profile: MakeProfile, vllm: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    with pytest.raises(ServingError) as caught:
        start(make_profile(coder={"fake": {"dies": 1}}), state=state, python=vllm, say=quiet)
    assert KEY not in str(caught.value)


def test_a_server_gets_a_scrubbed_environment_and_its_own_variables(
    make_profile: MakeProfile, vllm: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    dump = tmp_path / "dump.json"
    profile = make_profile(
        coder={"dump": str(dump)}, toml='env = {VLLM_CPU_KVCACHE_SPACE = "1"}\ncores = "share"'
    )
    began = start(profile, state=state, python=vllm, say=quiet)
    env = json.loads(dump.read_text())["env"]
    assert "OPENAI_API_KEY" not in env
    assert "PYTHONPATH" not in env
    assert env["VLLM_CPU_KVCACHE_SPACE"] == "1"
    cores = sorted(os.sched_getaffinity(0))
    assert env["VLLM_CPU_OMP_THREADS_BIND"] == ",".join(map(str, cores))
    assert began["coder"].cores == tuple(cores)


def test_a_log_of_the_start_before_is_kept(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={})
    log = start(profile, state=state, python=vllm, say=quiet)["coder"].log
    log.write_text("the old one")
    stop(state, say=quiet)
    start(profile, state=state, python=vllm, say=quiet)
    assert log.with_name("coder.log.1").read_text() == "the old one"
    assert "the old one" not in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_logs_tell_the_last_lines_and_refuse_an_unknown_server(state: Path) -> None:
    folder = state / "logs"
    folder.mkdir(parents=True)
    (folder / "coder.log").write_text("1\n2\n3\n")
    assert list(logs(state, "coder", lines=2)) == [("coder", "2"), ("coder", "3")]
    with pytest.raises(ServingError, match="there is: coder"):
        list(logs(state, "koder"))


def test_follow_tells_what_is_written_afterwards(state: Path) -> None:
    file = state / "logs/coder.log"
    file.parent.mkdir(parents=True)
    file.write_text("before\n")
    lines = follow(state)

    def write() -> None:
        with file.open("a") as log:
            log.write("after\nhal")

    threading.Timer(0.2, write).start()
    assert next(lines) == ("coder", "after")


def test_two_starts_at_once_do_not_mix(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={"fake": {"silent": True}})
    code = f"""
import signal
from pathlib import Path
from dualcode.serving.pair import start
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may inherit it ignored
start({profile!r}, python=Path({str(vllm)!r}), state=Path({str(state)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as other:
        while not (state / FILE).exists():
            time.sleep(0.05)
        with pytest.raises(ServingError, match="another start is under way"):
            start(profile, state=state, python=vllm, say=quiet)
        other.send_signal(2)
        other.wait(60)
    assert recorded(state) is None


CACHE = "ValueError: To serve at least one request with the models's max seq len (32768), 8.0 GiB is needed"
CORE = "(EngineCore_DP0 pid=7) ERROR 11-28 10:00:00 [core.py:708]"
API = "(APIServer pid=1) "


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([f"{CORE} Traceback", f"{CORE} {CACHE}", *["  File x"] * 90, f"{API}RuntimeError: Engine core "
          "initialization failed. See root cause above."], CACHE),
        ([f"{CORE} torch.OutOfMemoryError: out of memory."], "torch.OutOfMemoryError: out of memory."),
        (["usage: api_server.py", "api_server.py: error: unrecognized arguments: --x"],
         "error: unrecognized arguments: --x"),
        ([f"{API}RuntimeError: Engine core initialization failed. See root cause above."], None),
        (["INFO 10:00 loading", "WARNING no error here", "Killed"], None),
        ([], None),
    ],
)  # fmt: skip
def test_the_cause_of_a_failed_start_is_the_first_error_that_no_other_explains(
    lines: list[str], told: str | None
) -> None:
    assert cause(lines) == told


def test_a_cause_far_above_the_end_of_the_log_is_shown_first(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={"fake": {"dies": 1, "says": [CACHE, *["  File x"] * 90]}})
    with pytest.raises(ServingError) as caught:
        start(profile, state=state, python=vllm, say=quiet)
    assert caught.value.message.startswith(f"the coder died while starting (exit code 1): {CACHE}\n")


def test_a_server_that_dies_of_its_first_request_has_not_started(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    """vLLM's /health is well before anything was computed."""
    says = ["ERROR AttributeError: '_OpNamespace' '_C' object has no attribute 'cpu_gemm_wna16'"]
    profile = make_profile(coder={"fake": {"breaks": 1, "says": says}}, reviewer={})
    with pytest.raises(ServingError) as caught:
        start(profile, state=state, python=vllm, say=quiet)
    assert caught.value.message.startswith("the coder died while starting (exit code 1)")
    assert "4-bit weights" in caught.value.message
    assert recorded(state) is None


def test_a_server_that_cannot_answer_yet_is_asked_again_until_it_can(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    began = start(
        make_profile(coder={"fake": {"unable": 2}}, reviewer={}), state=state, python=vllm, say=quiet
    )
    assert began["coder"].log.read_text().splitlines().count("unable") == 2
    assert began.ready


def without(vllm: Path, lack: str) -> None:
    """Make the stand-in a build that lacks this."""
    vllm.write_text(vllm.read_text().replace("exec ", f"exec env FAKE_VLLM_LACKS={lack} "))


@pytest.mark.parametrize(
    ("lacks", "coder", "dtype"), [("", "awq", "bfloat16"), ("four_bit", "bf16", "float32")]
)
def test_small_models_are_served_in_float32_where_the_cpu_lacks_the_kernel(
    lacks: str, coder: str, dtype: str, vllm: Path
) -> None:
    without(vllm, lacks)
    said: list[str] = []
    fitted = fitting(load("cpu"), vllm, said.append)
    assert [server.spec.make for server in fitted.servers] == [f"smollm2-{coder}", "smollm2-bf16"]
    assert {server.flags["dtype"] for server in fitted.servers} == {dtype}
    assert len(said) == bool(lacks)
    assert fitting(fitted, vllm, said.append).checksum == fitted.checksum


def test_servers_elsewhere_do_not_count_for_what_this_machine_can_serve(vllm: Path) -> None:
    """A GPU of theirs is not looked for here, and one of ours means a build that has the kernel."""
    without(vllm, "four_bit")
    here, there = load("cpu").servers
    env = {**there.spec.env, "CUDA_VISIBLE_DEVICES": "7"}
    there = there.model_copy(update={"spec": there.spec.model_copy(update={"env": env, "host": "there"})})
    profile = load("cpu").model_copy(update={"servers": (here, there)})
    assert fitting(profile, vllm, quiet, only=[here.name]) == profile.in_float32()
    assert fitting(profile, vllm, quiet, only=[there.name]) == profile


@pytest.mark.parametrize("form", [load("cpu"), load("cpu").in_float32()], ids=["four bits", "float32"])
def test_what_runs_needs_no_vllm_to_be_found_again(
    form: Profile, make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    """As in another shell, without $DUALCODE_VLLM_PYTHON."""
    began = start(make_profile(coder={}, reviewer={}), state=state, python=vllm, say=quiet)
    told = {"profile": form.name, "checksum": form.checksum, "team_file": form.team_file}
    save(began.model_copy(update=told), state)
    said: list[str] = []
    assert start("cpu", state=state, python=Path("/no/such/python"), say=said.append).servers == began.servers
    assert [line.partition(":")[0] for line in said] == ["profile 'cpu' is already running"]


def test_whether_this_cpu_has_the_kernel_is_read_from_the_library_that_vllm_would_load(
    tmp_path: Path,
) -> None:
    """Of a made environment: the probe is what is tried."""
    package = tmp_path / "vllm"
    package.mkdir()
    (package / "__init__.py").write_text("")
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    for content, told in ((b"nothing", False), (b"..cpu_gemm_wna16..", True)):
        for name in ("_C", "_C_AVX2", "_C_AVX512"):
            (package / f"{name}.abi3.so").write_bytes(content)
        found = interpreter.find(shim)
        assert found.four_bit is (found.cuda is not None or told)


def test_weights_of_four_bits_are_refused_before_a_start_where_there_is_no_kernel(
    make_profile: MakeProfile, vllm: Path, state: Path, tmp_path: Path
) -> None:
    without(vllm, "four_bit")
    for name, bits in (("four", 4), ("eight", 8)):
        (tmp_path / name).mkdir()
        settings = {"quantization_config": {"quant_method": "gptq", "bits": bits}}
        (tmp_path / name / "config.json").write_text(json.dumps(settings))
    models = {name: {"model": str(tmp_path / name)} for name in ("four", "eight")}
    with pytest.raises(ServingError, match="the four: vLLM has no kernel for 4-bit weights") as caught:
        start(make_profile(**models), state=state, python=vllm, say=quiet)
    assert "the eight" not in caught.value.message
