// Calls as rows of a table, with their filters, for a campaign's page and for Dialogs.

import { url } from "../api.js";
import { h } from "../dom.js";
import { button, callStatus, dot, when } from "../parts/bits.js";
import { checked, chips } from "../parts/fields.js";
import { pager, table } from "../parts/table.js";
import { go } from "../router.js";
import { CALL_STATUSES, spoken } from "../words.js";

const COLUMNS = [
  {
    name: "Number",
    head: true,
    cell: (call) => h("a", { href: `/calls/${call.id}`, class: "nowrap" }, call.number),
  },
  { name: "Status", cell: callStatus },
  { name: "Last outcome", cell: (call) => spoken(call.last_outcome) },
  { name: "Attempts", number: true, minor: true, cell: (call) => String(call.attempts_made) },
  {
    name: "Next attempt",
    cell: (call) =>
      call.next_attempt_at
        ? [when(call.next_attempt_at), call.waits_because ? h("span", { class: "sub" }, call.waits_because) : null]
        : (call.waits_because ?? "–"),
  },
  { name: "Last change", minor: true, cell: (call) => h("span", { class: "nowrap" }, when(call.updated_at)) },
];

const CAMPAIGN = {
  name: "Campaign",
  cell: (call) => (call.campaign_deleted_at ? [call.campaign_name, h("span", { class: "sub" }, "deleted")] : h("a", { href: `/campaigns/${call.campaign_id}` }, call.campaign_name)),
};

/** Which calls the address asks for. */
export function callQuery(query) {
  return { status: query.getAll("status"), number: query.get("number"), cursor: query.get("cursor") };
}

/** Filters by status and number; they live in the address, so that it can be sent to others. */
export function callFilters(path, asked) {
  const filter = (event) => {
    const form = event.currentTarget.closest("form");
    event.preventDefault?.();
    go(url(path, { status: checked(form, "status"), number: form.elements.number.value.trim() }));
  };
  const options = Object.entries(CALL_STATUSES).map(([slug, words]) => [slug, words, dot(`var(--c-${slug})`)]);
  return h(
    "form",
    { class: "stack", role: "search", onsubmit: filter },
    h(
      "div",
      { class: "search" },
      h("input", {
        class: "input",
        name: "number",
        type: "search",
        value: asked.number ?? "",
        placeholder: "+4930123456",
        "aria-label": "Number, as it is shown",
        "data-bound": true,
      }),
      button("Search", { type: "submit" }),
    ),
    chips("status", "Status", options, asked.status, { onchange: filter, hideLegend: true }),
  );
}

export function callTable(path, asked, page, { caption, withCampaign = false }) {
  const columns = withCampaign ? [COLUMNS[0], CAMPAIGN, ...COLUMNS.slice(1)] : COLUMNS;
  const { cursor, ...kept } = asked;
  return [
    table({ caption, columns, rows: page.items, key: (call) => call.id }),
    pager(path, kept, cursor, page.next_cursor),
  ];
}
