// Everything that comes from a model or a file enters the page here, as text nodes; nothing else makes nodes.

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "onclick") node.addEventListener("click", value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);
const INDEX = JSON.parse(byId("index").textContent);
const TITLES = new Map(INDEX.datasets.map((each) => [each.name, each.title]));
const WORDS = { p: "passed", f: "failed", e: "errored", n: "not done", ".": "not in this run" };
const CHANGES = { g: "gained", l: "lost" };
const REVIEWS = { a: "the reviewer approved a wrong draft", r: "the reviewer refused a right draft", n: "the review is unread: no verdict in its reply" };

function sign(task, place) {
  // What a cell looks like: a change against the baseline, else the outcome; `b`: only the plus tests failed.
  const outcome = task.outcome[place];
  if (task.change[place] !== ".") return task.change[place];
  return outcome === "f" && task.base[place] === "p" ? "b" : outcome === "." ? "x" : outcome;
}

function said(task, place) {
  const outcome = task.outcome[place];
  const words = [`${INDEX.pipelines[place]}: ${WORDS[outcome]}`];
  if (outcome === "f" && task.base[place] === "p") words.push("on plus tests only");
  if (CHANGES[task.change[place]]) words.push(`${CHANGES[task.change[place]]} against ${INDEX.baseline}`);
  if (REVIEWS[task.review[place]]) words.push(REVIEWS[task.review[place]]);
  return words.join(", ");
}

const number = (value) => value.toLocaleString("en-US");
const seconds = (value) => (value >= 60 ? `${Math.floor(value / 60)} min ${Math.round(value % 60)} s` : `${value.toFixed(1)} s`);
