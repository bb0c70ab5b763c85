// Progress and shares as bars; the numbers always stand beside them.

import { h } from "../dom.js";
import { count, percent, plural } from "../format.js";
import { CALL_STATUSES, UNFINISHED_CALLS } from "../words.js";
import { dot } from "./bits.js";

const ORDER = [
  "answered",
  "completed_without_answer",
  "technical_error",
  "plan_limit_exceeded",
  "not_dialed",
  "in_progress",
  "retry_scheduled",
  "planned",
];

export const total = (counts) => counts.reduce((sum, one) => sum + one.calls, 0);

export function done(counts) {
  return total(counts.filter((one) => !UNFINISHED_CALLS.includes(one.status)));
}

function segments(counts, all) {
  const byStatus = Object.fromEntries(counts.map((one) => [one.status, one.calls]));
  return ORDER.filter((status) => byStatus[status]).map((status) =>
    h("span", {
      vars: { "--colour": `var(--c-${status})`, flex: `${byStatus[status]} 0 ${all ? "2px" : "0"}` },
    }),
  );
}

/** How far a campaign has come: a bar by status, and done of all in words. */
export function progress(counts) {
  const all = total(counts);
  if (!all) return h("span", { class: "muted" }, "No numbers yet");
  const over = done(counts);
  return h(
    "div",
    { class: "meter" },
    h("div", { class: "bar", "aria-hidden": "true" }, segments(counts, all)),
    h(
      "span",
      { class: "meter-text" },
      `${count(over)} / ${count(all)}`,
      h("span", { class: "hidden" }, ` calls are over, ${percent(over / all)}`),
    ),
  );
}

/** All statuses of a campaign's calls: one bar, and a legend with the numbers. */
export function statusBar(counts, hrefOf) {
  const all = total(counts);
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "bar bar-large", role: "img", "aria-label": spokenCounts(counts) },
      segments(counts, all),
    ),
    h(
      "ul",
      { class: "legend" },
      ORDER.map((status) => counts.find((one) => one.status === status)).map((one) =>
        h(
          "li",
          { "data-none": one.calls === 0 },
          dot(`var(--c-${one.status})`),
          one.calls ? h("a", { href: hrefOf(one.status) }, CALL_STATUSES[one.status]) : CALL_STATUSES[one.status],
          h("span", { class: "count" }, count(one.calls)),
          h("span", { class: "share" }, all ? percent(one.calls / all) : "–"),
        ),
      ),
    ),
  );
}

function spokenCounts(counts) {
  const some = counts.filter((one) => one.calls);
  return some.map((one) => `${CALL_STATUSES[one.status]}: ${plural(one.calls, "call")}`).join(", ") || "no calls";
}

/** Named counts, the largest first, each with a bar; the bars of `most` are the longest. */
export function ranking(items, most = Math.max(1, ...items.map((one) => one.count))) {
  return h(
    "ul",
    { class: "rank" },
    items.map((one) =>
      h(
        "li",
        { "data-key": `rank-${one.name}` },
        h("span", null, one.name),
        h(
          "div",
          { class: "bar", "aria-hidden": "true" },
          h("span", { vars: { "--colour": one.colour, width: `${(100 * one.count) / most}%` } }),
        ),
        h("span", { class: "count" }, count(one.count)),
      ),
    ),
  );
}

/** Used of a limit; without a limit, used alone. */
export function usage(name, used, limit, unit) {
  const share = limit === null ? null : limit === 0 ? 1 : Math.min(1, used / limit);
  const tone = share >= 1 ? "var(--c-technical_error)" : share >= 0.8 ? "var(--c-retry_scheduled)" : "var(--accent)";
  return h(
    "div",
    { class: "stack-tight" },
    h(
      "div",
      { class: "who-row" },
      h("span", null, name),
      h(
        "span",
        { class: "muted" },
        limit === null ? `${count(used)} ${unit}, no limit` : `${count(used)} of ${count(limit)} ${unit}`,
      ),
    ),
    share === null
      ? null
      : h(
          "div",
          { class: "bar", "aria-hidden": "true" },
          h("span", { vars: { "--colour": tone, width: `${100 * share}%` } }),
        ),
  );
}
