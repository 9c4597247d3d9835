"""The pair at work on any request: the coder answers, the reviewer judges, the coder corrects.

The steps of the measured pipelines, on a conversation instead of one function's specification. The client's
request decides the form: a correction that would lose a file, a block or the form of the draft is refused,
and the draft stands.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from dualcode import prompts
from dualcode.call import Call, Message
from dualcode.errors import DualcodeError, EndpointError, ReplyError
from dualcode.extraction import strip_thinking
from dualcode.gateway.catalogue import Flow
from dualcode.gateway.edits import Block, faults, merged, objection, read_edits, unchecked
from dualcode.gateway.voice import Drafting, Thinking, Voice, say_whole, until
from dualcode.models.chat import listening
from dualcode.pipelines import Pipeline
from dualcode.record import Record
from dualcode.steps.conversation import system, user
from dualcode.steps.review import MOST_FINDINGS, REVIEW_TOKENS, Finding, Review, read_review, review_schema
from dualcode.steps.writing import PLAN_TOKENS, read_plan
from dualcode.task import Task
from dualcode.team import Seat, Team

MOST_SYSTEM = 2000
"""Characters of a system message that a reviewer is shown: rules of an editor's forms go on for pages."""
CUT = ("length", "repetition")


class Answer(Record):
    """What a writer answered in a conversation: a value on record."""

    text: str


class Outcome(Record):
    """What came of a request."""

    answer: str
    finish: Literal["stop", "length"] = "stop"
    path: Literal["pair", "function", "alone"] = "pair"
    amended: bool | None = None
    """Whether the answer is not the draft; None where nobody reviewed it."""
    findings: tuple[Finding, ...] = ()
    refused: str = ""
    """Why the last correction was refused; the draft stands then."""
    unchecked: tuple[str, ...] = ()
    """Code of the answer that no compiler looked at."""
    notes: tuple[str, ...] = ()


class Talk:
    """One request of the pair: who works on it, for whom, and what was said."""

    def __init__(
        self,
        turns: Sequence[Message],
        voice: Voice,
        calls: Sequence[Call],
        *,
        stops: Sequence[str] = (),
        live: bool = False,
        room: int | None = None,
    ) -> None:
        """`calls` grows as the seats record them; `room` is how many characters the critic can take."""
        self.turns = tuple(turns)
        self.voice = voice
        self.live = live
        self._calls = calls
        self._stops = tuple(stops)
        self._room = room
        self._drafting = Drafting(voice, live=live)

    async def run(self, flow: Flow, writer: Seat, team: Team) -> Outcome:
        """Work on the request; `writer` is the seat of the flow's writer, as the client wants it sampled.

        What fails after the draft leaves the draft standing, and is noted. Raises EndpointError without one.
        """
        asked = self.turns
        if flow.planner is not None:
            asked = await self._planned(team[flow.planner])
        draft, cut = await self._draft(writer, asked)
        blocks = read_edits(draft)
        outcome = Outcome(
            answer=draft,
            finish="length" if cut else "stop",
            path="pair" if blocks else "alone",
            unchecked=tuple(unchecked(blocks)),
        )
        if cut:
            return self._noted(outcome, "the draft was cut off at its most tokens, and was not reviewed")
        if flow.critic is None:
            return outcome
        if not blocks:
            return self._noted(outcome, "the answer holds no code, and was not reviewed")
        try:
            return await self._reviewed(flow, writer, team[flow.critic], outcome, blocks)
        except EndpointError as error:
            return self._noted(outcome, f"the draft stands, for its review was not ended: {error.message}")

    def _noted(self, outcome: Outcome, note: str) -> Outcome:
        """Return an outcome with a note more, and tell it."""
        self.voice.tell(f"\n({note})\n")
        return outcome.model_copy(update={"notes": (*outcome.notes, note)})

    async def _planned(self, seat: Seat) -> Sequence[Message]:
        self.voice.tell(f"Planning ({seat.chat.model}).\n")
        messages = [system("planner"), user("plan_answer", turns=self._shown(0))]
        with listening(Thinking(self.voice)):
            plan = await seat.ask("plan", messages, read=read_plan, thinking=True, answer_tokens=PLAN_TOKENS)
        if plan is None:
            return self.turns
        self.voice.tell(f"{plan.text}\n\n")
        *before, last = self.turns
        return [*before, user("implement_answer", asked=last.content, analysis=plan.text)]

    async def _draft(self, writer: Seat, asked: Sequence[Message]) -> tuple[str, bool]:
        """Return the draft up to the client's stop sequences, and whether it was cut off."""
        self.voice.tell(f"Drafting ({writer.chat.model}).\n")
        with listening(self._drafting):
            answer = await writer.ask("write", asked, read=read_answer)
        if answer is None:
            raise ReplyError(f"{writer.chat.model} answered nothing", hint="ask again, or another model")
        draft = until(answer.text, self._stops)
        if self.live:
            self._drafting.settle(answer.text)
            if self._drafting.broken:
                told = f"{writer.chat.model} was lost in mid-answer, and answered otherwise the second time"
                raise EndpointError(told, hint="ask again")
        reply = self._calls[-1].reply
        return draft, draft == answer.text and reply is not None and reply.finish_reason in CUT

    async def _reviewed(
        self, flow: Flow, writer: Seat, critic: Seat, outcome: Outcome, blocks: Sequence[Block]
    ) -> Outcome:
        draft = outcome.answer
        self.voice.tell(f"\n\nReviewing ({critic.chat.model}).\n")
        review = await self._review(critic, draft, faults(blocks))
        if review is None:
            return self._noted(outcome, "the review could not be read: the draft stands unreviewed")
        outcome = outcome.model_copy(update={"amended": False, "findings": review.findings})
        if review.approves:
            self.voice.tell("Approved.\n")
            return outcome
        for line in _numbered(review.findings):
            self.voice.tell(line)
        refusal = fixed = ""
        for _ in range(flow.attempts):
            self.voice.tell(f"Correcting ({writer.chat.model}).\n")
            fixed = await self._fixed(writer, draft, review, refusal)
            refusal = objection(draft, fixed, shown="\n".join(turn.content for turn in self.turns))
            if not refusal:
                break
            self.voice.tell(f"The correction is refused: {refusal}\n")
        if refusal:
            return outcome.model_copy(update={"refused": refusal})
        answer = merged(draft, fixed)
        amended = answer.strip() != draft.strip()
        if not amended:
            return self._noted(outcome, "the coder found nothing to correct")
        return outcome.model_copy(
            update={"answer": answer, "amended": True, "unchecked": tuple(unchecked(read_edits(answer)))}
        )

    async def _review(self, critic: Seat, draft: str, evidence: Sequence[str]) -> Review | None:
        shown = {"turns": self._shown(len(draft)), "answer": draft, "evidence": evidence}
        messages = [system("answer_reviewer"), user("review_answer", **shown, most_findings=MOST_FINDINGS)]
        with listening(Thinking(self.voice)):
            return await critic.ask(
                "review",
                messages,
                read=read_review,
                schema=review_schema(),
                repair=prompts.render("repair"),
                thinking=True,
                answer_tokens=REVIEW_TOKENS,
            )

    async def _fixed(self, writer: Seat, draft: str, review: Review, refusal: str) -> str:
        asked = user("fix_answer", review=review, objection=refusal)
        messages = [*self.turns, Message(role="assistant", content=draft), asked]
        with listening(Thinking(self.voice)):
            answer = await writer.ask("fix", messages, read=read_answer)
        return "" if answer is None else until(answer.text, self._stops)

    def _shown(self, beside: int) -> list[Message]:
        """Return the turns that another model is shown: all, or the last ones that fit beside the answer."""
        shown = [
            turn.model_copy(update={"content": turn.content[:MOST_SYSTEM]}) if turn.role == "system" else turn
            for turn in self.turns
        ]
        if self._room is None:
            return shown
        room, kept = self._room - beside, list[Message]()
        for turn in reversed(shown):
            room -= len(turn.content)
            if kept and room < 0:
                break
            kept.insert(0, turn)
        return kept

    def hand_over(self, outcome: Outcome) -> Outcome:
        """Say the answer, or live what the review adds to the draft; return the outcome with all of it."""
        if not self.live:
            say_whole(self.voice, outcome.answer)
        elif outcome.amended:
            found = "".join(_numbered(outcome.findings))
            amendment = f"Amended after the review:\n{found}\n{outcome.answer}"
            if any(block.kind not in ("fence", "bare") for block in read_edits(outcome.answer)):
                amendment = (
                    f"The review found:\n{found}\nThe correction is not given here, for edits of this form "
                    "would apply twice. Ask for it, or use the name without `:stream`."
                )
            say_whole(self.voice, f"\n\n---\n{amendment}")
        self.voice.finish()
        return outcome.model_copy(update={"answer": self.voice.said})


def _numbered(findings: Sequence[Finding]) -> Iterator[str]:
    for number, each in enumerate(findings, start=1):
        yield f"{number}. {each.where}: {each.actual} Expected: {each.expected}\n"


def read_answer(text: str | None) -> Answer | None:
    """Return the answer in a reply, without a thought before it; None if there is nothing else."""
    said = strip_thinking(text or "").strip("\n")
    return Answer(text=said) if said.strip() else None


async def solve_function(
    pipeline: Pipeline, task: Task, team: Team, calls: Sequence[Call], voice: Voice
) -> Outcome:
    """Run a pipeline on one function as in a measured run, and say its program in a fenced block."""
    voice.tell(f"{pipeline.name} on `{task.entry_point}`.\n")
    program = await pipeline(task, team)
    written = [program for call in calls for program in call.programs if call.step in ("write", "implement")]
    reviews = [call for call in calls if call.step == "review"]
    findings = tuple(Finding.model_validate(each) for call in reviews for each in call.findings)
    text = f"```python\n{program.text.strip()}\n```"
    if not program.text.strip():  # no program was found in it: what was said stands
        said = next((call.reply.content for call in reversed(calls) if call.reply and call.program), None)
        if said is None:
            raise DualcodeError(f"{pipeline.name} came to no program", hint="ask again, or another model")
        text = strip_thinking(said).strip()
    say_whole(voice, text)
    voice.finish()
    reviewed = any(call.verdict is not None for call in reviews)
    return Outcome(
        answer=voice.said,
        path="function",
        amended=program.text != written[0].text if reviewed and written else None,
        findings=findings,
        notes=("a review could not be read",) if any(call.verdict is None for call in reviews) else (),
    )


def told(call: Call) -> str:
    """Return what is told of a call of a pipeline that is run as it is measured."""
    spent = f"{call.usage.completion_tokens} tokens" if not call.usage.untold else "tokens not told"
    seconds = sum(each.seconds for each in call.attempts)
    line = f"{call.step} ({call.model}): {call.error or call.verdict or 'done'}, {spent}, {seconds:.1f} s\n"
    found = (f"- {each['where']}: {each['actual']} Expected: {each['expected']}\n" for each in call.findings)
    return line + "".join(found)
