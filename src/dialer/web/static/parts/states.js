// What a page shows while it has nothing, waits, or went wrong.

import { h } from "../dom.js";
import { icon } from "./icons.js";

/** An empty place: what would be here, and how it gets here. */
export function empty({ picture = "list", title, text, actions = [] }) {
  return h(
    "div",
    { class: "empty" },
    icon(picture),
    h("h2", null, title),
    text ? h("p", null, text) : null,
    actions.length ? h("div", { class: "buttons" }, actions) : null,
  );
}

/** A failure, told in the API's line, with what to do. */
export function failure(error, retry) {
  const known = error.status !== undefined;
  return h(
    "div",
    { class: "card", role: "alert" },
    h(
      "div",
      { class: "empty" },
      icon("alert"),
      h("h1", { tabindex: "-1" }, error.status === 404 ? "Not found" : "This cannot be shown now"),
      h("p", null, known ? error.message : "The dashboard made a mistake. Reload the page."),
      error.errorId ? h("p", { class: "small" }, `Error ${error.errorId} in the service's log.`) : null,
      h(
        "div",
        { class: "buttons" },
        error.status === 404
          ? h("a", { class: "button", href: "/campaigns" }, "All campaigns")
          : h("button", { class: "button", type: "button", onclick: retry }, "Try again"),
      ),
    ),
  );
}

/** Grey lines in the shape of a page, while the first answer is on its way. */
export function skeleton() {
  const lines = ["90%", "70%", "82%", "60%", "75%"];
  return h(
    "div",
    { class: "page", "aria-hidden": "true" },
    h("div", { class: "skeleton skeleton-head" }),
    h(
      "div",
      { class: "card" },
      h(
        "div",
        { class: "card-body" },
        lines.map((width) => h("div", { class: "skeleton", vars: { width } })),
      ),
    ),
  );
}

/** A coloured line above a page's content: what a person should know now. */
export function note(tone, text, action = null) {
  const picture = tone === "info" ? "info" : "alert";
  return h("div", { class: `note note-${tone}` }, icon(picture), h("div", null, text), action);
}
