// One call: every attempt, every leg, what the network said, and the messages that passed.

import { get } from "../api.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { badge, callStatus, card, facts, link, pageHead, when } from "../parts/bits.js";
import { note } from "../parts/states.js";
import { spoken } from "../words.js";
import { attemptParts } from "./attempts.js";

export function call({ parameters, refresh }) {
  const api = `/v1/calls/${parameters.id}`;
  let title = "Call";
  let campaign = null;
  return {
    title: () => title,
    get campaign() {
      return campaign;
    },
    async load(signal) {
      const [one, traces] = await Promise.all([get(api, {}, signal), get(`${api}/messages`, {}, signal)]);
      title = `Call to ${one.number}`;
      campaign = one.campaign_id;
      return { one, traces };
    },
    render: ({ one, traces }) => page(api, one, traces, refresh),
  };
}

function page(api, one, traces, refresh) {
  const kept = traces.legs.some((leg) => leg.messages.length);
  return h(
    "div",
    { class: "page" },
    pageHead({
      title: one.number,
      crumb: one.campaign_deleted_at
        ? ["Dialogs", "/dialogs"]
        : [one.campaign_name, `/campaigns/${one.campaign_id}`],
      beside: badge([callStatus(one)]),
      line: one.campaign_deleted_at ? `Of the deleted campaign ${one.campaign_name}` : null,
      actions: kept
        ? [link("Capture for Wireshark", `${api}/capture.pcap`, { picture: "download", download: "" })]
        : [],
    }),
    notes(one),
    card("Call", summary(one)),
    one.attempts.length
      ? card(
          one.attempts.length === 1 ? "One attempt" : plural(one.attempts.length, "attempt"),
          [...one.attempts].reverse().map((attempt) => attemptParts(attempt, traces, refresh)),
        )
      : card("Attempts", h("p", { class: "muted" }, "No attempt was made yet.")),
  );
}

function notes(one) {
  if (one.problem) return note("bad", `This number cannot be dialled: ${one.problem}.`);
  if (one.waits_because) {
    const at = one.next_attempt_at ? ["The next attempt is made ", when(one.next_attempt_at), ": "] : [];
    return note("info", [...at, `${one.waits_because}.`]);
  }
  return null;
}

function summary(one) {
  return [
    facts([
      ["Last outcome", one.last_outcome ? spoken(one.last_outcome) : null],
      ["Rule that decided", one.last_rule ? h("code", null, one.last_rule) : null],
      ["Attempts", `${one.attempts_made} made, ${one.attempts_counted} counted`],
      ["Next attempt", one.next_attempt_at ? when(one.next_attempt_at) : null],
      ["Further numbers", one.alternates.join(", ")],
      ["Priority", one.priority ? String(one.priority) : null],
      ["Added", when(one.created_at)],
      ["Last change", when(one.updated_at)],
    ]),
    Object.keys(one.payload).length ? facts(Object.entries(one.payload)) : null,
  ];
}
