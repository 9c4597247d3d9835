// Python as lines of coloured text nodes; diffs; findings beside the lines that they name.

const TOKENS = new RegExp(
  [
    /(?<comment>#[^\n]*)/,
    /(?<string>(?:\b[rbfu]{1,2})?(?:"""[\s\S]*?(?:"""|(?![\s\S]))|'''[\s\S]*?(?:'''|(?![\s\S]))|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))/,
    /(?<decorator>^[ \t]*@[\w.]+)/,
    /(?<number>\b(?:0[xob][\da-f_]+|\d[\d_]*(?:\.\d*)?(?:e[+-]?\d+)?j?)\b)/,
    /(?<word>[A-Za-z_]\w*)/,
  ].map((part) => part.source).join("|"),
  "gim",
);
const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from " +
    "global if import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "),
);
const LONGEST_COLOURED = 60000;

function* tokens(text) {
  let at = 0;
  let before = "";
  if (text.length <= LONGEST_COLOURED) {
    for (const match of text.matchAll(TOKENS)) {
      if (match.index > at) yield ["", text.slice(at, match.index)];
      const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
      yield [kindOf(kind, match[0], before), match[0]];
      if (kind === "word") before = match[0];
      at = match.index + match[0].length;
    }
  }
  if (at < text.length) yield ["", text.slice(at)];
}

function kindOf(kind, word, before) {
  if (kind !== "word") return kind;
  if (KEYWORDS.has(word)) return "keyword";
  return before === "def" || before === "class" ? "name" : "";
}

function colouredLines(text) {
  const lines = [[]];
  for (const [kind, part] of tokens(text)) {
    part.split("\n").forEach((piece, at) => {
      if (at) lines.push([]);
      if (piece) lines[lines.length - 1].push([kind, piece]);
    });
  }
  return lines;
}

function painted(line, from = 0, to = 0) {
  // Nodes of a line; what lies in [from, to) is marked.
  const nodes = [];
  let at = 0;
  for (const [kind, text] of line) {
    const cuts = [0, from - at, to - at, text.length].map((cut) => Math.min(Math.max(cut, 0), text.length));
    [0, 1, 2].forEach((part) => {
      const piece = text.slice(cuts[part], cuts[part + 1]);
      if (!piece) return;
      const node = kind ? el("span", { class: `k-${kind}` }, piece) : document.createTextNode(piece);
      nodes.push(part === 1 && to > from ? el("mark", {}, node) : node);
    });
    at += text.length;
  }
  return nodes;
}

function code(text, label) {
  const lines = colouredLines(text).map((line, at) => el("div", { class: "line", "data-n": at + 1 }, painted(line)));
  return el("div", { class: "code", role: "group", "aria-label": label, tabindex: 0 }, lines);
}

function note(finding, at) {
  return el("div", { class: "finding" },
    el("p", { class: "where" }, el("b", {}, String(at + 1)), " ", finding.where),
    el("p", {}, finding.actual),
    el("p", { class: "expected" }, el("span", {}, "Expected "), finding.expected));
}

function reviewedCode(text, findings, label) {
  // A grid: lines on the left; each finding starts at its first line and may reach down to the next one's.
  const block = code(text, label);
  const lines = [...block.children];
  const noted = new Map();
  findings.forEach((finding, at) => {
    finding.lines.forEach((line) => lines[line - 1]?.classList.add("named"));
    if (finding.lines.length) noted.set(finding.lines[0], [...(noted.get(finding.lines[0]) ?? []), note(finding, at)]);
  });
  if (!noted.size) return block;
  block.classList.add("noted");
  const starts = [...noted.keys()].sort((a, b) => a - b);
  lines.forEach((line, at) => line.style.setProperty("grid-row", String(at + 1)));
  starts.forEach((start, place) => {
    const aside = el("aside", { class: "notes", "aria-label": `Findings on line ${start}` }, noted.get(start));
    const end = place + 1 < starts.length ? starts[place + 1] : lines.length + 2;
    aside.style.setProperty("grid-row", `${start} / ${end}`);
    lines[start - 1].after(aside);
  });
  block.style.setProperty("grid-template-rows", `repeat(${lines.length}, auto) 1fr`);
  return block;
}

const CONTEXT = 3;

function diff(before, after, changes, label) {
  const [old, fresh] = [colouredLines(before), colouredLines(after)];
  const [oldText, freshText] = [before.split("\n"), after.split("\n")];
  const rows = [];
  const row = (sign, line, a, b, range = [0, 0]) =>
    rows.push(el("div", { class: `line ${sign === "-" ? "gone" : sign === "+" ? "new" : ""}`, "data-a": a, "data-b": b, "data-s": sign },
      sign === " " ? null : el("span", { class: "unseen" }, sign === "-" ? "removed: " : "added: "), painted(line, ...range)));
  changes.forEach(([tag, a1, a2, b1, b2], place) => {
    if (tag === "e") {
      const head = place ? CONTEXT : 0;
      const tail = place < changes.length - 1 ? CONTEXT : 0;
      for (let at = 0; at < a2 - a1; at += 1) {
        if (a2 - a1 > head + tail + 2 && at === head) {
          at = a2 - a1 - tail;
          rows.push(el("div", { class: "fold" }, `${a2 - a1 - head - tail} lines unchanged`));
        }
        if (at < a2 - a1) row(" ", old[a1 + at], a1 + at + 1, b1 + at + 1);
      }
      return;
    }
    const pairs = a2 - a1 === b2 - b1;
    for (let at = a1; at < a2; at += 1) row("-", old[at], at + 1, "", pairs ? changed(oldText[at], freshText[b1 + at - a1]) : []);
    for (let at = b1; at < b2; at += 1) row("+", fresh[at], "", at + 1, pairs ? changed(freshText[at], oldText[a1 + at - b1]) : []);
  });
  return el("div", { class: "code diff", role: "group", "aria-label": label, tabindex: 0 }, rows);
}

function changed(text, other) {
  // The part of a line between what it shares with the other at both ends; none where they share too little.
  let start = 0;
  while (start < text.length && text[start] === other[start]) start += 1;
  let end = 0;
  while (end < Math.min(text.length, other.length) - start && text.at(-1 - end) === other.at(-1 - end)) end += 1;
  return (start + end) * 3 < text.trim().length ? [0, 0] : [start, text.length - end];
}
