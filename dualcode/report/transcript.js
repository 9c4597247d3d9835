// One task: unpacked when it is opened, and drawn for one pipeline at a time.

const PACKED = new Map();
const STEPS = { write: "Draft", plan: "Plan", implement: "Program", review: "Review", fix: "Fix", mend: "Correction", enrich: "Enrichment", probe: "Probes", choose: "Choice", synthesize: "New program" };
const CAUSES = { wrong_output: "wrong output", raised: "raised", time_out: "time-out", total_time_out: "time-out of the whole set", died: "process ended", flooded: "returned too much", not_loaded: "does not load", forbidden_import: "imports what is not allowed" };

async function unpack(place) {
  if (!PACKED.has(place)) {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser has no DecompressionStream; any of 2023 or later has");
    const bytes = Uint8Array.from(atob(byId(`t${place}`).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    PACKED.set(place, await new Response(stream).json());
  }
  return PACKED.get(place);
}

function folded(title, ...content) {
  return el("details", {}, el("summary", {}, title), content);
}

function badge(text, kind = "") {
  return el("span", { class: `badge ${kind}` }, text);
}

function prose(text) {
  // A reply: its talk as text, its fenced blocks as code.
  const parts = text.split(/^```[\w+-]*[ \t]*$/m);
  return el("div", { class: "prose" }, parts.map((part, at) => {
    const kept = part.replace(/^\n+|\n+$/g, "");
    if (!kept) return null;
    return at % 2 ? code(kept, "Code of the reply") : el("div", { class: "text" }, kept);
  }));
}

function callCard(call, texts) {
  const [sent, made, thought, cached] = call.tokens;
  const facts = [`${number(sent)} tokens in`, `${number(made)} out`];
  if (thought) facts.push(`${number(thought)} thought`);
  if (cached) facts.push(`${number(cached)} cached`);
  if (call.seconds !== null) facts.push(seconds(call.seconds));
  const head = el("header", {},
    el("h3", {}, el("span", { class: "step" }, String(call.number)), STEPS[call.step] ?? call.step),
    el("span", { class: "who" }, `${call.role} · ${call.model}`),
    el("span", { class: "facts-line" }, facts.join(" · ")),
    call.finish && call.finish !== "stop" ? badge(call.finish, "warn") : null,
    call.notes.filter((note) => note !== call.finish).map((note) => badge(note, "warn")),
    call.ledger ? badge("from the ledger") : null);
  return el("section", { class: "call card" }, head, callBody(call, texts), callExtras(call, texts));
}

function callBody(call, texts) {
  if (call.error) return el("p", { class: "fault" }, call.error);
  if (call.review) return reviewBody(call, texts);
  if (call.changes) return fixBody(call, texts);
  if (call.program !== null && call.program !== undefined) return code(texts[call.program], "Program");
  if (call.value !== undefined) return code(texts[call.value], "Answer");
  if (call.reply === null) return el("p", { class: "fault" }, "No answer came.");
  return prose(texts[call.reply]);
}

function reviewBody(call, texts) {
  const { verdict, program, findings } = call.review;
  const unplaced = findings.filter((finding) => !finding.lines.length);
  const word = verdict === "approve" ? "approves the draft" : verdict === "revise" ? `asks for a fix: ${findings.length} finding${findings.length === 1 ? "" : "s"}` : "unread: no verdict in the reply; the draft stood";
  return [
    el("p", { class: `ruling ${verdict ?? "none"}` }, word),
    program !== null && findings.length ? reviewedCode(texts[program], findings, "Reviewed program") : null,
    unplaced.length ? el("div", { class: "unplaced" }, unplaced.map((finding) => note(finding, findings.indexOf(finding)))) : null,
  ];
}

function fixBody(call, texts) {
  const same = call.changes.every(([tag]) => tag === "e");
  if (same) return el("p", { class: "ruling none" }, "left the program as it was");
  return [diff(texts[call.before], texts[call.program], call.changes, "Changes to the program"), folded("whole program", code(texts[call.program], "Program"))];
}

function callExtras(call, texts) {
  const shownWhole = call.program === null && call.value === undefined && !call.review;
  return el("div", { class: "extras" },
    call.reasoning !== null && call.reasoning !== undefined ? folded(`reasoning, ${number(texts[call.reasoning].length)} characters`, el("div", { class: "text thought" }, texts[call.reasoning])) : null,
    call.reply !== null && call.reply !== undefined && !shownWhole ? folded("whole reply", prose(texts[call.reply])) : null,
    call.messages.length ? folded("what was asked", call.messages.map(([role, text]) => el("div", { class: "message" }, el("h4", {}, role), prose(texts[text])))) : null,
    call.attempts.length ? folded(`${call.attempts.length} attempts out of the ordinary`, el("ul", {}, call.attempts.map((each) => el("li", {}, `${each.kind}: ${each.outcome}, ${seconds(each.seconds)}`)))) : null);
}

function outcomeLine(name, outcome) {
  if (!outcome) return null;
  const why = outcome.status === "passed" ? [] : [outcome.reason || CAUSES[outcome.cause] || ""];
  return el("div", { class: "outcome" },
    el("dt", {}, name),
    el("dd", {}, el("i", { class: `c ${outcome.status[0]}`, "aria-hidden": "true" }), el("b", {}, outcome.status), why[0] ? `, ${why[0]}` : "",
      outcome.input ? el("div", { class: "input" }, el("span", {}, outcome.at === null ? "failing input" : `failing input, number ${outcome.at + 1}`), el("code", {}, outcome.input)) : null));
}

function verdictCard(run, texts, lastProgram) {
  const parts = [el("h3", {}, "Verdict")];
  if (run.final === null) parts.push(el("p", { class: "soft" }, "No program was handed in."));
  else if (run.final === lastProgram) parts.push(el("p", { class: "soft" }, "The last program above was handed in."));
  else parts.push(folded(`program handed in (${run.how})`, code(texts[run.final], "Program handed in")));
  if (run.verdict) parts.push(el("dl", { class: "verdicts" }, outcomeLine("base tests", run.verdict.base), outcomeLine("plus tests", run.verdict.plus)));
  else parts.push(el("p", { class: "warn" }, "Not graded."));
  if (run.signs) parts.push(el("div", { class: "signs" }, el("h4", {}, "Why it was lost"), el("ul", {}, run.signs.map(([kind, evidence], at) => el("li", {}, at ? kind : el("b", {}, kind), `: ${evidence}`)))));
  return el("section", { class: "card verdict" }, parts);
}

function shownCard(run) {
  if (!run.shown.length) return null;
  const words = { visible: "Tests that the prompt shows", observed: "Calls that a model wrote" };
  return el("section", { class: "card shown" }, el("h3", {}, "What was run before the verdict"), run.shown.map((each) => el("div", {},
    el("h4", {}, words[each.kind] ?? each.kind),
    each.texts.length ? each.texts.map((text, at) => el("pre", {}, each.kind === "observed" && each.tests[at] ? `${each.tests[at]}\n${text}` : text)) : el("p", { class: "soft" }, `${each.tests.length} passed`))));
}

function runView(data, place) {
  const run = data.runs.find((each) => each.pipeline === place);
  if (!run) return el("p", { class: "soft" }, "This run did not have the task.");
  const programs = run.calls.map((call) => call.program ?? null).filter((program) => program !== null);
  const sum = (at) => run.calls.reduce((total, call) => total + call.tokens[at], 0);
  const took = run.calls.reduce((total, call) => total + (call.seconds ?? 0), 0);
  return el("div", { class: "run" },
    el("p", { class: "runs" }, `${run.calls.length} call${run.calls.length === 1 ? "" : "s"} · ${number(sum(0))} tokens in · ${number(sum(1))} out · ${seconds(took)} · run `, el("code", {}, run.id)),
    run.calls.map((call) => callCard(call, data.texts)),
    shownCard(run),
    verdictCard(run, data.texts, programs.at(-1) ?? null));
}
