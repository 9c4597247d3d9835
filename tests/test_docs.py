"""The pages for people: every link leads somewhere, and every page can be found."""

import importlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.pages import ROOT

PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("figures/*.md"),
    ]
)
INDEX = ROOT / "docs" / "README.md"


@cache
def prose(page: Path) -> str:
    """Return a page without its code."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> Iterator[str]:
    """Yield where a page's links and pictures lead."""
    yield from re.findall(r"\]\(([^()\s]+)\)", prose(page))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


def broken(page: Path) -> list[str]:
    """Return the links that lead to no file or folder of the checkout, or to no heading of a page."""
    bad: list[str] = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        if not re.match(r"[a-z]+:", link) and (
            not target.exists() or (anchor and anchor not in anchors(target))
        ):
            bad.append(link)
    return bad


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_to_no_page_or_no_heading_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One, two\n[a](#one-two) [b](#three) [c](gone.md) [d](page.md#one-two) [e](https://x.org/gone.md)\n"
        "`[f](gone.md)`\n```\n[g](gone.md)\n```\n"
    )
    assert broken(page) == ["#three", "gone.md"]


def test_the_index_lists_every_page_and_the_readme_leads_to_it() -> None:
    listed = {(INDEX.parent / link.partition("#")[0]).resolve() for link in links(INDEX)}
    assert {*ROOT.glob("docs/*.md")} - {INDEX} <= listed
    assert "docs/README.md" in links(ROOT / "README.md")


def test_the_values_of_the_architecture_stand_in_the_files_that_it_names() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text().partition("## From a task")[2]
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", section.partition("\n## ")[0], re.MULTILINE)
    for values, files in rows:
        modules = [
            importlib.import_module("dualcode." + file.removesuffix(".py").replace("/", "."))
            for file in re.findall(r"`(.*?)`", files)
        ]
        for value in re.findall(r"`(.*?)`", values):
            assert any(hasattr(module, value) for module in modules), (value, files)
    assert len(rows) > 10


def test_the_files_that_a_room_names_in_its_docstring_are_there() -> None:
    house, found = ROOT / "dualcode", 0
    for room in house.rglob("__init__.py"):
        for file in re.findall(r"`([\w/]+\.py)`", room.read_text()):
            assert (room.parent / file).is_file() or (house / file).is_file(), (room, file)
            found += 1
    assert found > 10


def test_the_pages_build_as_a_site_without_a_warning_and_a_dead_link_is_one(tmp_path: Path) -> None:
    for part in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / part, tmp_path)
    for folder in ("docs", "figures"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    build = (sys.executable, "-m", "mkdocs", "build", "--strict")
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    index = (tmp_path / "site" / "index.html").read_text()
    assert 'href="docs/index.html"' in index, "the README's link to the pages"
    assert (tmp_path / "site" / "docs" / "demo.svg").exists()
    with (tmp_path / "docs" / "costs.md").open("a") as page:
        page.write("\n[nowhere](gone.md) [no heading](audit.md#gone)\n")
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode and "gone.md" in done.stderr and "audit.md#gone" in done.stderr
