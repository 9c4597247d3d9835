"""How mkdocs makes a site of the pages: they keep the places and the anchors of the repository.

A hook of mkdocs.yml. The site begins with the README; links between pages, and to what lies beside docs/, are
those that stand in the text.
"""

import re
from pathlib import Path
from typing import Any, cast

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "figures/*.md", "figures/*.svg", "figures/*.png")
"""What the site has beside docs/."""


def slug(heading: str, separator: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let headings have GitHub's anchors."""
    extensions = cast("dict[str, Any]", config.mdx_configs)  # pyright: ignore[reportUnknownMemberType]
    extensions["toc"] = {"slugify": slug}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give each page the place that it has in the repository."""
    own, others = list[File](), list[File]()
    for each in files:
        (own if each.src_dir == config.docs_dir else others).append(each)
    beside = [path.relative_to(ROOT).as_posix() for pattern in BESIDE for path in sorted(ROOT.glob(pattern))]
    paths = [*beside, *(f"docs/{each.src_uri}" for each in own if not each.src_uri.endswith(".py"))]
    places = (File(path, str(ROOT), config.site_dir, config.use_directory_urls) for path in paths)
    return Files([*others, *places])
