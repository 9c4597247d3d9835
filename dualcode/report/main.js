// Links, keys and the theme: what connects the list with the transcripts.

const view = { task: -1, place: -1, scroll: 0, drawn: 0 };
const DOUBLES = new Set(TASKS.map((task) => task.id).filter((id, at, ids) => ids.indexOf(id) !== at));

function link(task, place) {
  const part = (text) => encodeURIComponent(text).replaceAll("%2F", "/");
  const suite = DOUBLES.has(task.id) ? `&suite=${part(task.dataset)}` : "";
  return `#task=${part(task.id)}&pipeline=${part(INDEX.pipelines[place])}${suite}`;
}

function asked() {
  const found = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
  if (!found.has("task")) return null;
  const suite = found.get("suite");
  const task = TASKS.findIndex((each) => each.id === found.get("task") && (!suite || each.dataset === suite));
  const place = INDEX.pipelines.indexOf(found.get("pipeline") ?? "");
  return { id: found.get("task"), task, place: place < 0 ? firstPlace(task) : place };
}

function firstPlace(task) {
  return task < 0 ? 0 : Math.max(0, [...TASKS[task].outcome].findIndex((outcome) => outcome !== "."));
}

function follow() {
  const wanted = asked();
  if (!wanted) return close();
  if (view.task < 0) view.scroll = scrollY;
  view.task = Math.max(wanted.task, 0);
  view.place = wanted.place;
  byId("summary").hidden = true;
  byId("task").hidden = false;
  if (wanted.task < 0) return missing(wanted.id);
  activate(wanted.task, wanted.place, false);
  return draw();
}

function missing(id) {
  byId("task").replaceChildren(el("h1", { id: "task-title", tabindex: -1 }, "No such task"), el("p", {}, `This report has no task ${id}. `, el("a", { href: "#tasks" }, "All tasks")));
}

async function draw() {
  const [task, place, turn] = [TASKS[view.task], view.place, (view.drawn += 1)];
  let body;
  let prompt = null;
  try {
    const data = await unpack(view.task);
    if (turn !== view.drawn) return;
    prompt = data.prompt === null ? null : el("details", { class: "card prompt", open: true }, el("summary", {}, "The task"), code(data.texts[data.prompt], "The task's prompt"));
    body = runView(data, place);
  } catch (error) {
    body = el("p", { class: "fault" }, `The transcript cannot be read: ${error.message}`);
  }
  const panel = el("div", { role: "tabpanel", id: "panel", "aria-labelledby": `tab${place}` }, body);
  const hadTab = document.activeElement?.getAttribute("role") === "tab";
  byId("task").replaceChildren(heading(task), tabs(task, place), ...(prompt ? [prompt] : []), panel);
  if (hadTab) byId(`tab${place}`).focus({ preventScroll: true });
  else byId("task-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
  document.title = `${task.id} · ${INDEX.pipelines[place]}`;
}

function heading(task) {
  const at = list.shown.indexOf(view.task);
  const where = at < 0 ? "" : `${at + 1} of ${list.shown.length}`;
  return el("header", { class: "task-head" },
    el("div", {}, el("h1", { id: "task-title", tabindex: -1 }, task.id), el("p", {}, el("code", {}, task.entry), ` · ${TITLES.get(task.dataset)}`, task.richness === null ? "" : ` · richness ${task.richness.toFixed(2)}`)),
    el("div", { class: "moves" }, el("span", { class: "soft" }, where),
      el("button", { type: "button", onclick: () => move(-1), title: "Previous task (k)", "aria-label": "Previous task" }, "↑"),
      el("button", { type: "button", onclick: () => move(1), title: "Next task (j)", "aria-label": "Next task" }, "↓"),
      el("a", { class: "button", href: "#tasks", title: "All tasks (Esc)" }, "Close")));
}

function tabs(task, place) {
  return el("div", { class: "tabs", role: "tablist", "aria-label": "Pipelines" }, INDEX.pipelines.map((name, at) =>
    task.outcome[at] === "." ? null : el("button", { type: "button", role: "tab", id: `tab${at}`, "aria-selected": String(at === place), "aria-controls": "panel", tabindex: at === place ? 0 : -1, "aria-label": said(task, at), onclick: () => go(view.task, at) },
      el("i", { class: `c ${sign(task, at)}`, "aria-hidden": "true" }), name)));
}

function go(task, place) {
  history.replaceState(null, "", link(TASKS[task], place));
  follow();
}

function move(by) {
  const next = list.shown[list.shown.indexOf(view.task) + by];
  if (next === undefined) return;
  go(next, TASKS[next].outcome[view.place] === "." ? firstPlace(next) : view.place);
}

function movePlace(by) {
  const places = INDEX.pipelines.map((_, at) => at).filter((at) => TASKS[view.task].outcome[at] !== ".");
  const next = places[places.indexOf(view.place) + by];
  if (next !== undefined) go(view.task, next);
}

function openAt() {
  if (list.at >= 0) location.hash = link(TASKS[list.at], list.column);
}

function close() {
  if (view.task < 0) return;
  const [task, place] = [view.task, view.place];
  Object.assign(view, { task: -1, place: -1, drawn: view.drawn + 1 });
  byId("task").hidden = true;
  byId("task").replaceChildren();
  byId("summary").hidden = false;
  document.title = TITLE;
  const known = list.rows[task] && !list.rows[task].hidden;
  const anchor = location.hash.slice(1);
  if (anchor && anchor !== "tasks") byId(anchor)?.scrollIntoView();
  else scrollTo({ top: view.scroll });
  if (known && anchor === "tasks") {
    if (!view.scroll) byId("tasks").scrollIntoView();
    activate(task, Math.max(place, 0));
  }
}

const KEYS = {
  list: { j: () => step(1), k: () => step(-1), h: () => stepColumn(-1), l: () => stepColumn(1), Enter: openAt },
  task: { j: () => move(1), k: () => move(-1), h: () => movePlace(-1), l: () => movePlace(1), ArrowLeft: () => movePlace(-1), ArrowRight: () => movePlace(1), Escape: () => { location.hash = "tasks"; } },
  grid: { ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowLeft: () => stepColumn(-1), ArrowRight: () => stepColumn(1), Home: () => activate(list.at, 0), End: () => activate(list.at, INDEX.pipelines.length - 1) },
  all: { "?": () => byId("keys").showModal(), t: switchTheme, "/": find },
};

function find() {
  if (view.task >= 0) location.hash = "tasks";
  setTimeout(() => { filters.text.focus(); filters.text.select(); byId("tasks").scrollIntoView(); });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const typing = event.target.matches("input, select, textarea");
  if (typing) return fieldKey(event);
  const inGrid = Boolean(event.target.closest?.(".grid .c"));
  const scrolls = event.target.matches(".code, .scroll") && event.key.startsWith("Arrow");
  if (scrolls || (event.key === "Enter" && event.target.matches("button, a, summary") && !inGrid)) return;
  const action = (view.task >= 0 ? KEYS.task : { ...KEYS.list, ...(inGrid ? KEYS.grid : {}) })[event.key] ?? KEYS.all[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function fieldKey(event) {
  if (event.key === "Escape") { event.preventDefault(); event.target.blur(); activate(list.at, list.column); }
  if (event.key === "ArrowDown" && event.target === filters.text) { event.preventDefault(); activate(list.shown[0] ?? -1, list.column); }
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("dualcode-theme", root.dataset.theme); } catch { /* not remembered */ }
}

const TITLE = document.title;
buildList();
fillFilters();
applyFilters();
activate(list.shown[0] ?? -1, 0, false);
addEventListener("keydown", onKey);
addEventListener("hashchange", follow);
byId("theme-button").addEventListener("click", switchTheme);
byId("keys-button").addEventListener("click", () => byId("keys").showModal());
follow();
