// One cell of a duel: unpacked when it is opened. All texts enter by dom.js, as text nodes.

const CELLS = INDEX.cells;
const shown = { at: -1, scroll: 0, drawn: 0 };
const PAGE = document.title;

function asked() {
  const found = /^#cell=(\d+)$/.exec(location.hash);
  return found && Number(found[1]) < CELLS.length ? Number(found[1]) : -1;
}

function follow() {
  const wanted = asked();
  if (wanted < 0) return shut();
  if (shown.at < 0) shown.scroll = scrollY;
  shown.at = wanted;
  byId("summary").hidden = true;
  byId("task").hidden = false;
  return draw();
}

function shut() {
  if (shown.at < 0) return;
  const last = shown.at;
  Object.assign(shown, { at: -1, drawn: shown.drawn + 1 });
  byId("task").hidden = true;
  byId("task").replaceChildren();
  byId("summary").hidden = false;
  document.title = PAGE;
  scrollTo({ top: shown.scroll });
  document.querySelector(`a[href="#cell=${last}"]`)?.focus({ preventScroll: true });
}

async function draw() {
  const [at, turn] = [shown.at, (shown.drawn += 1)];
  let body;
  try {
    const data = await unpack(at);
    if (turn !== shown.drawn) return;
    body = cellView(data);
  } catch (error) {
    body = el("p", { class: "fault" }, `The cell cannot be read: ${error.message}`);
  }
  byId("task").replaceChildren(heading(at), tabs(at), body);
  byId("task-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
  document.title = `${INDEX.conditions[CELLS[at].condition]} · ${INDEX.issues[CELLS[at].issue]}`;
}

const WORD = { p: "solved", f: "not solved", e: "errored" };

function heading(at) {
  const cell = CELLS[at];
  return el("header", { class: "task-head" },
    el("div", {}, el("h1", { id: "task-title", tabindex: -1 }, INDEX.conditions[cell.condition]),
      el("p", {}, `${INDEX.issues[cell.issue]} · trial ${cell.trial} of ${INDEX.trials} · ${WORD[cell.sign]} · ${cell.status}`)),
    el("div", { class: "moves" },
      el("button", { type: "button", onclick: () => step(-1), title: "Before (k)", "aria-label": "Trial before" }, "↑"),
      el("button", { type: "button", onclick: () => step(1), title: "Next (j)", "aria-label": "Next trial" }, "↓"),
      el("a", { class: "button", href: "#cells", title: "All cells (Esc)" }, "Close")));
}

function beside(at) {
  // The same trial under every condition, in the leaderboard's order.
  const same = CELLS.map((cell, place) => [cell, place]).filter(([cell]) => cell.issue === CELLS[at].issue && cell.trial === CELLS[at].trial);
  return same.sort(([one], [other]) => one.condition - other.condition);
}

function tabs(at) {
  const same = beside(at);
  return el("nav", { class: "tabs", "aria-label": "The same trial under other conditions" }, same.map(([cell, place]) =>
    el("button", { type: "button", "aria-selected": String(place === at), "aria-label": `${INDEX.conditions[cell.condition]}: ${WORD[cell.sign]}`, onclick: () => go(place) },
      el("i", { class: `c ${cell.sign}`, "aria-hidden": "true" }), INDEX.conditions[cell.condition])));
}

function go(place) {
  history.replaceState(null, "", `#cell=${place}`);
  follow();
}

function step(by) {
  const own = CELLS.map((cell, place) => place).filter((place) => CELLS[place].condition === CELLS[shown.at].condition);
  const next = own[own.indexOf(shown.at) + by];
  if (next !== undefined) go(next);
}

function aside(by) {
  const own = beside(shown.at).map(([, place]) => place);
  const next = own[own.indexOf(shown.at) + by];
  if (next !== undefined) go(next);
}

function cellView(data) {
  const text = (place) => (place === null ? null : data.texts[place]);
  return el("div", { class: "run" },
    data.reason ? el("p", { class: "ruling none" }, data.reason) : null,
    verdictView(data, text),
    data.plan === null ? null : el("details", { class: "card prompt", open: true }, el("summary", {}, "Plan"), prose(text(data.plan))),
    el("section", { class: "card change" }, el("h3", {}, "Change"), data.diff === null ? el("p", { class: "soft" }, "Nothing was changed.") : diffView(text(data.diff)), leftOut(data.left_out)),
    data.judgements.length ? el("section", { class: "card judged" }, el("h3", {}, "What judges said"), data.judgements.map((each) => opinion(each, text))) : null,
    phasesView(data.phases),
    data.steps.length ? el("section", { class: "card" }, el("h3", {}, "Transcript"), stepsView(data.steps, text)) : null);
}

const MOST_IDS = 10;

function ids(title, found) {
  if (!found.length) return null;
  const list = el("ul", { class: "ids" }, found.map((each) => el("li", {}, each)));
  return found.length > MOST_IDS ? folded(`${title}: ${found.length}`, list) : el("div", {}, el("h4", {}, title), list);
}

function leftOut(found) {
  return ids("Did not count", found.map(([path, why]) => `${path}: ${why}`));
}

function verdictView(data, text) {
  const verdict = data.verdict;
  if (!verdict) return el("section", { class: "card verdict" }, el("h3", {}, "Tests"), el("p", { class: "warn" }, "Not graded."));
  const word = verdict.solved === null ? "not known" : verdict.solved ? "solved" : "not solved";
  return el("section", { class: "card verdict" }, el("h3", {}, "Tests"),
    el("p", {}, el("i", { class: `c ${data.sign}`, "aria-hidden": "true" }), " ", el("b", {}, word), verdict.reason && verdict.reason !== word ? `: ${verdict.reason}` : ""),
    verdict.tampered ? el("p", { class: "fault" }, "A test that must fail passed: the tests were forged.") : null,
    ids("Hidden tests that do not pass", verdict.failing), ids("Tests that passed before and do not now", verdict.broken),
    leftOut(verdict.dropped), ids("Changed files that the task does not name", verdict.out_of_scope),
    verdict.output === null ? null : folded("what the test run printed", el("pre", {}, text(verdict.output))));
}

function diffView(text) {
  // A unified diff: a heading a file, a row a line with its numbers before and after.
  const blocks = [];
  let rows = [];
  let [before, after] = [0, 0];
  const flush = () => {
    if (rows.length) blocks.push(el("div", { class: "code diff", role: "group", "aria-label": "Changes", tabindex: 0 }, rows));
    rows = [];
  };
  const row = (kind, sign, line, a, b) => rows.push(el("div", { class: `line ${kind}`, "data-a": a, "data-b": b, "data-s": sign },
    sign === " " ? null : el("span", { class: "unseen" }, sign === "-" ? "removed: " : "added: "), line));
  text.replace(/\n$/, "").split("\n").forEach((line) => {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (line.startsWith("diff --git ")) {
      flush();
      const [, old, fresh] = /^a\/(.*) b\/(.*)$/.exec(line.slice(11)) ?? [null, line.slice(11), line.slice(11)];
      blocks.push(el("h4", { class: "file" }, old === fresh ? fresh : `${old} → ${fresh}`));
      [before, after] = [0, 0];
    } else if (hunk) {
      [before, after] = [Number(hunk[1]), Number(hunk[2])];
      rows.push(el("div", { class: "hunk" }, line));
    } else if (!before && !after) {
      if (!/^(index |--- |\+\+\+ )/.test(line)) rows.push(el("div", { class: "hunk" }, line));
    } else if (line.startsWith("+")) row("new", "+", line.slice(1), "", after++);
    else if (line.startsWith("-")) row("gone", "-", line.slice(1), before++, "");
    else if (line.startsWith("\\")) rows.push(el("div", { class: "hunk" }, line));
    else row("", " ", line.slice(1), before++, after++);
  });
  flush();
  return blocks;
}

function opinion(each, text) {
  const head = el("h4", {}, `${each.judge} (${each.model})`, each.rendering === "plain" ? "" : ", comments stripped and files in another order");
  if (!each.scores) return el("div", { class: "opinion" }, head, el("p", { class: "warn" }, `missing: ${each.why_missing || "no reason given"}`));
  return el("div", { class: "opinion" }, head, el("dl", {}, each.scores.map(([name, score, reason]) =>
    el("div", {}, el("dt", {}, name), el("dd", { class: "score" }, String(score)), el("dd", {}, reason === null ? "" : text(reason))))));
}

function phasesView(phases) {
  if (!phases.length) return null;
  const heads = ["node", "who", "status", "calls", "tokens in", "cached", "out", "time", "cost", "source"];
  return el("section", { class: "card" }, el("h3", {}, "Phases"), el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Phases" }, el("table", { class: "data" },
    el("thead", {}, el("tr", {}, heads.map((name, at) => el("th", { scope: "col", class: at < 3 ? "left" : null }, name)))),
    el("tbody", {}, phases.map((each) => el("tr", {},
      el("th", { scope: "row", class: "left" }, each.name), el("td", { class: "left" }, each.model ?? "–"),
      el("td", { class: "left" }, each.endings.length ? `${each.status} (${each.endings.join(", ")})` : each.status),
      [number(each.calls), ...each.tokens.map(number), seconds(each.seconds), each.money].map((value) => el("td", {}, value)),
      el("td", {}, each.shared ? `${each.source}, shared` : each.source)))))));
}

function stepsView(steps, text) {
  const nodes = [...new Set(steps.map((each) => each.node))];
  return nodes.map((node) => {
    const own = steps.filter((each) => each.node === node);
    return el("details", { class: "node" }, el("summary", {}, `${node}: ${own.length} step${own.length === 1 ? "" : "s"}`), own.map((each) => stepView(each, text)));
  });
}

function stepView(each, text) {
  const facts = [each.ending, each.exit_code === null ? null : `exit ${each.exit_code}`, each.command === null ? null : seconds(each.seconds)].filter(Boolean);
  return el("div", { class: "agent" },
    el("header", {}, el("h4", {}, `Step ${each.number}`), el("span", { class: "soft" }, facts.join(" · ")), each.failed_edit ? badge("changed nothing", "warn") : null, each.command === null ? badge("no command", "warn") : null),
    el("div", { class: "text" }, text(each.said)),
    each.command === null ? null : el("pre", { class: "command" }, text(each.command)),
    each.observation === null ? null : el("pre", {}, text(each.observation)));
}

const KEYS = { j: () => step(1), k: () => step(-1), h: () => aside(-1), l: () => aside(1), ArrowLeft: () => aside(-1), ArrowRight: () => aside(1), Escape: () => { location.hash = "cells"; } };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  if (event.target.matches(".code, .scroll, pre") && event.key.startsWith("Arrow")) return;
  const action = (shown.at >= 0 ? KEYS[event.key] : undefined) ?? { "?": () => byId("keys").showModal(), t: switchTheme }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("dualcode-theme", root.dataset.theme); } catch { /* not remembered */ }
}

addEventListener("keydown", onKey);
addEventListener("hashchange", follow);
byId("theme-button").addEventListener("click", switchTheme);
byId("keys-button").addEventListener("click", () => byId("keys").showModal());
follow();
