// A menu: what is asked, how keys are taken, and what is done upon them; menus stand in menus.

import { h } from "../../dom.js";
import { group, line, number, toggle } from "../../parts/editors.js";
import { foldList } from "../../parts/folds.js";
import { prompt } from "../../parts/prompt.js";
import { branchEditor } from "./branch.js";

const MOST_DEPTH = 5;
const NEW = { prompt: {}, branches: { 1: {} }, otherwise: {} };

/** An editor of a menu and of all below it; `picker` makes a choice among targets of transfers. */
export function menuEditor(given, picker, depth = 1) {
  const before = { ...NEW, ...given };
  const fresh = !given.branches;
  const below = { picker, menu: depth < MOST_DEPTH ? (one) => menuEditor(one, picker, depth + 1) : null };
  const editors = {
    name: line("Name of the menu", before.name, {
      required: true,
      maxlength: 100,
      hint: "Its result stands in the report under this name.",
    }),
    prompt: prompt("What is asked", before.prompt),
    digits: number("Most keys", before.digits, 1, { min: 1, max: 32, step: 1, hint: "With more than one, # ends them sooner." }),
    first_key_seconds: number("Seconds to the first key", before.first_key_seconds, 5, { min: 0.5, max: 60 }),
    between_keys_seconds: number("Seconds between keys", before.between_keys_seconds, 3, { min: 0.5, max: 30 }),
    retries: number("How often to ask again", before.retries, 2, {
      min: 0,
      max: 10,
      step: 1,
      hint: "After no key in time, or one that nothing stands for.",
    }),
    retry_prompt: prompt("Heard when asked again", before.retry_prompt, { nothing: "The same as at first" }),
    barge_in: toggle("A key stops the prompt", before.barge_in ?? true, { hint: "Else keys count once it is over." }),
    branches: branchList(before.branches, fresh, below),
    otherwise: branchEditor(null, before.otherwise, below),
  };
  const all = group(editors, given, layout(editors, depth));
  return {
    ...all,
    names: () => [editors.name, ...editors.branches.names(), ...editors.otherwise.names()],
    // what the API says of a menu as a whole is that keys are longer than its digits
    place: (path) => (path.length ? all.place(path) : editors.digits.control),
  };
}

function layout(editors, depth) {
  return h(
    "div",
    { class: "stack", role: "group", "aria-label": depth === 1 ? "Menu" : `Menu, level ${depth}` },
    h("div", { class: "fields" }, editors.name.element),
    editors.prompt.element,
    h(
      "details",
      { class: "more" },
      h("summary", null, "How keys are taken"),
      h(
        "div",
        { class: "stack" },
        h(
          "div",
          { class: "fields" },
          ["digits", "first_key_seconds", "between_keys_seconds", "retries"].map((key) => editors[key].element),
        ),
        editors.barge_in.element,
        editors.retry_prompt.element,
      ),
    ),
    editors.branches.element,
    editors.otherwise.element,
  );
}

/** The keys of a menu, each with what is done upon it. */
function branchList(before, open, below) {
  const list = foldList(before, {
    legend: "What the keys do",
    hint: "0 to 9, * and #. X is any digit, Z one of 1 to 9, N one of 2 to 9; a dot at the end is one key or more.",
    add: "Add a key",
    open,
    twice: "These keys stand twice in this menu.",
    make: (keys, branch, more) => branchEditor(keys, branch, { ...below, ...more }),
  });
  return { ...list, names: () => list.rows().flatMap((one) => one.names()) };
}
