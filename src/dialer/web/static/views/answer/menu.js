// A menu: what is asked, how keys are taken, and what is done upon them; menus stand in menus.

import { h } from "../../dom.js";
import { button } from "../../parts/bits.js";
import { group, line, Mistake, number, toggle } from "../../parts/editors.js";
import { prompt } from "../../parts/prompt.js";
import { branchEditor } from "./branch.js";

const MOST_DEPTH = 5;
const NEW = { prompt: {}, branches: { 1: {} }, otherwise: {} };

/** An editor of a menu and of all below it. */
export function menuEditor(given, depth = 1) {
  const before = { ...NEW, ...given };
  const fresh = !given.branches;
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
    branches: branchList(before.branches, depth, fresh),
    otherwise: branchEditor(null, before.otherwise, { menu: below(depth) }),
  };
  const all = group(editors, given, layout(editors, depth));
  return {
    ...all,
    names: () => [editors.name, ...editors.branches.names(), ...editors.otherwise.names()],
    // what the API says of a menu as a whole is that keys are longer than its digits
    place: (path) => (path.length ? all.place(path) : editors.digits.control),
  };
}

const below = (depth) => (depth < MOST_DEPTH ? (before) => menuEditor(before, depth + 1) : null);

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
function branchList(before, depth, open) {
  const made = new Set();
  const list = h("div", { class: "branches" });
  const adding = button("Add a key", {
    picture: "plus",
    small: true,
    onclick: () => {
      const added = append("", {}, true);
      added.pattern.control.focus();
    },
  });

  function append(keys, branch, opened) {
    const one = branchEditor(keys, branch, { menu: below(depth), open: opened, remove });
    made.add(one);
    list.append(one.element);
    return one;
  }

  function remove(one) {
    made.delete(one);
    one.element.remove();
    adding.focus();
    list.dispatchEvent(new Event("change", { bubbles: true }));
  }

  for (const [keys, branch] of Object.entries(before)) append(keys, branch, open);
  return {
    element: h(
      "fieldset",
      { class: "field" },
      h("legend", { class: "label" }, "What the keys do"),
      h("p", { class: "hint" }, "0 to 9, * and #. X is any digit, Z one of 1 to 9, N one of 2 to 9; a dot at the end is one key or more."),
      list,
      h("div", { class: "buttons" }, adding),
    ),
    read() {
      const found = {};
      for (const one of made) {
        const keys = one.keys();
        if (keys in found) throw new Mistake(one.pattern.control, "These keys stand twice in this menu.");
        found[keys] = one.read();
      }
      return found;
    },
    names: () => [...made].flatMap((one) => one.names()),
    place([keys, ...rest]) {
      const one = [...made].find((branch) => branch.keys() === keys);
      return one ? one.place(rest) : adding;
    },
  };
}
