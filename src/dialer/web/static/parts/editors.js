// Editors: parts of a form that know their value, and where in it a fault belongs.
//
// An editor is {element, read(), place(path)}. `read` returns the value as the API wants it,
// undefined where nothing is to be sent. `place` returns the control that a JSON pointer's parts
// lead to, the nearest that there is. What stands in a value and has no editor is kept.

import { h } from "../dom.js";
import * as fields from "./fields.js";

/** A fault that is found before anything is sent; it is shown at its control. */
export class Mistake extends Error {
  constructor(control, sentence) {
    super(sentence);
    this.control = control;
  }
}

/** An editor of one control. */
export function leaf(element, read) {
  const control = element.querySelector("input, select, textarea");
  return { element, control, read: () => read(control), place: () => control };
}

export const line = (label, value, more) =>
  leaf(fields.text(null, label, { value: value ?? "", ...more }), (input) => input.value.trim());

/** A line that may be left empty: null then. */
export const optionalLine = (label, value, more) =>
  leaf(fields.text(null, label, { value: value ?? "", ...more }), (input) => input.value.trim() || null);

/** A number; an empty field leaves it to the API's default, which stands there in grey. */
export function number(label, value, normal, more) {
  return numeric(label, value ?? normal, { placeholder: String(normal), ...more }, undefined);
}

/** A number that may be left out: null then. */
export const optionalNumber = (label, value, more) => numeric(label, value ?? "", more, null);

function numeric(label, value, more, nothing) {
  const element = fields.text(null, label, { type: "number", step: "any", inputmode: "decimal", value, ...more });
  return leaf(element, (input) => {
    if (input.value !== "") return Number(input.value);
    if (input.validity.badInput) throw new Mistake(input, "This is no number.");
    return nothing;
  });
}

export const choice = (label, options, value, more) =>
  leaf(fields.select(null, label, options, { value, ...more }), (select) => select.value);

export const toggle = (label, checked, more) =>
  leaf(fields.check(null, label, { checked, ...more }), (box) => box.checked);

/** Several editors by their keys; `before` is the value that they began with. */
export function group(editors, before, element) {
  return {
    element,
    editors,
    read() {
      const kept = Object.entries(before ?? {}).filter(([key]) => !(key in editors) && key !== "kind");
      const read = Object.entries(editors)
        .map(([key, editor]) => [key, editor.read()])
        .filter(([key, value]) => value !== undefined && !(value === null && !(key in (before ?? {}))));
      return Object.fromEntries([...kept, ...read]);
    },
    place: ([key, ...rest]) => editors[key]?.place(rest) ?? null,
  };
}

/** A choice between kinds of things, each with an editor of its own.
 *
 * `kinds`: {kind: {label, make(before)}}. A kind that is not among them is kept as it is, and so
 * are keys that are unknown as long as the kind stays; the form says which.
 */
export function kindEditor(label, kinds, before, { changed = () => {}, asItIs = "As it is" } = {}) {
  const known = before.kind in kinds;
  const made = {};
  const panel = h("div", { class: "stack" });
  const options = Object.entries(kinds).map(([kind, one]) => [kind, one.label]);
  const chosen = choice(label, known ? options : [...options, ["", asItIs]], known ? before.kind : "", {
    onchange: () => show(),
  });
  const editor = () => (made[chosen.read()] ??= kinds[chosen.read()].make(chosen.read() === before.kind ? before : {}));
  let own = null; // the keys that nothing here is for

  function show() {
    const kind = chosen.read();
    own ??= known ? unknownKeys(before, editor().editors).filter((key) => !isEmpty(before[key])) : [];
    panel.replaceChildren(kind ? editor().element : "", keptNote(kind));
    changed(kind);
  }

  function keptNote(kind) {
    if (!own.length || !kind) return "";
    const names = own.join(", ");
    const text = kind === before.kind ? `Also set, and kept as it is: ${names}.` : `Not kept with this choice: ${names}.`;
    return h("p", { class: "muted small" }, text);
  }

  show();
  return {
    element: h("div", { class: "stack" }, h("div", { class: "fields" }, chosen.element), panel),
    kind: chosen.read,
    read: () => (chosen.read() ? { kind: chosen.read(), ...editor().read() } : before),
    place: (path) => (chosen.read() ? editor().place(path) : null) ?? chosen.control,
  };
}

/** Whether a value says nothing that would have to be told: null, or without members. */
export const isEmpty = (value) => value === null || (typeof value === "object" && !Object.keys(value).length);

/** Return the keys of a value that no editor is for. */
export function unknownKeys(value, editors) {
  return Object.keys(value).filter((key) => key !== "kind" && !(key in editors));
}
