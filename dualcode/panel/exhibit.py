"""What is judged, and the question that a judge is asked of it."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from dualcode import prompts
from dualcode.call import Message
from dualcode.panel.blind import STAND_IN, Blind
from dualcode.panel.renderings import Bounds, Rendering, Shown, clip, render_diff
from dualcode.panel.rubric import REASON_CHARACTERS, Dimension, Rubric

Calibration = Literal["right", "wrong", "instruction"]
CALIBRATIONS: tuple[Calibration, ...] = ("right", "wrong", "instruction")


@dataclass(frozen=True)
class Exhibit:
    """A fix, as values. Nothing of it but issue text, plan, diff and tests is ever shown."""

    key: tuple[str, str, int]
    """Condition, issue and trial; the condition of a calibration is empty."""
    issue: str
    instruction: str
    plan: str | None
    """None: nobody planned, and dimensions that need a plan are not asked."""
    diff: str
    tests: str
    """What our own run of the tests that models may see said; empty: judges are told nothing. Leave out the
    hidden ones: scores are held against those."""
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Question:
    """What one judge is asked of one exhibit in one rendering."""

    messages: tuple[Message, ...]
    dimensions: tuple[Dimension, ...]
    shown: Shown
    repair: str


@dataclass(frozen=True)
class Fence:
    """Marks around what nobody may trust: its own text cannot hold them."""

    mark: str

    def open(self, part: str) -> str:
        """Return the mark before a part."""
        return f"<<<{part} {self.mark}"

    def close(self, part: str) -> str:
        """Return the mark after a part."""
        return f"{self.mark} {part}>>>"


def ask_of(
    exhibit: Exhibit, rubric: Rubric, rendering: Rendering, *, bounds: Bounds, blind: Blind, seed: int
) -> Question:
    """Return the question. What is shown alike is asked alike, to the letter, whoever made it."""
    drawn = _digest(str(seed), exhibit.issue)
    diff = render_diff(exhibit.diff, rendering, most=bounds.diff, blind=blind, seed=drawn)
    given = {"instruction": exhibit.instruction, "plan": exhibit.plan or "", "tests": exhibit.tests}
    texts, cut = dict[str, str](), list[str]()
    for part, text in given.items():
        shortened, gone = clip(text.strip(), getattr(bounds, part))
        texts[part] = blind.text(shortened).strip()
        cut += [part] if gone else []
    shown = diff.shown.model_copy(update={"cut": tuple(cut)})
    lines = shown.lines_left_out
    left_out = [f"{lines} lines of the diff are not shown"] if lines else []
    left_out += [f"the text of the {part} is shortened" for part in shown.cut]
    dimensions = rubric.asked(plan=exhibit.plan is not None)
    asked = prompts.render(
        "judge_exhibit",
        fence=_fence(drawn, "".join([*texts.values(), diff.text, diff.summary])),
        instruction=texts["instruction"],
        plan=None if exhibit.plan is None else texts["plan"] or "(it is empty)",
        summary=diff.summary,
        diff=diff.text,
        tests=texts["tests"],
        left_out="; ".join(left_out),
        stand_in=STAND_IN,
        rubric=rubric,
        dimensions=dimensions,
        characters=REASON_CHARACTERS,
    )
    return Question(
        messages=(
            Message(role="system", content=prompts.render("judge")),
            Message(role="user", content=asked),
        ),
        dimensions=dimensions,
        shown=shown,
        repair=prompts.render("repair_scores", rubric=rubric, dimensions=dimensions),
    )


def _fence(drawn: str, content: str) -> Fence:
    """Return a fence whose mark the content does not hold."""
    mark = _digest(drawn, content)[:12]
    while mark in content:
        mark = _digest(mark)[:12]
    return Fence(mark)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
