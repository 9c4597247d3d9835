"""What comes from a registry: archives by their checksum, packages by their pins, nothing of either run."""

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dualcode.errors import SuiteError
from dualcode.issues import packages
from dualcode.issues.bases import open_base, unpack
from dualcode.issues.task import IssueTask, Source
from tests.issues import shop


def make_archive(path: Path, files: dict[str, str], links: dict[str, str] | None = None) -> str:
    """Write an archive and return its checksum."""
    with tarfile.open(path, "w:gz") as file:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            file.addfile(info, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            file.addfile(info)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def of_archive(task: IssueTask, sha256: str) -> IssueTask:
    source = Source(sdist="shop", version="1.0", sha256=sha256)
    return task.model_copy(update={"settings": task.settings.model_copy(update={"source": source})})


def test_a_base_is_made_of_an_archive_that_lies_near(task: IssueTask, tmp_path: Path) -> None:
    found = make_archive(
        tmp_path / "shop-1.0.tar.gz", {f"shop-1.0/{n}": text for n, text in shop.FILES.items()}
    )
    base = open_base(of_archive(task, found), [tmp_path])
    assert base.commit == open_base(task).commit  # the same tree is the same commit, wherever it came from


def test_an_archive_with_another_checksum_is_refused(task: IssueTask, tmp_path: Path) -> None:
    make_archive(tmp_path / "shop-1.0.tar.gz", {"shop-1.0/a": "a"})
    with pytest.raises(
        SuiteError, match=r"shop-1.0.tar.gz has the SHA-256 [0-9a-f]{64}, and the task asks for 0000"
    ):
        open_base(of_archive(task, "0" * 64), [tmp_path])
    assert not list(packages.store().glob("bases/*/base.git"))


@pytest.mark.parametrize(
    ("files", "links", "told"),
    [
        ({"../evil": "x"}, {}, "cannot be unpacked"),
        ({"a-1/x": "x", "b/x": "x"}, {}, "holds 2 things at its top"),
        ({"a-1/x": "x"}, {"a-1/out": "/etc"}, "cannot be unpacked"),
    ],
)
def test_an_archive_that_would_write_elsewhere_is_refused(
    tmp_path: Path, files: dict[str, str], links: dict[str, str], told: str
) -> None:
    path = tmp_path / "archive.tar.gz"
    make_archive(path, files, links)
    with pytest.raises(SuiteError, match=told):
        unpack(path, tmp_path / "inner" / "unpacked")
    assert not (tmp_path / "evil").exists()


def test_pip_downloads_without_running_the_archive(tmp_path: Path) -> None:
    """pip is given an archive by path; its setup.py would leave a file behind."""
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w')\nfrom setuptools import setup\nsetup(name='shop', version='1.0')\n"
    made = {
        "shop-1.0/setup.py": code,
        "shop-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n",
    }
    make_archive(tmp_path / "shop-1.0.tar.gz", made)
    namer = packages.write_namer(tmp_path / "namer", "shop", "1.0")
    command = [*packages.pip_download(namer, "shop"), "--no-index", "--find-links", str(tmp_path)]
    ran = subprocess.run(
        [*command, "--dest", str(tmp_path / "out"), "shop==1.0"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out/shop-1.0.tar.gz").exists()
    assert not marker.exists()


def test_an_environment_without_pins_is_made_once_and_has_a_python(task: IssueTask) -> None:
    environment = packages.environment(task)
    assert environment == packages.environment(task)
    assert (environment.packages.parent / "bin/python").resolve() == Path(sys.executable).resolve()


def test_set_up_that_fails_says_what_was_asked_for(task: IssueTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    monkeypatch.setenv("UV_OFFLINE", "1")
    settings = task.settings.model_copy(update={"pins": ("no-such-package-of-ours==1.0",)})
    with pytest.raises(SuiteError, match="the packages no-such-package-of-ours==1.0 cannot be had"):
        packages.environment(task.model_copy(update={"settings": settings}))
    assert not list(packages.store().glob("environments/*/packages"))


def test_a_python_that_is_not_here_is_told_with_those_that_are() -> None:
    with pytest.raises(SuiteError, match=r"no Python >=9.9 is on PATH; there are 3\."):
        packages.interpreter(">=9.9")
