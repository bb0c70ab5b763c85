// Names with their values, as rows that can be added and taken out.

import { h } from "../dom.js";
import { button } from "./bits.js";
import { leaf, line, Mistake } from "./editors.js";
import * as fields from "./fields.js";

/** A value that is a text. */
export const textValue = (value) =>
  leaf(fields.text(null, "Value", { value: value ?? "" }), (input) => input.value);

const TYPES = [
  ["string", "Text"],
  ["number", "Number"],
  ["true", "Yes"],
  ["false", "No"],
];

/** A value that is a text, a number, yes or no. */
export function typedValue(value) {
  const type = typeof value === "boolean" ? String(value) : typeof value === "number" ? "number" : "string";
  const given = leaf(fields.text(null, "Value", { value: typeof value === "boolean" ? "" : String(value ?? "") }), (input) => input.value);
  const kind = leaf(fields.select(null, "Kind of value", TYPES, { value: type, onchange: show }), (select) => select.value);
  function show() {
    given.element.hidden = ["true", "false"].includes(kind.read());
  }
  show();
  return {
    element: [kind.element, given.element],
    read() {
      if (given.element.hidden) return kind.read() === "true";
      if (kind.read() === "string") return given.read();
      const text = given.read().trim();
      if (text === "" || !Number.isFinite(Number(text))) throw new Mistake(given.control, "This is no number.");
      return Number(text);
    },
    place: () => (given.element.hidden ? kind.control : given.control),
  };
}

/** An editor of an object; `makeValue` makes the editor of one value. */
export function pairs(legend, before, { makeValue = textValue, add = "Add", hint, nameLabel = "Name" } = {}) {
  const rows = new Map(); // element of a row: its editors
  const list = h("div", { class: "pairs" });
  const adding = button(add, { picture: "plus", small: true, onclick: () => append("", undefined).name.control.focus() });

  function append(name, value) {
    const made = { name: line(nameLabel, name, { maxlength: 100 }), value: makeValue(value) };
    const remove = button("", {
      picture: "trash",
      tone: "plain",
      label: `Take ${name || "this row"} out`,
      onclick: () => {
        rows.delete(element);
        element.remove();
        adding.focus();
        list.dispatchEvent(new Event("change", { bubbles: true }));
      },
    });
    const element = h("div", { class: "pair-row" }, made.name.element, made.value.element, remove);
    made.name.control.addEventListener("input", () =>
      remove.setAttribute("aria-label", `Take ${made.name.read() || "this row"} out`),
    );
    rows.set(element, made);
    list.append(element);
    return made;
  }

  for (const [name, value] of Object.entries(before ?? {})) append(name, value);
  return {
    element: h(
      "fieldset",
      { class: "field field-wide" },
      h("legend", { class: "label" }, legend),
      hint ? h("p", { class: "hint" }, hint) : null,
      list,
      h("div", { class: "buttons" }, adding),
    ),
    read() {
      const found = new Map();
      for (const { name, value } of rows.values()) {
        const key = name.read();
        const read = value.read();
        if (key === "" && read === "") continue;
        if (found.has(key)) throw new Mistake(name.control, "This name stands twice.");
        found.set(key, read);
      }
      return Object.fromEntries(found);
    },
    place([key]) {
      const row = [...rows.values()].find(({ name }) => name.read() === key);
      if (!row) return adding;
      return key === "" ? row.name.control : row.value.place();
    },
  };
}
