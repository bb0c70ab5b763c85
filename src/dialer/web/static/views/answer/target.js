// Whom a call may be transferred to.

import { h } from "../../dom.js";
import { choice, group, line, Mistake, number } from "../../parts/editors.js";
import { fold, foldList } from "../../parts/folds.js";
import { prompt } from "../../parts/prompt.js";
import { reached, sentence, WAITING } from "./words.js";

const CALLS = [
  ["bridge", "By a second call of ours"],
  ["refer", "By the far end (REFER)"],
];
const FAILURES = [
  ["continue", "The call goes on here"],
  ["hang_up", "Hang up"],
];

/** An editor of a target; `alone` where it is the only one, and nothing else follows. */
export function targetEditor(before, { trunks = [], alone = false } = {}) {
  const from = choice(
    "Whom to call",
    [
      ["number", "One number for all"],
      ["column", "One for each customer"],
    ],
    before.number_from ? "column" : "number",
    { onchange: show },
  );
  const given = line("Number", before.number, {
    inputmode: "tel",
    required: true,
    maxlength: 40,
    hint: "As +4930123456, or an extension of the PBX.",
  });
  const column = line("Column of the list", before.number_from, {
    required: true,
    maxlength: 100,
    hint: "In which the number stands; where it holds none, the transfer fails.",
  });
  const by = choice("How the call gets there", CALLS, before.by ?? "bridge", { onchange: show });
  const names = [...new Set([...trunks.map((one) => one.name), before.trunk].filter(Boolean))];
  const trunk = choice("Over the trunk", [["", "That of the call"], ...names.map((name) => [name, name])], before.trunk ?? "");
  const editors = {
    number: only("number", given, (text) => text.replace(/[\s()-]/g, "")),
    number_from: only("column", column, (text) => text),
    by,
    trunk: { read: () => (by.read() === "bridge" && trunk.read()) || null, place: () => (trunk.element.hidden ? by.control : trunk.control) },
    ring_seconds: number("Seconds until it must be answered", before.ring_seconds, 30, { min: 5, max: 120, step: 1 }),
    waiting: prompt("What is heard meanwhile", before.waiting ?? "ringback", { words: Object.entries(WAITING) }),
    ...(alone ? {} : { on_failure: choice("Where nobody answers", FAILURES, before.on_failure ?? "continue") }),
  };
  function only(kind, one, made) {
    return { read: () => (from.read() === kind ? made(one.read()) : undefined), place: () => (from.read() === kind ? one : from).control };
  }
  function show() {
    given.element.hidden = from.read() !== "number";
    column.element.hidden = from.read() !== "column";
    trunk.element.hidden = by.read() !== "bridge";
  }
  show();
  const rows = [from, given, column, by, trunk, editors.ring_seconds, editors.on_failure].filter(Boolean);
  const element = h(
    "div",
    { class: "stack" },
    h("div", { class: "fields" }, rows.map((one) => one.element)),
    editors.waiting.element,
  );
  const all = group(editors, before, element);
  return { ...all, place: (path) => (path.length ? all.place(path) : null) ?? (from.read() === "number" ? given : column).control };
}

/** An editor of the targets of a bot or menu by their names; `picker` makes a choice among them. */
export function transferList(before, trunks) {
  const watching = new Set();
  const list = foldList(before ?? {}, {
    legend: "Who the call may be transferred to",
    hint: "Nobody else is ever called.",
    add: "Add a target",
    twice: "Another target has this name.",
    make: (name, target, more) => namedTarget(name, target, { trunks, ...more }),
  });
  const changed = () => watching.forEach((refresh) => refresh());
  for (const type of ["input", "change"]) list.element.addEventListener(type, changed);
  return { ...list, picker: (name) => targetPicker(name, list.rows, watching) };
}

function namedTarget(key, before, { trunks, open, remove }) {
  const name = line("Name of the target", key, {
    required: true,
    maxlength: 100,
    hint: "By which the bot or the menu asks for it.",
  });
  const target = targetEditor(before, { trunks });
  const { element } = fold({
    kind: "target",
    title: () => name.read() || "A target without a name",
    words: () => sentence(reached(target.read())),
    body: [h("div", { class: "fields" }, name.element), target.element],
    taking: () => name.read() || "this target",
    remove,
    open,
  });
  return {
    element,
    name,
    key: name.read,
    read: target.read,
    place: (path) => (path.length ? target.place(path) : name.control),
  };
}

/** A choice among targets, which follows them when they get another name; null is none. */
function targetPicker(before, rows, watching) {
  const numbers = new Map(); // each row's value in the list of choices
  const gone = "gone";
  const picker = choice("Transfer the call", [["", "No"]], "", {
    hint: "To one of those named at the end of the menu. Where that fails, the next choice holds.",
  });
  let missing = before && !rows().some((row) => row.key() === before) ? before : null;
  let chosen = rows().find((row) => row.key() === before) ?? null; // a row
  let named = chosen?.key();

  const value = (row) => numbers.get(row) ?? numbers.set(row, `target-${numbers.size}`).get(row);

  function refresh() {
    if (chosen && !rows().includes(chosen)) [missing, chosen] = [named, null];
    named = chosen?.key();
    const options = [
      ["", "No"],
      ...rows().map((row) => [value(row), `To ${row.key() || "a target without a name"}`]),
      ...(missing ? [[gone, `To ${missing}, which is not there`]] : []),
    ];
    const before = picker.control.selectedOptions[0]?.textContent;
    picker.control.replaceChildren(...options.map(([slug, words]) => h("option", { value: slug }, words)));
    picker.control.value = chosen ? value(chosen) : missing ? gone : "";
    const shown = picker.control.selectedOptions[0].textContent;
    if (before !== shown) picker.control.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function choose() {
    const slug = picker.control.value;
    chosen = rows().find((row) => value(row) === slug) ?? null;
    named = chosen?.key();
    if (slug !== gone) missing = null;
  }

  for (const type of ["input", "change"]) picker.control.addEventListener(type, choose);
  refresh();
  watching.add(refresh);
  return {
    ...picker,
    read() {
      if (missing) throw new Mistake(picker.control, `There is no target named ${missing} any more.`);
      return chosen ? chosen.key() : null;
    },
  };
}
