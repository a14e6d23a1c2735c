"use strict";
const $ = (id) => document.getElementById(id);
const el = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
};
const number = (value) => value.toLocaleString("en");
const plural = (count, word) => `${number(count)} ${count === 1 ? word : word.endsWith("y") ? word.slice(0, -1) + "ies" : word + "s"}`;
const clock = (ms) => {
  const at = new Date(ms), pad = (value) => String(value).padStart(2, "0");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(":");
  return at.toDateString() === new Date().toDateString() ? time : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${time}`;
};
// What cannot be seen, or turns the direction of what follows, is shown by its code.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const legible = (text) => text.replace(UNSEEN, (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

const state = { build: null, changes: null, prompt: null, agent: "", since: "save", editor: "", over: false, asking: null, fetched: 0 };
const MOST = 40, MOST_AGENTS = 300;

const post = (path, data, signal) =>
  fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data), signal });

let toasting = 0;
const toast = (...children) => {
  $("toast").replaceChildren(...children);
  $("toast").hidden = false;
  clearTimeout(toasting);
  toasting = setTimeout(() => { $("toast").hidden = true; }, 8000);
};

const openAt = async (file, line, column = 1) => {
  try {
    const reply = await post("open", { file, line, column });
    const said = await reply.json();
    if (said.error) return toast(el("b", {}, said.error), said.hint ? ` ${said.hint}` : "");
    if (said.opened) return toast(`${file}:${line} in ${said.opened}`);
    let copied = true;
    try { await navigator.clipboard.writeText(said.place); } catch { copied = false; }
    toast(el("code", {}, `${file}:${line}`), copied ? " is copied. " : " ", el("a", { href: said.link }, "Open in VS Code"),
      " · for another editor set PROMPTFORGE_EDITOR");
  } catch { toast("promptforge does not answer"); }
};
const opens = () => (state.editor ? `Open in ${state.editor}` : "Copy the place");
const place = (file, line, column) => file
  ? el("button", { type: "button", class: "place", title: opens(), onclick: () => openAt(file, line, column || 1) }, `${file}:${line}`)
  : null;

// --- ok or the diagnostics -----------------------------------------------------------------------------------------

const excerpt = (found) => {
  if (found.excerpt === null) return null;
  const start = Math.max(0, (found.column || 1) - 1), end = found.column ? start + found.length : start;
  const [head, marked, tail] = [found.excerpt.slice(0, start), found.excerpt.slice(start, end), found.excerpt.slice(end)].map(legible);
  return el("pre", { class: "excerpt" }, head, marked ? el("mark", {}, marked) : null, tail);
};
const diagnostic = (found) => el("li", { class: found.severity },
  el("p", {}, place(found.file, found.line, found.column), " ", el("b", {}, `${found.severity} ${found.code}`), ` ${legible(found.message)}`),
  excerpt(found),
  found.related.map((one) => el("p", { class: "note" }, place(one.file, one.line), ` ${one.message}`)),
  found.hint ? el("p", { class: "hint" }, legible(found.hint)) : null);

const showStatus = () => {
  const { ok, counts, diagnostics, more, problem, at, says } = state.build;
  $("status").className = ok ? "ok" : "bad";
  const word = ok ? "ok" : problem ? "no build" : counts.split(", ")[0];
  const aside = ok ? [says, counts, clock(at)].filter(Boolean).join(" · ") : `nothing was written · ${clock(at)}`;
  $("verdict").replaceChildren(el("b", { class: "word" }, word), el("span", { class: "note" }, aside));
  const shown = diagnostics.map(diagnostic);
  if (problem) shown.unshift(el("li", { class: "error" }, el("p", {}, legible(problem.message)), problem.hint ? el("p", { class: "hint" }, problem.hint) : null));
  if (more) shown.push(el("li", {}, `${number(more)} more: promptforge check`));
  $("diagnostics").replaceChildren(...shown);
  document.title = `${ok ? "ok" : "✗"} · ${state.changes?.name || "promptforge"}`;
};

// --- agents --------------------------------------------------------------------------------------------------------

const busy = () => state.changes?.of !== state.build?.number;
const agentRow = (agent) => {
  const share = agent.budget ? agent.tokens / agent.budget : 0;
  const touched = state.changes?.dots?.includes(agent.name), edit = busy() ? null : state.changes?.[state.since]?.agents[agent.name];
  const bar = el("i", { class: share > 1 ? "over" : share > 0.9 ? "near" : "" });
  bar.style.width = `${Math.min(100, 100 * share)}%`;
  const delta = edit && (edit.broken ? "broken" : edit.tokens.delta === null ? edit.change : edit.tokens.delta > 0 ? `+${number(edit.tokens.delta)}` : edit.tokens.delta < 0 ? `−${number(-edit.tokens.delta)}` : "±0");
  return el("li", {}, el("button", { type: "button", class: "agent", "aria-current": agent.name === state.agent ? "true" : null, "data-agent": agent.name, onclick: () => choose(agent.name) },
    el("span", { class: "dot", title: touched ? "changed since the last commit" : null }, touched ? "●" : "", touched ? el("span", { class: "unseen" }, "changed since the last commit") : null),
    el("span", { class: "who" }, legible(agent.name)),
    el("span", { class: "delta" }, delta || ""),
    el("span", { class: "count" }, `${agent.exact ? "" : "~"}${number(agent.tokens)} / ${number(agent.budget)}`),
    el("span", { class: "meter" }, bar),
    el("span", { class: "model" }, [agent.model && `${agent.model} (${agent.tier})`, agent.cut && `${agent.cut} cut`, agent.withheld && `${agent.withheld} withheld`].filter(Boolean).join(" · "))));
};
const showAgents = () => {
  const { agents } = state.build;
  if (!agents.some((one) => one.name === state.agent)) state.agent = agents[0]?.name || "";
  $("filter").hidden = agents.length < 13;
  const wanted = $("filter").value.toLowerCase();
  const focused = document.activeElement?.dataset?.agent;
  const found = agents.filter((one) => one.name.toLowerCase().includes(wanted));
  const rest = found.length - MOST_AGENTS;
  $("council").replaceChildren(...found.slice(0, MOST_AGENTS).map(agentRow), ...(rest > 0 ? [el("li", { class: "note" }, `and ${number(rest)} more: filter by name`)] : []));
  if (focused) $("council").querySelector(`[data-agent="${CSS.escape(focused)}"]`)?.focus();
  const { changes } = state;
  $("dots").replaceChildren(...(!changes ? [] : changes.problem ? [changes.problem]
    : changes.commit ? [el("span", { class: "dot" }, "●"), " changed since the last commit"] : [`no dots: ${changes.no_commit}`]));
};
const choose = (name) => {
  state.agent = name;
  keep("agent", name);
  showAgents();
  showEditTitle();
  showModels();
  fetchPrompt();
};
const keep = (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* not kept */ } };
const kept = (key) => { try { return sessionStorage.getItem(key) || ""; } catch { return ""; } };

// --- the prompt ----------------------------------------------------------------------------------------------------

const fetchPrompt = async () => {
  const turn = ++state.fetched;
  if (!state.agent) return showPrompt(null);
  try {
    const reply = await fetch(`prompt?${new URLSearchParams({ agent: state.agent, since: state.since })}`);
    const found = reply.ok ? await reply.json() : null;
    if (turn === state.fetched) showPrompt(found);
  } catch { /* the stream says that it has stopped */ }
};
const lineRow = ([count, text, file, line, facts, changed], before) => {
  const gone = count === 0;
  const same = before && before[2] === file;
  const row = el("div", { class: `line${changed ? (gone ? " gone" : " changed") : ""}`, role: "option", "aria-selected": "false" },
    el("span", { class: "n", "aria-hidden": "true" }, gone ? "−" : String(count)),
    el("span", { class: "text" }, changed ? el("span", { class: "unseen" }, gone ? "removed: " : "changed: ") : null, legible(text) || "\u200b"),
    file ? el("span", { class: "source", title: [`${file}:${line}`, ...facts].join("\n") },
      el("span", { class: same ? "same" : "" }, file), el("b", {}, `:${line}`)) : el("span"));
  row.place = file ? [file, line] : null;
  return row;
};
let current = null;
const showPrompt = (found) => {
  const before = state.prompt, stays = before?.agent === found?.agent ? $("lines").scrollTop : 0;
  state.prompt = found;
  const rows = [];
  for (const { role, lines } of found?.messages || []) {
    if (found.messages.length > 1) rows.push(el("div", { class: "role", role: "presentation" }, role));
    let last = null;
    for (const line of lines) {
      if (line[2] && line[2] !== last?.[2]) rows.push(el("div", { class: "from", "aria-hidden": "true" }, line[2]));
      rows.push(lineRow(line, last));
      if (line[0]) last = line;
    }
  }
  if (!found) rows.push(el("p", { class: "note" }, "no prompt yet: mend what is wrong above"));
  $("lines").replaceChildren(...rows);
  select(null);
  $("prompt-title").textContent = found ? `Prompt of ${legible(found.agent)}` : "Prompt";
  $("lines").scrollTop = stays;
  const marks = runs();
  $("changed").textContent = found?.new ? "all new" : plural(marks.length, "change");
  $("previous").disabled = $("next").disabled = !marks.length;
  if (marks.length && marks.length < 60 && !found.new) reveal(marks[0]);
  showStale();
  showLeftOut();
  document.body.dataset.shown = String(state.fetched);
};
const showStale = () => {
  const { ok, good } = state.build || {};
  $("prompt").classList.toggle("stale", !ok && good !== null);
  $("asof").textContent = !ok && good ? `as of ${clock(good)}` : "";
};
// One row for each run of marked lines: the first that is in the prompt, or else one that is gone.
const runs = () => {
  const found = [];
  let inside = false;
  for (const row of $("lines").querySelectorAll(".line")) {
    const marked = row.matches(".changed, .gone");
    if (marked && !inside) found.push(row);
    else if (marked && found.at(-1).matches(".gone") && row.matches(".changed")) found[found.length - 1] = row;
    inside = marked;
  }
  return found;
};
const reveal = (row) => {
  const box = $("lines"), top = row.offsetTop; // the box is what it is counted from
  if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 60) box.scrollTop = Math.max(0, top - box.clientHeight / 3);
};
const select = (row) => {
  current?.setAttribute("aria-selected", "false");
  current?.removeAttribute("id");
  current = row;
  if (!row) return $("lines").removeAttribute("aria-activedescendant");
  row.setAttribute("aria-selected", "true");
  row.id = "current";
  $("lines").setAttribute("aria-activedescendant", "current");
  reveal(row);
};
const step = (direction) => {
  const marks = runs();
  if (!marks.length) return;
  const rows = [...$("lines").children], at = current?.isConnected ? rows.indexOf(current) : direction > 0 ? -1 : rows.length;
  const places = marks.map((row) => rows.indexOf(row));
  const to = direction > 0 ? places.find((one) => one > at) ?? places[0] : places.findLast((one) => one < at) ?? places.at(-1);
  select(rows[to]);
};
$("lines").addEventListener("keydown", (event) => {
  if (event.target !== $("lines") || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...$("lines").querySelectorAll(".line")];
  const at = current?.isConnected ? rows.indexOf(current) : -1;
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 15, PageUp: at - 15, Home: 0, End: rows.length - 1 };
  if (event.key in moves) select(rows[Math.max(0, Math.min(rows.length - 1, moves[event.key]))]);
  else if (event.key === "Enter" && current?.place) openAt(...current.place);
  else if (event.key === "n" || event.key === "p") step(event.key === "n" ? 1 : -1);
  else return;
  event.preventDefault();
});
$("lines").addEventListener("click", (event) => {
  const row = event.target.closest(".line");
  if (!row) return;
  select(row);
  if (row.place && event.target.closest(".source")) openAt(...row.place);
});
$("next").addEventListener("click", () => step(1));
$("previous").addEventListener("click", () => step(-1));

// --- this edit -----------------------------------------------------------------------------------------------------

const listed = (title, items, tone = "") => items.length
  ? el("div", { class: `group ${tone}` }, el("h3", {}, title, el("small", {}, ` ${number(items.length)}`)), el("ul", {}, items.slice(0, MOST)),
    items.length > MOST ? el("details", {}, el("summary", {}, `and ${number(items.length - MOST)} more`), el("ul", {}, items.slice(MOST, 2000))) : null)
  : null;
const value = (text) => (text === null ? el("i", {}, "unset") : el("code", {}, legible(text.length > 80 ? text.slice(0, 79) + "…" : text)));
const factItem = (fact) => {
  const name = fact.change === "moved" ? `${fact.table}: the order of its facts` : fact.old_key ? `${fact.table} ${fact.old_key} → ${fact.key}` : `${fact.table} ${fact.key}`;
  const columns = Object.entries(fact.columns).filter(([column, { before, after }]) => (before ?? after) !== null && !(column === "sensitivity" && (before ?? after) === "internal" && (before === null || after === null)));
  const one = ([column, { before, after }]) => fact.change === "added" ? [`${column} `, value(after)] : fact.change === "removed" ? [`${column} `, value(before)] : [`${column} `, value(before), " → ", value(after)];
  return el("li", {}, el("b", { class: `sign ${fact.change}` }, { added: "+", removed: "−" }[fact.change] || "~", el("span", { class: "unseen" }, fact.change)), " ", el("span", {}, legible(name)),
    columns.length ? [": ", columns.flatMap((column, n) => [n ? ", " : "", one(column)].flat())] : "", " ", place(fact.file, fact.line));
};
const agentItem = ([name, one]) => {
  const { before, after, delta } = one.tokens;
  const tokens = one.broken ? "broken" : delta === null ? one.change : !delta ? `${number(after)} (±0)` : `${number(before)} → ${number(after)} (${delta > 0 ? "+" : delta < 0 ? "−" : "±"}${number(Math.abs(delta))})`;
  const why = one.because.slice(0, 3).join(", ") + (one.because.length > 3 ? ", …" : "");
  return el("li", { class: one.broken || one.over_budget ? "wrong" : "" }, el("button", { type: "button", class: "place", onclick: () => choose(name) }, legible(name)), ` ${tokens}`,
    one.over_budget ? el("b", {}, ` over its budget of ${number(one.budget)}`) : "", one.cut.length ? ` · the budget now cuts ${one.cut.slice(0, 3).join(", ")}` : "", why ? el("span", { class: "note" }, ` ${legible(why)}`) : "");
};
const plainItem = (name, one, what) => el("li", {}, el("code", {}, legible(name)), ` ${what}`, one.facts?.length ? el("span", { class: "note" }, ` ${one.facts.slice(0, 3).join(", ")}`) : "", " ", place(one.file, one.line));
const TITLES = { save: "This edit", opened: "Since the page was opened", commit: "Since the last commit" };
const showEditTitle = () => { $("edit-title").textContent = TITLES[state.since]; };
const showEdit = () => {
  showEditTitle();
  $("edit").setAttribute("aria-busy", String(busy()));
  const { changes, since } = state;
  const said = (text) => $("differs").replaceChildren(el("p", { class: "note" }, text));
  if (!changes) return said("being worked out …");
  if (changes.problem) return said(changes.problem);
  const edit = changes[since];
  if (!edit) return said(since === "commit" ? changes.no_commit : since === "save" ? "Nothing was saved since the page was opened." : "Not known yet.");
  const parts = [
    listed("facts", edit.facts.map(factItem)),
    listed("settings", edit.settings.map((name) => el("li", {}, legible(name)))),
    listed("agents", Object.entries(edit.agents).map(agentItem)),
    listed("examples", edit.examples.filter((one) => one.id).map((one) => plainItem(one.id, one, one.change))),
    listed("broken references", edit.breaks.map((one) => el("li", {}, place(one.file, one.line, one.column), el("b", {}, ` ${one.code} `), legible(one.message), one.hint ? el("span", { class: "note" }, ` ${legible(one.hint)}`) : "")), "wrong"),
    listed("cases", edit.cases.map((one) => plainItem(`${one.suite}/${one.id}`, one, one.change + (one.what.length ? ` (${one.what.join(" and ")})` : "")))),
  ].filter(Boolean);
  if (edit.unread.length) parts.push(el("p", { class: "note" }, `What that does to examples and cases cannot be told while ${edit.unread.join(", ")} cannot be read.`));
  if (!parts.length) return said("No fact, no prompt and no case differs.");
  $("differs").replaceChildren(...parts);
};

// --- left out ------------------------------------------------------------------------------------------------------

const WHY = { budget: "cut by the budget", clearance: "above its clearance", filtered: "does not match where" };
const showLeftOut = () => {
  const left = state.prompt?.left_out || [];
  const rows = left.map((one) => el("details", {}, el("summary", {}, el("b", {}, number(one.count)), ` of ${legible(one.section)} `, el("span", { class: `why ${one.why}` }, WHY[one.why]),
    one.why === "clearance" || one.why === "budget" ? el("span", { class: "note" }, ` ${legible(one.note)}`) : ""),
    el("ul", {}, one.what.map(([name, file, line]) => el("li", {}, el("code", {}, legible(name)), " ", place(file, line))), one.count > one.what.length ? el("li", {}, `and ${number(one.count - one.what.length)} more`) : null)));
  $("leftout").replaceChildren(...(rows.length ? rows : [el("p", { class: "note" }, state.prompt ? "Nothing is left out." : "")]));
};

// --- ask -----------------------------------------------------------------------------------------------------------

const showModels = () => {
  const asking = state.changes, agent = state.build?.agents.find((one) => one.name === state.agent);
  if (!asking?.models) return;
  const chosen = $("model").value;
  const names = asking.models.map((one) => el("option", { value: one.name }, `${one.name} (${one.tier})`));
  $("model").replaceChildren(el("option", { value: "" }, agent?.model ? `its own: ${agent.model} (${agent.tier})` : "its own"), ...names);
  $("model").value = asking.models.some((one) => one.name === chosen) ? chosen : "";
  const was = Object.fromEntries([...$("runtime").querySelectorAll("input")].map((one) => [one.name, one.value]));
  $("runtime").replaceChildren(...asking.runtime.map((name) => {
    const field = el("input", { name, autocomplete: "off", maxlength: "500" });
    field.value = was[name] || "";
    return el("label", {}, `${name} `, field);
  }));
  showWhere();
};
const tier = () => {
  const chosen = $("model").value, asking = state.changes;
  return chosen ? asking?.models?.find((one) => one.name === chosen)?.tier : state.build?.agents.find((one) => one.name === state.agent)?.tier;
};
const showWhere = () => {
  $("send").textContent = `Ask ${state.agent || ""}`.trim();
  $("where").textContent = tier() === "cloud" ? "Two requests leave this machine: the persona alone, and the whole prompt." : "Nothing is sent before you click.";
};
const finish = (variant, text, tone = "") => { const end = $(`${variant}-end`); end.textContent = text; end.className = `note ${tone}`; };
const take = (piece) => {
  if (piece.text !== undefined) $(piece.variant).append(legible(piece.text));
  else if (piece.error) finish(piece.variant, [piece.error, piece.hint].filter(Boolean).join(" · "), "wrong");
  else finish(piece.variant, piece.done);
};
const read = async (reply) => {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value: text, done } = await reader.read();
    if (done) return;
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    lines.filter(Boolean).forEach((line) => take(JSON.parse(line)));
  }
};
$("question").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (state.asking || !state.agent) return;
  const variables = Object.fromEntries([...$("runtime").querySelectorAll("input")].map((one) => [one.name, one.value]));
  $("answers").hidden = false;
  for (const variant of ["base", "enriched"]) { $(variant).replaceChildren(); finish(variant, "waiting …"); }
  state.asking = new AbortController();
  $("send").disabled = true;
  $("stop").hidden = false;
  try {
    const reply = await post("ask", { agent: state.agent, question: $("text").value, model: $("model").value, variables, together: tier() === "cloud" }, state.asking.signal);
    if (reply.ok) await read(reply);
    else { const said = await reply.json(); for (const variant of ["base", "enriched"]) take({ variant, ...said }); }
  } catch (problem) {
    for (const variant of ["base", "enriched"]) if ($(`${variant}-end`).textContent === "waiting …") finish(variant, problem.name === "AbortError" ? "stopped" : "promptforge does not answer", "wrong");
  }
  state.asking = null;
  $("send").disabled = state.over;
  $("stop").hidden = true;
});
$("stop").addEventListener("click", () => state.asking?.abort());
$("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("question").requestSubmit(); });
$("model").addEventListener("change", showWhere);
$("filter").addEventListener("input", showAgents);
$("since").addEventListener("change", () => { state.since = $("since").value; keep("since", state.since); showAgents(); showEdit(); fetchPrompt(); });

// --- the stream ----------------------------------------------------------------------------------------------------

const stopped = () => {
  state.over = true;
  events.close();
  document.body.classList.add("over");
  $("link").textContent = "promptforge has stopped";
  $("send").disabled = true;
  document.title = "stopped · promptforge";
};
state.agent = kept("agent");
state.since = $("since").value = kept("since") in TITLES ? kept("since") : "save";
const events = new EventSource("events");
let failed = 0;
events.addEventListener("open", () => { failed = 0; $("link").textContent = "live"; document.body.classList.remove("over"); });
events.addEventListener("error", () => { failed += 1; if (failed > 2 || events.readyState === EventSource.CLOSED) stopped(); else $("link").textContent = "connecting …"; });
events.addEventListener("hello", (event) => { state.editor = JSON.parse(event.data).editor; });
events.addEventListener("end", stopped);
events.addEventListener("build", (event) => {
  const before = state.build;
  state.build = JSON.parse(event.data);
  showStatus();
  showAgents();
  showEdit();
  if (!before || before.good !== state.build.good || before.ok !== state.build.ok || !state.prompt) fetchPrompt();
});
events.addEventListener("changes", (event) => {
  state.changes = JSON.parse(event.data);
  $("name").textContent = state.changes.name || "";
  if (state.build) { showStatus(); showAgents(); }
  showEdit();
  showModels();
  if (state.since === "commit") fetchPrompt();
  document.body.dataset.worked = String(Number(document.body.dataset.worked || 0) + 1);
});
