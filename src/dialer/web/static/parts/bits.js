// Small pieces that stand on many pages.

import { h } from "../dom.js";
import { dateTime, wholeTime } from "../format.js";
import { CALL_STATUSES, CAMPAIGN_STATUSES, CAMPAIGN_TONES, PHASES } from "../words.js";
import { icon } from "./icons.js";

export function badge(text, tone = "") {
  return h("span", { class: tone ? `badge badge-${tone}` : "badge" }, text);
}

export function campaignStatus(status) {
  return badge(CAMPAIGN_STATUSES[status] ?? status, CAMPAIGN_TONES[status]);
}

/** The status of a call, with its colour and, while it goes on, how far it has come. */
export function callStatus(call) {
  const label = call.phase ? PHASES[call.phase] : (CALL_STATUSES[call.status] ?? call.status);
  return h("span", { class: "status" }, dot(`var(--c-${call.status})`), label);
}

export const dot = (colour) => h("span", { class: "dot", vars: { "--colour": colour }, "aria-hidden": "true" });

/** A time in local words; the whole of it, with its zone, where one points at it. */
export function when(text, words = dateTime) {
  if (!text) return "–";
  return h("time", { datetime: text, title: wholeTime(text) }, words(text));
}

/** A button: `onclick` may be async; `tone` is primary, danger, plain or none. */
export function button(text, { picture, tone, small, onclick, type = "button", disabled, label } = {}) {
  const classes = ["button", tone && `button-${tone}`, small && "button-small", !text && "button-icon"];
  return h(
    "button",
    { class: classes.filter(Boolean).join(" "), type, onclick, disabled, "aria-label": label },
    picture ? icon(picture) : null,
    text,
  );
}

export function link(text, href, { picture, tone, download } = {}) {
  return h(
    "a",
    { class: tone ? `button button-${tone}` : "button", href, download },
    picture ? icon(picture) : null,
    text,
  );
}

/** The head of a page: crumb, title with what belongs beside it, a line below, and what can be done. */
export function pageHead({ title, crumb, beside = [], line, actions = [] }) {
  return h(
    "header",
    { class: "page-head" },
    h(
      "div",
      { class: "page-title" },
      crumb ? h("nav", { class: "crumb", "aria-label": "Back" }, h("a", { href: crumb[1] }, crumb[0])) : null,
      h("div", { class: "line" }, h("h1", { tabindex: "-1" }, title), beside),
      line ? h("p", { class: "muted" }, line) : null,
    ),
    h("div", { class: "buttons" }, actions),
  );
}

/** A titled part of a page; without `body` padding where `flush`. */
export function card(title, content, { beside = null, flush = false } = {}) {
  return h(
    "section",
    { class: "card" },
    h("div", { class: "card-head" }, h("h2", null, title), beside),
    h("div", { class: flush ? "card-flush" : "card-body" }, content),
  );
}

/** Names and values; those without a value are left out. */
export function facts(pairs) {
  const given = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "facts" },
    given.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );
}

/** Large numbers side by side. */
export function figures(pairs) {
  return h(
    "dl",
    { class: "figures" },
    pairs.map(([name, value, small]) =>
      h("div", null, h("dt", null, name), h("dd", null, value, small ? h("small", null, ` ${small}`) : null)),
    ),
  );
}
