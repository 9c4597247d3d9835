// The task list: rows are made once; a filter only hides and shows them.

const TASKS = INDEX.tasks;
const OUTCOMES = [
  ["", "any"], ["p", "passed"], ["f", "failed"], ["e", "errored or not done"], ["b", "failed plus tests only"],
  ["g", `gained against ${INDEX.baseline}`], ["l", `lost against ${INDEX.baseline}`], ["d", "pipelines disagree"],
  ["w", "reviewer wrong"], ["a", "approved a wrong draft"], ["r", "refused a right draft"],
];
const filters = { text: byId("find"), suite: byId("suite"), pipeline: byId("pipeline"), outcome: byId("outcome"), kind: byId("class") };
const list = { rows: [], order: [], shown: [], at: 0, column: 0, sort: "", down: false };

function matches(task, place, wanted) {
  const outcome = task.outcome[place];
  if (wanted === "e") return outcome === "e" || outcome === "n";
  if (wanted === "b") return outcome === "f" && task.base[place] === "p";
  if (wanted === "g" || wanted === "l") return task.change[place] === wanted;
  if (wanted === "w") return "ar".includes(task.review[place]);
  if (wanted === "a" || wanted === "r") return task.review[place] === wanted;
  return outcome === wanted;
}

function disagree(task) {
  return task.outcome.includes("p") && task.outcome.includes("f");
}

function kept(task, wanted) {
  if (wanted.suite && task.dataset !== wanted.suite) return false;
  if (wanted.text && !task.haystack.includes(wanted.text)) return false;
  if (wanted.kind && !(wanted.places.some((place) => task.classes[INDEX.pipelines[place]] === wanted.kind))) return false;
  if (!wanted.outcome) return true;
  if (wanted.outcome === "d") return disagree(task);
  return wanted.places.some((place) => matches(task, place, wanted.outcome));
}

function applyFilters() {
  const chosen = INDEX.pipelines.indexOf(filters.pipeline.value);
  const wanted = {
    text: filters.text.value.trim().toLowerCase(), suite: filters.suite.value, outcome: filters.outcome.value, kind: filters.kind.value,
    places: chosen < 0 ? INDEX.pipelines.map((_, place) => place) : [chosen],
  };
  list.shown = list.order.filter((place) => {
    const keep = kept(TASKS[place], wanted);
    const row = list.rows[place];
    if (row.hidden === keep) row.hidden = !keep;
    return keep;
  });
  byId("count").textContent = `${number(list.shown.length)} of ${number(TASKS.length)} tasks`;
  list.none.hidden = list.shown.length > 0;
  if (!list.shown.includes(list.at)) activate(list.shown[0] ?? -1, list.column, false);
  tally();
}

function tally() {
  INDEX.pipelines.forEach((_, place) => {
    let [passed, known] = [0, 0];
    for (const task of list.shown) {
      const outcome = TASKS[task].outcome[place];
      passed += outcome === "p";
      known += outcome === "p" || outcome === "f";
    }
    list.tallies[place].textContent = known ? String(passed) : "–";
    list.tallies[place].title = `${passed} of ${known} graded tasks shown`;
  });
}

const SORTS = {
  "": (task) => task.place,
  task: (task) => task.place,
  entry: (task) => task.entry.toLowerCase(),
  solved: (task) => [...task.outcome].filter((outcome) => outcome === "p").length,
  richness: (task) => task.richness ?? -1,
  class: (task) => Object.values(task.classes)[0] ?? "\uffff",
};
const RANK = "lfbenxpg";

function sortBy(name) {
  list.down = list.sort === name && !list.down;
  list.sort = name;
  const place = INDEX.pipelines.indexOf(name.slice(1));
  const key = name[0] === "@" ? (task) => RANK.indexOf(sign(task, place)) : SORTS[name];
  const keys = TASKS.map(key);
  const compare = (a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0) * (list.down ? -1 : 1) || a - b;
  list.order = TASKS.map((_, at) => at).sort(compare);
  list.body.append(...list.order.map((at) => list.rows[at]));
  for (const head of list.heads) head.setAttribute("aria-sort", head.dataset.sort !== name ? "none" : list.down ? "descending" : "ascending");
  applyFilters();
}

function activate(place, column, focus = true) {
  const old = list.rows[list.at]?.cells?.[list.column];
  if (old) { old.tabIndex = -1; old.classList.remove("at"); list.rows[list.at].classList.remove("at"); }
  list.at = place;
  list.column = column;
  const cell = list.rows[place]?.cells?.[column];
  if (!cell) return;
  cell.tabIndex = 0;
  cell.classList.add("at");
  list.rows[place].classList.add("at");
  if (focus) cell.focus();
}

function step(by) {
  const next = list.shown.indexOf(list.at) + by;
  if (next >= 0 && next < list.shown.length) activate(list.shown[next], list.column);
  else if (list.shown.length) activate(list.at, list.column);
}

function stepColumn(by) {
  activate(list.at, Math.min(Math.max(list.column + by, 0), INDEX.pipelines.length - 1));
}

function row(task, at) {
  const cells = INDEX.pipelines.map((_, place) =>
    el("a", { class: `c ${sign(task, place)}${"ar".includes(task.review[place]) ? " misjudged" : ""}`, role: "gridcell", tabindex: -1, href: link(task, place), "aria-label": `${task.id}, ${said(task, place)}`, title: said(task, place) }));
  const kinds = [...new Set(Object.values(task.classes))];
  const made = el("div", { class: "row", role: "row", "data-at": at },
    el("span", { class: "id", role: "rowheader" }, task.id), el("span", { class: "entry", role: "gridcell" }, task.entry),
    el("span", { class: "cells", role: "presentation" }, cells),
    list.rich ? el("span", { class: "rich", role: "gridcell" }, task.richness === null ? "–" : task.richness.toFixed(2)) : el("span", {}),
    el("span", { class: "kind", role: "gridcell" }, kinds.join(", ")));
  made.cells = cells;
  return made;
}

function head(name, text, kind, content = []) {
  const button = el("button", { type: "button", onclick: () => sortBy(name), title: `sort by ${text}` }, el("span", {}, text));
  const made = el("span", { class: kind, role: "columnheader", "aria-sort": "none", "data-sort": name }, button, content);
  list.heads.push(made);
  return made;
}

function buildList() {
  list.rich = TASKS.some((task) => task.richness !== null);
  TASKS.forEach((task, at) => { task.place = at; task.haystack = `${task.id} ${task.entry}`.toLowerCase(); });
  list.heads = [];
  list.tallies = INDEX.pipelines.map(() => el("small", {}));
  const top = el("div", { class: "row top", role: "row" }, head("task", "task", "id"), head("entry", "function", "entry"),
    el("span", { class: "cells", role: "presentation" }, INDEX.pipelines.map((name, place) => head(`@${name}`, name, "pipe", list.tallies[place]))),
    list.rich ? head("richness", "richness", "rich") : el("span", {}), head("class", "lost by", "kind"));
  list.rows = TASKS.map(row);
  list.order = TASKS.map((_, at) => at);
  list.body = el("div", { role: "rowgroup" }, list.rows);
  list.none = el("p", { class: "none", hidden: true }, "No task is like that. Clear the filter to see all.");
  const grid = el("div", { class: "grid", role: "grid", "aria-label": "Tasks by pipeline", "aria-rowcount": TASKS.length + 1 }, el("div", { role: "rowgroup", class: "heads" }, top), list.body);
  grid.style.setProperty("--pipelines", INDEX.pipelines.length);
  if (!list.rich) grid.style.setProperty("--rich", "0px");
  byId("list").replaceChildren(grid, list.none);
  grid.addEventListener("click", (event) => {
    const found = event.target.closest(".row:not(.top)");
    if (!found) return;
    const column = found.cells.indexOf(event.target.closest(".c"));
    if (column >= 0) activate(Number(found.dataset.at), column, false);
    else { activate(Number(found.dataset.at), list.column, false); openAt(); }
  });
}

function fillFilters() {
  const add = (select, options) => select.append(...options.map(([value, text]) => el("option", { value }, text)));
  add(filters.suite, INDEX.datasets.map((each) => [each.name, each.title]));
  add(filters.pipeline, INDEX.pipelines.map((name) => [name, name]));
  const reviewed = TASKS.some((task) => /[ar]/.test(task.review));
  add(filters.outcome, OUTCOMES.filter(([value]) => reviewed || !["w", "a", "r"].includes(value)));
  const kinds = [...new Set(TASKS.flatMap((task) => Object.values(task.classes)))].sort();
  add(filters.kind, kinds.map((kind) => [kind, kind]));
  filters.kind.parentElement.hidden = !kinds.length;
  filters.suite.parentElement.hidden = INDEX.datasets.length < 2;
  const form = byId("filters");
  form.addEventListener("input", applyFilters);
  form.addEventListener("reset", () => setTimeout(applyFilters));
  form.addEventListener("submit", (event) => { event.preventDefault(); activate(list.shown[0] ?? -1, list.column); });
}
