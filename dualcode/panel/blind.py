"""What could tell a judge whose work it sees, taken out of all that it is shown."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from dualcode import resources

STAND_IN = "some_model"
"""A word that code can hold in a name's place."""
NO_PATH = "/repo"

ASSISTANTS = (
    "anthropic", "chatgpt", "claude", "deepseek", "gpt-3.5", "gpt-4", "gpt-5", "kimi", "moonshotai", "openai",
    "qwen", "smollm",
)  # fmt: skip
"""Names that a text may drop, whoever is in the team, and that no ordinary word is like."""
_ROLES = {
    "coder", "reviewer", "planner", "implementer", "explorer", "judge", "judges", "model", "endpoint",
    "server", "small", "large", "big", "little", "strong", "weak", "fast", "slow", "main", "local", "remote",
    "base", "pair", "solo", "plan", "review", "drawn", "default", "no",
}  # fmt: skip
"""Names of endpoints that say nothing of a model, and that code and plans are full of."""
_COMMON = _ROLES | {
    "instruct", "chat", "code", "mini", "nano", "micro", "medium", "turbo", "pro", "flash", "preview",
    "latest", "models", "high", "low", "max", "plus", "ultra", "air", "next", "thinking", "thinker",
    "reasoning", "fp8", "fp16", "bf16", "int4", "int8", "awq", "gptq", "gguf", "vision", "test", "meta",
    "distill",
}  # fmt: skip
"""Parts of a model's name that it shares with others."""

_SIGNED = re.compile(
    r"^[^\S\n]*(?:co-authored-by|signed-off-by|generated[ -]with|generated[ -]by)\b[^\n]*\n?",
    re.IGNORECASE | re.MULTILINE,
)
_COMMIT = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{40}(?![0-9A-Za-z])")
_HOME = re.compile(r"(?<![\w/.])/(?:home|Users)/[^\s/\"'`:]+|(?<![\w/.])/root(?=[/\s\"'`:]|$)")


class Blind:
    """Takes names of models and of conditions, and paths of this machine, out of texts."""

    def __init__(self, names: Collection[str] = (), paths: Collection[str] = ()) -> None:
        wanted = {*ASSISTANTS, *(each for name in names for each in parts_of(name))}
        patterns = [_pattern(each) for each in sorted(wanted, key=lambda each: (-len(each), each))]
        self._names = re.compile("|".join(patterns))
        places = {each.rstrip("/") for each in (*paths, *_of_this_machine())} - {"", "."}
        longest_first = sorted(places, key=len, reverse=True)
        self._paths = re.compile("|".join(rf"{re.escape(each)}(?![\w-])" for each in longest_first))

    def text(self, text: str) -> str:
        """Return a plan, an issue or an output without them, and without signatures and commits' hashes."""
        return self.code(_COMMIT.sub("a-commit", _SIGNED.sub("", text)))

    def code(self, text: str) -> str:
        """Return code without them; hashes and comments in it stay."""
        return self._names.sub(STAND_IN, _HOME.sub(NO_PATH, self._paths.sub(NO_PATH, text)))


def parts_of(name: str) -> Iterator[str]:
    """Yield a name, and the parts of it that would tell the model: `org/Kimi-K2.6` gives `Kimi`, too.

    A condition's id gives its models. Words of roles and sizes are no names, nor are single letters.
    """
    whole = name.strip()
    if whole.lower() not in _ROLES and _tells(whole):
        yield whole
    for model in re.split(r"->|\+|:(?=\D)", whole):
        last = model.strip().rsplit("/", 1)[-1]
        pieces = re.split(r"[-_.:\s]+", last)
        stem = re.match(r"[A-Za-z]{3,}(?=\d)", pieces[0])
        letters = [each for each in pieces[1:] if re.match(r"[A-Za-z]{4}", each)]
        versions = re.findall(r"(?<![A-Za-z0-9])[A-Za-z]+\d+\.\d+(?![A-Za-z0-9])", last)
        for each in {model.strip(), last, pieces[0], stem[0] if stem else last, *letters, *versions}:
            if each.lower() not in _COMMON and _tells(each):
                yield each


def _tells(name: str) -> bool:
    """Whether it could name a model: it is no single letter, no two of them, no number or size."""
    short = len(name) < 2 or (len(name) == 2 and name.isalpha())
    return not short and re.fullmatch(r"[vVqQ]?\d+(?:\.\d+)*[bBmMkK]?", name) is None


def _pattern(name: str) -> str:
    """Return what finds a name in any case, its parts apart or not, with its version, within code's names."""
    words = [re.escape(each) for each in re.split(r"[\s._-]+", name) if each]
    inner = r"[\s._-]?".join(words) or re.escape(name)
    before = r"(?:(?<![A-Za-z0-9])|(?<=[a-z])(?=[A-Z]))" if name[0].isalnum() else ""
    if name[-1].isalpha():
        return rf"{before}(?i:{inner})(?![a-z])(?:[._-]?[A-Za-z]?\d+(?:\.\d+)*(?![A-Za-z0-9]))?"
    return f"{before}(?i:{inner})" + (r"(?!\d)" if name[-1].isdigit() else "")


def _of_this_machine() -> Iterator[str]:
    """Yield the folders of this machine in which worktrees, packages and people's files lie."""
    yield from (str(resources.cache_folder()), str(resources.state_folder()), str(Path.cwd()))
    try:
        yield str(Path.home())
    except RuntimeError:  # HOME is not set, and this user has none
        return
