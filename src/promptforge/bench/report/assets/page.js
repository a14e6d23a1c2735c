// The table of all cases and the drawings. Texts of models reach the page through textContent alone.
"use strict";
(() => {
  const PAGE = 50;
  const data = JSON.parse(document.getElementById("data").textContent);
  data.cases = JSON.parse(document.getElementById("rows").textContent);
  const [ID, CATEGORY, TIER, AGENTS, QUESTION, EXPECTED, KIND, WHY, PLACE, HELD, MEANS, REPLIES] = Array(12).keys();
  const [ARM, AGENT, REPEAT, STATE, SCORE, LABEL, TEXT, LEFT_OUT, MORE] = Array(9).keys();
  const UNANSWERED = ["failed", "timed_out"];
  const narrow = matchMedia("(max-width: 44rem)");
  const kindsOf = { better: "--blue", worse: "--orange", "more found": "--blue", "fewer found": "--orange" };

  const words = (text) => text.replaceAll("_", " ");
  const number = (value) => value.toLocaleString("en");
  const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
  const signed = (value) => (Math.abs(value) < 0.0005 ? "0.000" : (value > 0 ? "+" : "−") + Math.abs(value).toFixed(3));

  // An element with these properties and children; a string becomes text, never markup.
  function make(name, properties = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in element) element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== ""));
    return element;
  }

  // --- what is asked for ---------------------------------------------------------------------------------------------

  const changes = data.comparisons.map((c) => {
    const found = new Map();
    c.fixed.forEach((index) => found.set(index, "fixed"));
    c.broke.forEach((index) => found.set(index, "broke"));
    return found;
  });
  const blank = () => ({ text: "", comparison: "0", change: "", category: "", tier: "", agent: "", arm: "", state: "", label: "", kind: "" });
  let wanted = blank();
  let shown = [];
  let first = 0;
  const open = new Set();
  const haystacks = [];

  const sides = () => {
    const chosen = data.comparisons[Number(wanted.comparison)];
    return chosen ? [chosen.before, chosen.after] : [0, data.arms.length > 1 ? 1 : -1];
  };

  function haystack(index) {
    if (haystacks[index] === undefined) {
      const c = data.cases[index];
      const texts = c[REPLIES].map((r) => `${r[TEXT]}\n${(r[MORE].calls || []).join("\n")}\n${r[MORE].message || ""}`);
      haystacks[index] = [c[ID], c[QUESTION], ...c[EXPECTED], c[WHY], ...c[HELD].flat(), ...texts].join("\n").toLowerCase();
    }
    return haystacks[index];
  }

  function replyFits(r) {
    const state = data.states[r[STATE]];
    if (wanted.arm !== "" && r[ARM] !== Number(wanted.arm)) return false;
    if (wanted.agent && data.agents[r[AGENT]] !== wanted.agent) return false;
    if (wanted.state && !(wanted.state === "unanswered" ? UNANSWERED.includes(state) : state === wanted.state)) return false;
    return !wanted.label || (wanted.label === "right" ? r[SCORE] === 1 : r[LABEL] === wanted.label);
  }

  function fits(index) {
    const c = data.cases[index];
    if (wanted.category && c[CATEGORY] !== wanted.category) return false;
    if (wanted.tier && c[TIER] !== wanted.tier) return false;
    if (wanted.kind && c[KIND] !== wanted.kind) return false;
    if (wanted.change && (changes[Number(wanted.comparison)]?.get(index) || "same") !== wanted.change) return false;
    if ((wanted.agent || wanted.state || wanted.label || wanted.arm !== "") && !c[REPLIES].some(replyFits)) return false;
    return wanted.text === "" || wanted.text.toLowerCase().split(/\s+/).every((part) => haystack(index).includes(part));
  }

  // --- the table -----------------------------------------------------------------------------------------------------

  const room = document.getElementById("table");
  const body = make("tbody");
  const found = make("output", { "aria-live": "polite" });
  const controls = {};

  function choice(key, label, options) {
    const all = [["", "all"], ...options];
    const entries = key === "comparison" ? options : all;
    const select = make("select", { name: key }, entries.map(([value, text]) => make("option", { value }, text)));
    select.addEventListener("change", () => { wanted[key] = select.value; search(); });
    controls[key] = select;
    return make("label", {}, label, select);
  }

  function filters() {
    const text = make("input", { type: "search", name: "text", placeholder: "id, question, answer, fact, file …", autocomplete: "off" });
    let waiting;
    text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { wanted.text = text.value.trim(); search(); }, 150);
    });
    controls.text = text;
    const named = (list) => list.map((value) => [value, words(value)]);
    const kinds = [["counts", "counts in the score"], ["generated", "generated"], ["given away", "given away"]];
    const labels = [["right", "right"], ...Object.entries(data.labels)];
    const asked = new Set(data.cases.map((c) => c[TIER]));
    const parts = [
      make("label", { className: "wide" }, "Text", text),
      choice("change", "Change", [["fixed", "fixed"], ["broke", "broke"], ["same", "same"]]),
      choice("category", "Category", named(data.categories)),
      choice("tier", "Tier", named([...asked])),
      choice("label", "Label", labels),
      choice("state", "State", [["unanswered", "failed or timed out"], ...named(data.states)]),
      choice("agent", "Agent", data.agents.map((name) => [name, name])),
      choice("arm", "Arm", data.arms.map((name, place) => [String(place), name])),
      choice("kind", "Kind", kinds),
    ];
    if (data.comparisons.length > 1) {
      parts.splice(1, 0, choice("comparison", "Comparison", data.comparisons.map((c, place) => [String(place), c.name])));
    }
    const form = make("form", { className: "filters", role: "search", "aria-label": "Filter the cases" }, parts);
    form.addEventListener("submit", (event) => event.preventDefault());
    return form;
  }

  const turn = (by) => { first += by; draw(); room.scrollIntoView({ block: "start" }); };
  const before = make("button", { type: "button" }, "Previous");
  const after = make("button", { type: "button" }, "Next");
  const reset = make("button", { type: "button" }, "Show all");
  before.addEventListener("click", () => turn(-PAGE));
  after.addEventListener("click", () => turn(PAGE));
  reset.addEventListener("click", () => set({}));

  function set(asked) {
    wanted = { ...blank(), ...asked };
    for (const [key, control] of Object.entries(controls)) control.value = wanted[key];
    search();
  }

  function search() {
    shown = [];
    for (let index = 0; index < data.cases.length; index++) if (fits(index)) shown.push(index);
    first = 0;
    draw();
  }

  const heads = make("tr");
  function draw() {
    const [was, now] = sides();
    const column = (text, className) => make("th", { scope: "col", className }, text);
    const single = now < 0;
    heads.replaceChildren(
      column("Case", ""),
      column("Category · tier", "wide-only"),
      column(single ? "Score" : "Before", single ? "number" : "number wide-only"),
      ...(single ? [] : [column("After", "number"), column("Change", "number")]),
      column("Why", "wide-only"),
    );
    const page = shown.slice(first, first + PAGE);
    body.replaceChildren(...page.flatMap((index) => rows(index, was, now)));
    const range = shown.length ? `${number(first + 1)}–${number(first + page.length)} of ${number(shown.length)}` : "No";
    const total = shown.length === data.cases.length ? "" : ` (${number(data.cases.length)} in all)`;
    found.textContent = `${range} ${shown.length === 1 ? "case" : "cases"}${total}`;
    before.disabled = first === 0;
    after.disabled = first + PAGE >= shown.length;
    reset.hidden = shown.length === data.cases.length;
  }

  function why(c, side) {
    const missing = c[REPLIES].filter((r) => UNANSWERED.includes(data.states[r[STATE]]));
    if (missing.length) return make("span", { className: "gone" }, `${missing.length} unanswered`);
    const labels = c[REPLIES].filter((r) => r[ARM] === side && r[LABEL]).map((r) => data.labels[r[LABEL]] || r[LABEL]);
    return [...new Set(labels)].join(", ") || (c[MEANS][side] === 1 ? "right" : "–");
  }

  function rows(index, was, now) {
    const c = data.cases[index];
    const [old, fresh] = [c[MEANS][was] ?? null, now < 0 ? null : c[MEANS][now] ?? null];
    const known = old !== null && fresh !== null;
    const moved = !known || old === fresh ? "" : fresh > old ? "up" : "down";
    const sign = { up: "▲ ", down: "▼ ", "": "" }[moved];
    const detailId = `detail-${index}`;
    const opener = make(
      "button",
      { type: "button", className: "opener", "aria-expanded": String(open.has(index)), "aria-controls": detailId },
      make("code", {}, c[ID]),
      make("small", {}, c[QUESTION].slice(0, 160)),
    );
    const row = make(
      "tr",
      { className: "row", id: `case-${index}` },
      make("th", { scope: "row" }, opener),
      make("td", { className: "wide-only" }, `${words(c[CATEGORY])} · ${c[TIER]}`),
      make("td", { className: now < 0 ? "number" : "number wide-only" }, score(old)),
      ...(now < 0 ? [] : [
        make("td", { className: "number" }, score(fresh)),
        make("td", { className: `number ${moved}` }, known ? sign + signed(fresh - old) : "–"),
      ]),
      make("td", { className: "wide-only" }, why(c, now < 0 ? was : now)),
    );
    const cell = make("td", { colSpan: narrow.matches ? (now < 0 ? 2 : 3) : now < 0 ? 4 : 6 });
    const detail = make("tr", { className: "detail", id: detailId, hidden: !open.has(index) }, cell);
    if (open.has(index)) cell.append(...details(c, was, now));
    opener.addEventListener("click", () => {
      const opened = detail.hidden;
      if (opened && !cell.hasChildNodes()) cell.append(...details(c, was, now));
      detail.hidden = !opened;
      opener.setAttribute("aria-expanded", String(opened));
      if (opened) open.add(index); else open.delete(index);
    });
    return [row, detail];
  }

  function details(c, was, now) {
    const entry = (name, ...texts) =>
      texts.some((text) => text) ? make("div", {}, make("dt", {}, name), ...texts.map((text) => make("dd", {}, text))) : "";
    const kind = c[KIND] === "counts" ? "" : c[KIND] === "generated" ? "Generated from a fact: in no headline." : "Given away: in no headline and no test.";
    const facts = make(
      "dl", {},
      entry("Question", c[QUESTION]), entry("Expected", ...c[EXPECTED]), entry("Given away by", c[WHY]),
      entry("Kind", kind), entry("Written in", c[PLACE]),
      entry("Category, tier, agents", `${words(c[CATEGORY])}, ${c[TIER]}, ${c[AGENTS].map((a) => data.agents[a]).join(", ")}`),
    );
    const order = [was, now, ...data.arms.keys()].filter((arm, place, all) => arm >= 0 && all.indexOf(arm) === place);
    const pairs = new Map();
    for (const r of c[REPLIES]) {
      const key = `${r[AGENT]} ${r[REPEAT]}`;
      if (!pairs.has(key)) pairs.set(key, []);
      pairs.get(key).push(r);
    }
    const groups = [...pairs.values()].map((group) =>
      make("div", { className: "pair" }, order.flatMap((arm) => group.filter((r) => r[ARM] === arm).map(reply))));
    const held = c[HELD].map(([prompt, source, fact, line]) =>
      make("li", {}, `${prompt} ← `, make("code", {}, source), ` (${fact})`, line ? make("pre", {}, line) : ""));
    const lines = held.length ? [make("h3", {}, "Prompt lines that hold the fact"), make("ul", { className: "held" }, held)] : [];
    return [facts, ...groups, ...lines];
  }

  function reply(r) {
    const more = r[MORE];
    const state = data.states[r[STATE]];
    const head = [data.agents[r[AGENT]], r[REPEAT] ? `repeat ${r[REPEAT] + 1}` : "", state === "answered" ? "" : words(state),
      r[SCORE] === null ? "" : score(r[SCORE]), r[LABEL] ? data.labels[r[LABEL]] || r[LABEL] : r[SCORE] === 1 ? "right" : ""];
    const [input, output, latency, cost] = more.figures || [];
    const counted = [
      latency ? `${latency < 1 ? Math.round(latency * 1000) + " ms" : latency.toFixed(2) + " s"}` : "",
      input === undefined || input === null ? "" : `${number(input)} tokens in`,
      output === undefined || output === null ? "" : `${number(output)} out`,
      !cost ? "" : `$${cost.toFixed(5)}`,
      more.finish ? `ended by ${more.finish}` : "",
      more.inherited ? `taken over from ${more.inherited}` : "",
    ].filter(Boolean).join(" · ");
    const line = (text, className = "") => (text ? make("p", { className }, text) : "");
    const said = [
      ...(more.checks || []).map(([kind, share, text]) => `${kind}: ${text} (${score(share)})`),
      ...(more.broken || []),
      more.made_up ? `made up: ${more.made_up.join(", ")}` : "",
    ].filter(Boolean).join("; ");
    return make(
      "div", { className: "reply" },
      make("p", {}, make("b", {}, data.arms[r[ARM]]), ` · ${head.filter(Boolean).join(" · ")}`),
      UNANSWERED.includes(state) || state === "not_applicable" ? line(more.message || more.fault || "no answer", "missing") : make("pre", {}, r[TEXT] || (more.calls ? "" : "(an empty answer)")),
      ...(more.calls || []).map((call) => make("p", {}, "calls ", make("code", {}, call))),
      r[LEFT_OUT] ? line(`Cut: ${number(r[LEFT_OUT])} more characters are not in this page.`) : "",
      line(said),
      "judged" in more ? line(`judged ${score(more.judged)}, in no score: ${more.judged_why || ""}`) : "",
      more.reasoning ? make("details", {}, make("summary", {}, "Reasoning, never scored"), make("pre", {}, more.reasoning)) : "",
      line(counted),
    );
  }

  function show(index) {
    if (!shown.includes(index)) set({});
    first = Math.floor(shown.indexOf(index) / PAGE) * PAGE;
    open.add(index);
    draw();
    const row = document.getElementById(`case-${index}`);
    row.scrollIntoView({ block: "start" });
    row.querySelector("button").focus({ preventScroll: true });
  }

  // --- the drawings --------------------------------------------------------------------------------------------------

  function forest(figure) {
    const { rows: rowsOf, ends } = data.comparisons[Number(figure.dataset.comparison)];
    if (!rowsOf.length) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const rows = rowsOf.map(([name, group, n, estimate, low, high, can, reading]) => {
      const tone = colour(kindsOf[reading] || "--soft");
      return { key: `${group} ${name}`, name, group, n, estimate, low, high, can, tone, shown: reading in kindsOf };
    });
    const reach = Math.min(1, 1.08 * Math.max(0.1, ...rows.flatMap((r) => [Math.abs(r.low), Math.abs(r.high), r.can || 0])));
    const inside = (value) => Math.max(-reach, Math.min(reach, value));
    const wide = figure.clientWidth - 2 * parseFloat(getComputedStyle(figure).paddingLeft);
    if (wide < 200) return; // it is not laid out yet
    const narrowDrawing = wide < 560;
    const keys = rows.flatMap((r, at) => (at && rows[at - 1].group !== r.group ? [`gap ${r.group}`, r.key] : [r.key]));
    const text = (fill, more) => ({ fill, frameAnchor: "left", y: "key", ...more });
    const label = narrowDrawing ? 130 : 150;
    const drawing = Plot.plot({
      className: "drawing",
      width: wide,
      height: keys.length * 26 + 58,
      marginLeft: label,
      marginRight: narrowDrawing ? 12 : 190,
      marginTop: 24,
      marginBottom: 34,
      x: { domain: [-reach, reach], ticks: narrowDrawing ? 5 : 9, tickFormat: (value) => (value ? signed(value).slice(0, 5) : "0"), label: null },
      y: { domain: keys, label: null, axis: null, padding: 0.3 },
      ariaLabel: "Paired differences with 95 % intervals; the table below has the same figures",
      marks: [
        Plot.barX(rows.filter((r) => r.can !== null || !r.shown), { x1: (r) => inside(-(r.can ?? 9)), x2: (r) => inside(r.can ?? 9), y: "key", fill: colour("--band"), insetTop: -4, insetBottom: -4 }),
        Plot.gridX({ stroke: colour("--line"), strokeOpacity: 1 }),
        Plot.ruleX([0], { stroke: colour("--soft") }),
        Plot.link(rows.filter((r) => r.low !== null), { x1: (r) => inside(r.low), x2: (r) => inside(r.high), y1: "key", y2: "key", stroke: "tone", strokeWidth: (r) => (r.group === "overall" ? 4 : 2.5), strokeLinecap: "round" }),
        Plot.dot(rows, { x: (r) => inside(r.estimate), y: "key", r: (r) => (r.group === "overall" ? 6.5 : 4.8), fill: (r) => (r.shown ? r.tone : colour("--card")), stroke: "tone", strokeWidth: 2 }),
        Plot.text(rows, text(colour("--ink"), { text: (r) => (narrowDrawing ? `${r.name} ${number(r.n)}` : r.name), dx: -label, textAnchor: "start", fontSize: narrowDrawing ? 11.5 : 13, fontWeight: (r) => (r.group === "overall" ? 700 : 500) })),
        ...(narrowDrawing ? [] : [
          Plot.text(rows, text("tone", { frameAnchor: "right", text: (r) => signed(r.estimate), dx: 62, textAnchor: "end", fontSize: 13, fontWeight: 600, fontVariant: "tabular-nums" })),
          Plot.text(rows, text(colour("--soft"), { frameAnchor: "right", text: (r) => `n = ${number(r.n)}`, dx: 84, textAnchor: "start", fontSize: 12 })),
        ]),
        Plot.text([`◂ ${ends[0]}`], { text: (t) => t, frameAnchor: "top-left", dy: -18, dx: 2, fill: colour("--soft"), fontSize: 12 }),
        Plot.text([`${ends[1]} ▸`], { text: (t) => t, frameAnchor: "top-right", dy: -18, dx: -2, fill: colour("--soft"), fontSize: 12 }),
        Plot.axisX({ color: colour("--soft"), fontSize: 12, tickSize: 4, ticks: narrowDrawing ? 5 : 9, tickFormat: (value) => (value ? signed(value).slice(0, 5) : "0"), label: null }),
      ],
    });
    const caption = (narrowDrawing ? "Beside each name: n. " : "") + "Dot: the difference, filled where it is shown. Line: its 95 % interval. Grey: what the suite cannot see.";
    figure.replaceChildren(drawing, make("figcaption", {}, caption));
  }

  const figures = [...document.querySelectorAll(".forest")];
  function drawAll() {
    for (const figure of figures) {
      figure.hidden = data.comparisons[Number(figure.dataset.comparison)].rows.length === 0;
      if (!figure.closest("details:not([open])")) forest(figure);
    }
  }

  // --- put together --------------------------------------------------------------------------------------------------

  document.body.classList.add("scripted");
  const grid = make("table", { className: "cases" }, make("caption", { className: "unseen" }, "All cases"), make("thead", {}, heads), body);
  room.append(
    filters(),
    make("div", { className: "bar" }, found, reset, before, after),
    make("div", { className: "scroll" }, grid),
  );
  room.hidden = false;
  search();
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-open], button.filter");
    if (!target) return;
    if (target.dataset.open !== undefined) {
      event.preventDefault();
      show(Number(target.dataset.open));
    } else {
      set({ ...target.dataset });
      document.getElementById("cases").scrollIntoView({ block: "start" });
      controls.text.focus({ preventScroll: true });
    }
  });
  for (const folded of document.querySelectorAll("details")) folded.addEventListener("toggle", drawAll);
  // What is wider than its room fades at the side where there is more of it: a phone shows no scroll bar.
  function fade(box) {
    box.classList.toggle("on-right", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
  }
  const boxes = new ResizeObserver((entries) => entries.forEach((entry) => fade(entry.target)));
  for (const box of document.querySelectorAll(".scroll")) {
    boxes.observe(box);
    box.addEventListener("scroll", () => fade(box), { passive: true });
  }
  let width = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth !== width) { width = document.body.clientWidth; drawAll(); }
  }).observe(document.body);
  narrow.addEventListener("change", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => document.querySelectorAll("main details").forEach((folded) => { folded.open = true; }));
  document.body.dataset.ready = "yes";
})();
