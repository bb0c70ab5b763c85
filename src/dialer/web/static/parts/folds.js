// Rows of a form that fold to a line, each under a name of its own.

import { h } from "../dom.js";
import { button } from "./bits.js";
import { Mistake } from "./editors.js";

/** A row that folds to a line.
 *
 * `title` and `words` return what it says then; `taking` what the button names that takes it out.
 * `told` brings the line in line with what stands in the row.
 */
export function fold({ kind, title, words, body, taking, remove, open = false }) {
  const name = h("strong", null);
  const said = h("span", { class: "muted" });
  const removing = remove ? button("Take out", { picture: "trash", tone: "danger", small: true, onclick: remove }) : null;
  function told() {
    name.textContent = title();
    try {
      said.textContent = words();
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      said.textContent = "Something in it does not fit.";
    }
    removing?.setAttribute("aria-label", `Take ${taking()} out`);
  }
  const element = h(
    "details",
    { class: `fold ${kind}`, open, oninput: told, onchange: told },
    h("summary", null, name, said),
    h("div", { class: "fold-body" }, body, removing ? h("div", { class: "buttons" }, removing) : null),
  );
  told();
  return { element, told };
}

/** An editor of an object as rows that fold.
 *
 * `make(key, value, {open, remove})` makes a row: an editor that has besides the leaf `name`, and
 * `key()`. `twice` is what is said where two rows have one key.
 */
export function foldList(before, { legend, hint, add, open = false, twice, make }) {
  const rows = new Set();
  const list = h("div", { class: "folds" });
  const changed = () => list.dispatchEvent(new Event("change", { bubbles: true }));
  const adding = button(add, {
    picture: "plus",
    small: true,
    onclick: () => {
      const added = append("", {}, true);
      changed();
      added.name.control.focus();
    },
  });

  function append(key, value, opened) {
    const row = make(key, value, { open: opened, remove: () => remove(row) });
    rows.add(row);
    list.append(row.element);
    return row;
  }

  function remove(row) {
    rows.delete(row);
    row.element.remove();
    adding.focus();
    changed();
  }

  for (const [key, value] of Object.entries(before)) append(key, value, open);
  return {
    element: h(
      "fieldset",
      { class: "field" },
      h("legend", { class: "label" }, legend),
      hint ? h("p", { class: "hint" }, hint) : null,
      list,
      h("div", { class: "buttons" }, adding),
    ),
    rows: () => [...rows],
    read() {
      const found = {};
      for (const row of rows) {
        const key = row.key();
        if (Object.hasOwn(found, key)) throw new Mistake(row.name.control, twice);
        found[key] = row.read();
      }
      return found;
    },
    place([key, ...rest]) {
      const row = [...rows].find((one) => one.key() === key);
      return row ? row.place(rest) : adding;
    },
  };
}
