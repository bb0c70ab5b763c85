// The trunks: how each stands, what goes over it, what failed last; holding and releasing.

import { get, post } from "../api.js";
import { h } from "../dom.js";
import { count, percent } from "../format.js";
import { badge, button, facts, pageHead, when } from "../parts/bits.js";
import { ask } from "../parts/dialog.js";
import * as fields from "../parts/fields.js";
import { empty, note } from "../parts/states.js";
import { table } from "../parts/table.js";
import { toast } from "../parts/toast.js";
import { current, steersTrunks } from "../session.js";
import { AVAILABILITY, spoken } from "../words.js";

export function trunks({ refresh }) {
  return {
    title: "Trunks",
    every: 5000, // health is no event
    async load(signal) {
      const list = await get("/v1/trunks", {}, signal);
      const path = (one) => `/v1/trunks/${encodeURIComponent(one.name)}`;
      return Promise.all(list.items.map((one) => get(path(one), {}, signal)));
    },
    render: (found) =>
      h(
        "div",
        { class: "page" },
        pageHead({
          title: "Trunks",
          line: "Trunks are written in the configuration file; here they are watched and held.",
        }),
        found.length
          ? h("div", { class: "trunks" }, found.map((one) => trunk(one, refresh)))
          : h(
              "div",
              { class: "card" },
              empty({
                picture: "trunks",
                title: "No trunk is configured",
                text: "Write one into the configuration file and let the service read it anew. dialer trunk check says whether it works.",
              }),
            ),
      ),
  };
}

function trunk(one, refresh) {
  const [words, tone] = AVAILABILITY[one.availability];
  return h(
    "section",
    { class: "card", "data-key": one.name },
    h(
      "div",
      { class: "card-head" },
      h("h2", null, one.name, " ", one.hold ? badge("Held", "warn") : badge(words, tone)),
      steersTrunks() ? steering(one, refresh) : null,
    ),
    h(
      "div",
      { class: "card-body" },
      one.hold
        ? note("warn", ["Held by ", one.hold.by, " since ", when(one.hold.at), `: ${one.hold.reason}`])
        : null,
      one.warnings.map((warning) => note("warn", warning)),
      one.nodes.filter((node) => node.health.reason).map((node) => note(one.availability === "down" ? "bad" : "warn", `Node ${node.node}: ${node.health.reason}`)),
      facts(overview(one)),
      one.recent_failures.length ? failures(one.recent_failures) : h("p", { class: "muted small" }, "No recent failure of the trunk or the network."),
    ),
  );
}

function overview(one) {
  const defined = one.definition;
  const registered = one.nodes.map((node) => node.health.registered_until).filter(Boolean);
  return [
    ["Calls up", defined ? `${count(one.calls_up)} of ${count(defined.max_calls)}` : count(one.calls_up)],
    ["Last hour", `${count(one.last_hour.calls)} calls, ${percent(one.last_hour.answer_rate)} answered`],
    ["Calls per second", defined ? pace(one) : null],
    ["Registration", registration(defined, registered)],
    ["Address", defined ? `${defined.host}${defined.port ? `:${defined.port}` : ""}${defined.transport ? ` (${defined.transport.toUpperCase()})` : ""}` : null],
    ["Takes numbers", defined?.match.length ? `that begin with ${defined.match.join(", ")}` : "all"],
    ["Nodes", one.nodes.map((node) => node.node).join(", ") || "none"],
  ];
}

function pace(one) {
  const rate = Math.min(1, ...one.nodes.map((node) => node.health.rate));
  const most = `${one.definition.calls_per_second}`;
  return rate < 1 ? `${most}, now ${percent(rate)} of it` : most;
}

function registration(defined, registered) {
  if (!defined?.registers) return "not wanted";
  if (!registered.length) return "not registered";
  return ["until ", when(registered.sort()[0])];
}

function failures(list) {
  return h(
    "details",
    { class: "more" },
    h("summary", null, list.length === 1 ? "The last failure" : `The last ${list.length} failures`),
    table({
      caption: "Last failures",
      columns: [
        { name: "When", head: true, cell: (one) => h("a", { href: `/calls/${one.call_id}`, class: "nowrap" }, when(one.at)) },
        { name: "Outcome", cell: (one) => spoken(one.outcome) },
        { name: "Answer", cell: (one) => (one.code ? `${one.code} ${one.phrase}` : spoken(one.local_cause)) },
      ],
      rows: list,
      key: (one) => one.sip_call_id,
    }),
  );
}

function steering(one, refresh) {
  const path = `/v1/trunks/${encodeURIComponent(one.name)}`;
  if (one.hold) {
    return button("Release", {
      picture: "play",
      small: true,
      label: `Release ${one.name}`,
      onclick: async () => {
        await post(`${path}/release`);
        toast(`${one.name} gets calls again`);
        await refresh();
      },
    });
  }
  return button("Hold", {
    picture: "pause",
    small: true,
    label: `Hold ${one.name}`,
    onclick: async () => {
      await ask({
        title: `Hold ${one.name}?`,
        text: "No node gives it another call. Calls that are up go on.",
        fields: fields.text("reason", "Reason", { hint: "Shown here to everybody.", required: true, maxlength: 500 }),
        confirm: "Hold",
        submit: async (form) => {
          await post(`${path}/hold`, { reason: form.elements.reason.value.trim(), by: current().token });
          toast(`${one.name} is held`);
        },
      });
      await refresh();
    },
  });
}
