"""The audit of a run: was any hidden test, or the benchmark's own solution, shown to a model?

Every request is read whole, as it was sent: messages of all roles, the schema of a structured answer, and
what a repair asked. It is compared with every hidden test of its task (the arguments of the call, each
argument, the expected result) and with the lines of the reference, in forms that survive another notation
(`needles.py`). What is found has to come from somewhere that a model may know: the task's prompt, the
templates, an earlier reply in the same task, or what the bench made of a program that stands in a reply.
Whatever else is a leak. So is what a pipeline gave to the bench, or returned as its program, without a model
having said it.

A constant of the pipeline's own file is no template: it is searched like all else. Only a short string in it,
in words that went to other tasks too, is taken for chance.

What stands in no text whose source is known is counted, whatever it says; in it, hidden strings are looked
for in pieces as well. `UNSEEN` says what this cannot find.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.record import Record
from dualcode.runs.needles import Hidden, Needle, Text, What, needles_of
from dualcode.runs.provenance import Sources, lines_of_no_reply, said, sent, templates, turns

EXCERPT = 60
"""Characters of the text around a leak."""
SHORT = 16
"""Characters below which a hidden string may stand in a pipeline's own constant text by chance."""
GAP = 12
"""Most words between two pieces of a string that was taken apart."""

UNSEEN = (
    "hidden tests in another form: encoded, told in other words, scattered word by word",
    "what a pipeline's code does beside its seats and its bench: it runs with the rights of whoever runs"
    " dualcode, so it can read the benchmark's file, choose between programs by hidden tests, ask a model"
    " without a record, or write records of its own",
)
"""What no comparison of texts can find, in words for people."""


class Leak(Record):
    """A hidden string where a model saw it, or where its pipeline had it, with no innocent source."""

    task_id: str
    call: int
    """The call's number in its task; 0 for what the bench ran, and for the solution."""
    step: str
    """The call's; `visible` or `observed` of the bench, or `solution`."""
    what: What
    string: str
    excerpt: str
    """The text around it, without its blanks."""
    place: str = ""
    """Of the request: `message 2 (system)`, `schema`, `pieces`; "" in audits older than this field."""


class Audit(Record):
    """The outcome, with what it is based on. Fields with a default are not in the oldest audits."""

    tasks: int
    """With a call."""
    calls: int
    strings: int
    """Hidden strings and lines of references that were looked for."""
    short: int
    """Those that are too short to tell anything."""
    shown: int
    """Tests that the bench ran and told of."""
    leaks: tuple[Leak, ...]
    requests: int = 0
    """Requests that were read: of the calls and their repairs."""
    programs: int = 0
    """Solutions that were looked at."""
    unasked: tuple[str, ...] = ()
    """The tasks whose solution no model wrote: some line of it stands in no reply."""
    unexplained: int = 0
    """Requests with text of no known source."""
    unexplained_words: int = 0
    """The words of that text."""
    unknown_tests: int = 0
    """Calls that the bench ran and neither prompt nor model brought."""
    by_chance: int = 0
    """Short strings in a pipeline's constant text that other tasks were shown, too."""
    flaws: tuple[str, ...] = ()
    """Where the records do not answer for each other."""
    unseen: tuple[str, ...] = UNSEEN

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.leaks or self.flaws)


@dataclass(frozen=True)
class Evidence:
    """What is to be audited of one task."""

    task_id: str
    prompt: str
    calls: Sequence[Call]
    """With those that were set aside."""
    shown: Sequence[Shown]
    hidden: Iterable[Hidden] | None
    """None: there are no hidden tests, and nothing is searched."""
    reference: str = ""
    solution: str | None = None

    def needles(self) -> list[Needle]:
        """Return what to look for, the weak ones too."""
        return needles_of(self.hidden or (), self.reference, self.prompt)


class Findings:
    """Adds an audit up, task by task, in any order. Pure: reads nothing, runs nothing."""

    def __init__(self, constants: Sequence[str]) -> None:
        """`constants` are the texts in the pipeline's own source."""
        self._constants = constants
        self._known = Sources([*templates().pieces, *constants])
        self._counts = Counter[str]()
        self._leaks = dict[str, list[tuple[Leak, Needle]]]()
        self._unasked = set[str]()

    def add(self, each: Evidence) -> None:
        """Audit a task."""
        counts = self._counts
        counts["tasks"] += bool(each.calls)
        counts["calls"] += len(each.calls)
        counts["shown"] += sum(len(shown.tests) for shown in each.shown)
        counts["programs"] += each.solution is not None
        if each.hidden is None:
            return
        needles = each.needles()
        strong = [needle for needle in needles if not needle.weak]
        counts["strings"] += len(strong)
        counts["short"] += len(needles) - len(strong)
        own = _TaskAudit(each.task_id, each.prompt, each.calls, strong, self._known.beside())
        own.read_bench(each.shown)
        own.read_requests()
        if each.solution is not None and own.read_solution(each.solution):
            self._unasked.add(each.task_id)
        if own.leaks:
            self._leaks[each.task_id] = own.leaks
        counts.update(own.counts)

    def audit(self, tasks: Iterable[Evidence]) -> Audit:
        """Return what it came to, by the tasks' ids; `tasks` are read where what was found may be chance."""
        counts = self._counts
        leaks = [leak for task in sorted(self._leaks) for leak in self._leaks[task]]
        kept = _without_chance(leaks, tasks, self._constants)
        return Audit(
            tasks=counts["tasks"],
            calls=counts["calls"],
            shown=counts["shown"],
            leaks=tuple(kept),
            programs=counts["programs"],
            unasked=tuple(sorted(self._unasked)),
            by_chance=len(leaks) - len(kept),
            strings=counts["strings"],
            short=counts["short"],
            requests=counts["requests"],
            unexplained=counts["unexplained"],
            unexplained_words=counts["unexplained_words"],
            unknown_tests=counts["unknown_tests"],
        )


class _TaskAudit:
    """One task: what was innocent so far, and what was found."""

    def __init__(
        self,
        task_id: str,
        prompt: str,
        calls: Sequence[Call],
        needles: Sequence[Needle],
        sources: Sources,
    ) -> None:
        """`sources`: the task's own, with what every task may know."""
        self.leaks = list[tuple[Leak, Needle]]()
        self.counts = Counter[str]()
        self._task_id = task_id
        self._calls = sorted(calls, key=lambda call: call.number)
        self._needles = needles
        self._said = Text.of(prompt).beside(*(Text.of(text) for call in calls for text in said(call)))
        """The prompt and all that models said: what the bench may run and a solution consist of."""
        self._innocent = [Text.of(prompt), templates().text]
        self._sources = sources
        self._sources.add(prompt)

    def read_bench(self, shown: Sequence[Shown]) -> None:
        """Look at what the bench ran; its texts are innocent where programs and tests have a source.

        A call of the pipeline's own, on a program of a model, says what that program does.
        """
        for each in shown:
            foreign = list(lines_of_no_reply(each.program or "", self._said))
            unknown = [test for test in (*each.tests, *each.ran) if any(lines_of_no_reply(test, self._said))]
            before = len(self.leaks)
            self._search(Text.of(*foreign, *unknown), self._said, 0, each.kind, "bench")
            self.counts["unknown_tests"] += len(unknown)
            known = not foreign and (each.kind == "observed" or not unknown)
            if known and len(self.leaks) == before:
                self._innocent += map(Text.of, each.texts)
                for text in each.texts:
                    self._sources.add(text)

    def read_requests(self) -> None:
        """Look at each request in the order in which they were sent, repairs after what they repair."""
        asked = [(call, sent(request), answers) for call in self._calls for request, answers in turns(call)]
        texts = [parts.texts() for _, parts, _ in asked]
        tight, spaced = ("\0".join(each[form] for text in texts for each in text) for form in (0, 1))
        there = [
            needle
            for needle in self._needles
            if (needle.squeezed and needle.squeezed in tight) or (needle.words and needle.words in spaced)
        ]
        loose: list[str] = []
        for (call, parts, answers), whole in zip(asked, texts, strict=True):
            for needle in there:
                if any(map(needle.stands_in, whole)) and not self._is_innocent(needle):
                    place, text = parts.place(needle)
                    self._found(needle, call.number, call.step, needle.excerpt(text, EXCERPT), place)
            messages, beside = [text for _, text in parts.messages], self._sources.unread(parts.beside.texts)
            runs = [run for text in (*messages, *beside.several) for run in self._sources.unexplained(text)]
            strange = [word for run in runs if len(run) > 1 for word in run]  # one alone: a number, a name
            loose += strange
            self.counts["requests"] += 1
            self.counts["unexplained"] += bool(strange)
            self.counts["unexplained_words"] += len(strange)
            self._sources.add_unread(beside)
            for text in (*messages, *answers):
                self._sources.add(text)
            self._innocent += map(Text.of, answers)
        self._search_pieces(loose)

    def read_solution(self, program: str) -> bool:
        """Look at what the pipeline returned, and return whether it is not what models wrote."""
        foreign = list(lines_of_no_reply(program, self._said))
        self._search(Text.of(*foreign), self._said, 0, "solution", "solution")
        return bool(foreign) or (not self._calls and bool(program.strip()))

    def _search(self, text: Text, innocent: Text, call: int, step: str, place: str) -> None:
        for needle in self._needles if text.squeezed else ():
            if needle.stands_in(text) and not needle.stands_in(innocent):
                self._found(needle, call, step, needle.excerpt(text, EXCERPT), place)

    def _search_pieces(self, loose: Sequence[str]) -> None:
        """Look for strings that were taken apart, in the words of no known source of all requests."""
        known, there = {leak.string for leak, _ in self.leaks}, set(loose)
        for needle in self._needles if loose else ():
            own = needle.words.split()
            if not own or needle.text in known or not there.issuperset(own):
                continue
            place = scattered(own, loose)
            if place is not None and not self._is_innocent(needle):
                last = self._calls[-1]
                excerpt = " ".join(loose[place : place + len(own) * GAP])[: 2 * EXCERPT]
                self._found(needle, last.number, last.step, excerpt, "pieces")

    def _is_innocent(self, needle: Needle) -> bool:
        return any(map(needle.stands_in, self._innocent))

    def _found(self, needle: Needle, call: int, step: str, excerpt: str, place: str) -> None:
        leak = Leak(
            task_id=self._task_id,
            call=call,
            step=step,
            what=needle.what,
            string=needle.text,
            excerpt=excerpt,
            place=place,
        )
        self.leaks.append((leak, needle))


def scattered(own: Sequence[str], loose: Sequence[str]) -> int | None:
    """Return where words begin to stand in order, at most GAP others between two of them; None if nowhere."""
    # Where the first of them may end, to where they begin: a word that comes again leaves several ways.
    ends = {at: at for at, word in enumerate(loose) if word == own[0]}
    for each in own[1:]:
        further: dict[int, int] = {}
        for at, start in ends.items():
            for there in range(at + 1, min(at + 2 + GAP, len(loose))):
                if loose[there] == each:
                    further[there] = min(start, further.get(there, start))
        ends = further
    return min(ends.values(), default=None)


def _without_chance(
    leaks: Sequence[tuple[Leak, Needle]], tasks: Iterable[Evidence], constants: Sequence[str]
) -> list[Leak]:
    """Leave out short strings in a constant that went to a task without that string, too.

    In a run of one task there is no other to tell by: the constant is believed.
    """
    own = [Text.of(constant) for constant in constants]
    holders: dict[int, set[str]] = {}
    for number, (leak, needle) in enumerate(leaks):
        short = len(needle.squeezed or needle.words) < SHORT
        if short and leak.what != "reference" and leak.step != "solution":
            holders[number] = {text.squeezed for text in own if needle.stands_in(text)}
    here, elsewhere, asked = defaultdict[int, set[str]](set), defaultdict[int, set[str]](set), 0
    for each in tasks if any(holders.values()) else ():
        if not each.calls:
            continue
        asked += 1
        told = Text.of(
            *(part for call in each.calls for request, _ in turns(call) for _, part in sent(request).parts()),
            *(test for shown in each.shown for test in shown.tests),
        ).squeezed
        strings = {needle.text for needle in each.needles() if not needle.weak}
        for number, texts in holders.items():
            leak, _ = leaks[number]
            if leak.task_id == each.task_id or leak.string not in strings:
                found = here if leak.task_id == each.task_id else elsewhere
                found[number] |= {text for text in texts if text in told}
    if asked == 1:
        elsewhere = here
    return [leak for number, (leak, _) in enumerate(leaks) if not here[number] & elsewhere[number]]
