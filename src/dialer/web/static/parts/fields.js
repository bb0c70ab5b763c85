// Labelled fields of forms.

import { h } from "../dom.js";

let counter = 0;

/** A labelled input; `hint` says what may stand there. */
export function text(name, label, { value = "", hint, type = "text", wide, ...more } = {}) {
  const id = `field-${++counter}`;
  return h(
    "div",
    { class: wide ? "field field-wide" : "field" },
    h("label", { for: id }, label),
    h("input", { id, name, type, class: "input", value, autocomplete: "off", ...hinted(id, hint), ...more }),
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
  );
}

export function area(name, label, { value = "", hint, wide = true, ...more } = {}) {
  const id = `field-${++counter}`;
  return h(
    "div",
    { class: wide ? "field field-wide" : "field" },
    h("label", { for: id }, label),
    h("textarea", { id, name, class: "input", value, ...hinted(id, hint), ...more }),
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
  );
}

export function select(name, label, options, { value, hint, ...more } = {}) {
  const id = `field-${++counter}`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    h(
      "select",
      { id, name, class: "input", value, ...hinted(id, hint), ...more },
      options.map(([slug, words]) => h("option", { value: slug }, words)),
    ),
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
  );
}

export function check(name, label, { checked = false, hint, value = "on", type = "checkbox", ...more } = {}) {
  return h(
    "label",
    { class: "check" },
    h("input", { type, name, value, checked, ...more }),
    h("span", null, label, hint ? h("span", { class: "hint" }, hint) : null),
  );
}

/** Several choices as pills, in a group with a name. */
export function chips(name, legend, options, chosen, { onchange, hideLegend = false, classes = "" } = {}) {
  return h(
    "fieldset",
    { class: "field" },
    h("legend", { class: hideLegend ? "hidden" : "label" }, legend),
    h(
      "div",
      { class: `chips ${classes}` },
      options.map(([slug, words, before]) =>
        h(
          "label",
          { class: "chip" },
          h("input", { type: "checkbox", name, value: slug, checked: chosen.includes(slug), onchange, "data-bound": true }),
          before,
          words,
        ),
      ),
    ),
  );
}

function hinted(id, hint) {
  return hint ? { "aria-describedby": `${id}-hint` } : {};
}

/** Return the values of all checked boxes with a name. */
export function checked(form, name) {
  return [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);
}

/** Return the lines and comma-separated parts of a text, without blanks. */
export function parts(value) {
  return value
    .split(/[\n,;]+/)
    .map((part) => part.trim())
    .filter(Boolean);
}
