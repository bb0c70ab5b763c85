// The calls of all campaigns, of deleted ones too.

import { get } from "../api.js";
import { h } from "../dom.js";
import { link, pageHead } from "../parts/bits.js";
import { empty } from "../parts/states.js";
import { callFilters, callQuery, callTable } from "./call_rows.js";

const PATH = "/dialogs";

export function dialogs({ query }) {
  const asked = callQuery(query);
  const filtered = asked.status.length || asked.number || asked.cursor;
  return {
    title: "Dialogs",
    load: (signal) => get("/v1/dialogs", { ...asked, limit: 50 }, signal),
    render: (page) =>
      h(
        "div",
        { class: "page" },
        pageHead({
          title: "Dialogs",
          line: "The calls of all campaigns, the last added first. Those of deleted campaigns stay here.",
          actions: [
            link("CSV", "/v1/dialogs/report.csv", { picture: "download", download: "" }),
            link("XLSX", "/v1/dialogs/report.xlsx", { picture: "download", download: "" }),
          ],
        }),
        callFilters(PATH, asked),
        h(
          "div",
          { class: "card" },
          page.items.length
            ? callTable(PATH, asked, page, { caption: "Calls of all campaigns", withCampaign: true })
            : filtered
              ? empty({
                  title: "No call fits",
                  text: "A number must stand here exactly as calls show it, with + and country code.",
                  actions: [link("Show all", PATH)],
                })
              : empty({
                  picture: "dialogs",
                  title: "No calls yet",
                  text: "Every number of every campaign has its record here, from the moment it is added.",
                }),
        ),
      ),
  };
}
