// All campaigns, newest first.

import { get, url } from "../api.js";
import { h } from "../dom.js";
import { campaignStatus, link, pageHead, when } from "../parts/bits.js";
import { progress } from "../parts/bars.js";
import { checked, chips } from "../parts/fields.js";
import { empty } from "../parts/states.js";
import { pager, table } from "../parts/table.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { CAMPAIGN_STATUSES, PAUSE_REASONS } from "../words.js";

const COLUMNS = [
  {
    name: "Campaign",
    head: true,
    cell: (one) => [
      h("a", { href: `/campaigns/${one.id}` }, one.name),
      h("span", { class: "sub" }, `${one.trunks.join(", ")}`),
    ],
  },
  {
    name: "Status",
    cell: (one) =>
      h(
        "div",
        null,
        campaignStatus(one.status),
        one.pause_reason ? h("span", { class: "sub" }, PAUSE_REASONS[one.pause_reason]) : null,
      ),
  },
  { name: "Progress", cell: (one) => progress(one.counts) },
  {
    name: "Answered",
    number: true,
    cell: (one) => String(one.counts.find((count) => count.status === "answered").calls),
  },
  { name: "Created", cell: (one) => h("span", { class: "nowrap" }, when(one.created_at)) },
];

export function campaigns({ query }) {
  const statuses = query.getAll("status");
  const cursor = query.get("cursor");

  function filter(event) {
    go(url("/campaigns", { status: checked(event.currentTarget.closest("fieldset"), "status") }));
  }

  const make = may("operator")
    ? [link("New campaign", "/campaigns/new", { picture: "plus", tone: "primary" })]
    : [];

  function nothing() {
    if (statuses.length || cursor) {
      return empty({
        title: "No campaign has this status",
        text: "Choose another status, or none to see all.",
        actions: [link("Show all", "/campaigns")],
      });
    }
    return empty({
      picture: "phone",
      title: "No campaigns yet",
      text: "A campaign calls a list of numbers over your trunks and says for each what came of it.",
      actions: make.length ? [link("New campaign", "/campaigns/new", { picture: "plus", tone: "primary" })] : [],
    });
  }

  return {
    title: "Campaigns",
    load: (signal) => get("/v1/campaigns", { status: statuses, cursor, counts: true, limit: 25 }, signal),
    render: (page) =>
      h(
        "div",
        { class: "page" },
        pageHead({ title: "Campaigns", actions: make }),
        chips("status", "Status", Object.entries(CAMPAIGN_STATUSES), statuses, {
          onchange: filter,
          hideLegend: true,
        }),
        h(
          "div",
          { class: "card" },
          page.items.length
            ? table({
                caption: "Campaigns, newest first",
                columns: COLUMNS,
                rows: page.items,
                key: (one) => one.id,
              })
            : nothing(),
          pager("/campaigns", { status: statuses }, cursor, page.next_cursor),
        ),
      ),
  };
}
