// One campaign: where it stands, what came of its calls, and all that can be done.

import { get } from "../api.js";
import { h } from "../dom.js";
import { count, decimal, duration, percent, plural } from "../format.js";
import { done, ranking, statusBar, total } from "../parts/bars.js";
import { button, callStatus, campaignStatus, card, facts, figures, link, pageHead, when } from "../parts/bits.js";
import { hoursChart } from "../parts/columns.js";
import { icon } from "../parts/icons.js";
import { empty, note } from "../parts/states.js";
import { table } from "../parts/table.js";
import { url } from "../api.js";
import { may } from "../session.js";
import { PAUSE_REASONS, spoken } from "../words.js";
import { answerSummary } from "./answer/summary.js";
import * as actions from "./campaign_actions.js";
import { edit } from "./campaign_edit.js";
import { callFilters, callQuery, callTable } from "./call_rows.js";
import { settingsFacts } from "./campaign_form.js";

const SHOWN_OUTCOMES = 8;
const TOTALS_APART = 3000; // milliseconds; they are counted from every attempt
const TOTALS_SHARE = 10; // and take no more than a tenth of the time

export function campaign({ parameters, query, refresh }) {
  const path = `/campaigns/${parameters.id}`;
  const api = `/v1${path}`;
  const asked = callQuery(query);
  let name = "Campaign";
  let totals = null;
  let counted = -Infinity;
  let apart = TOTALS_APART;
  let stale = false; // whether the totals are older than the rest
  let talking = false;

  async function totalsNow(signal) {
    const age = performance.now() - counted;
    stale = totals !== null && age < apart;
    if (stale) return totals;
    const asked = performance.now();
    totals = await get(`${api}/totals`, {}, signal);
    counted = performance.now();
    apart = Math.max(TOTALS_APART, TOTALS_SHARE * (counted - asked));
    return totals;
  }

  return {
    title: () => name,
    campaign: Number(parameters.id),
    get every() {
      return stale || talking ? apart : null;
    },
    async load(signal) {
      const [one, live, calls, imports, figured] = await Promise.all([
        get(api, {}, signal),
        get(`${api}/calls`, { status: "in_progress", limit: 10 }, signal),
        get(`${api}/calls`, { ...asked, limit: 25 }, signal),
        get(`${api}/imports`, { limit: 10 }, signal),
        totalsNow(signal),
      ]);
      name = one.name;
      talking = live.items.length > 0;
      return { one, live, calls, imports, totals: figured };
    },
    render: (data) => page(path, asked, data, refresh),
  };
}

function page(path, asked, { one, live, calls, imports, totals }, refresh) {
  const all = total(one.counts);
  return h(
    "div",
    { class: "page" },
    pageHead({
      title: one.name,
      crumb: ["Campaigns", "/campaigns"],
      beside: campaignStatus(one.status),
      line: times(one),
      actions: may("operator") ? whatCanBeDone(one, refresh) : [],
    }),
    notes(one, all),
    all ? keyFigures(one, totals) : null,
    all ? card("Calls by status", statusBar(one.counts, (status) => `${url(path, { status })}`)) : null,
    totals.by_hour.length ? drawings(totals) : null,
    live.items.length ? card(liveTitle(live), liveTable(live.items), { flush: true }) : null,
    callsCard(path, asked, calls, all, one, refresh),
    all ? card("Reports", reports(one.id)) : null,
    imports.items.length ? card("Lists", importTable(imports.items), { flush: true }) : null,
    card("When somebody answers", answerSummary(one.on_answer)),
    card("Settings", facts(settingsFacts(one)), {
      beside:
        may("operator") && one.status !== "finished"
          ? button("Change", { picture: "edit", small: true, onclick: () => then(edit(one), refresh) })
          : null,
    }),
  );
}

function times(one) {
  const line = ["Created ", when(one.created_at)];
  if (one.started_at) line.push(", started ", when(one.started_at));
  if (one.status === "planned" && one.start_at) line.push(", starts ", when(one.start_at));
  if (one.finished_at) line.push(", finished ", when(one.finished_at));
  return line;
}

async function then(work, refresh) {
  await work;
  await refresh();
}

function whatCanBeDone(one, refresh) {
  const act = (action, ...more) => () => then(action(one, ...more), refresh);
  const live = one.counts.find((counted) => counted.status === "in_progress").calls;
  const open = one.status !== "finished";
  const launched = ["planned", "in_progress", "paused"].includes(one.status);
  const first = {
    draft: () => button("Start", { picture: "play", tone: "primary", onclick: act(actions.start) }),
    planned: () => button("Pause", { picture: "pause", onclick: act(actions.pause) }),
    in_progress: () => button("Pause", { picture: "pause", onclick: act(actions.pause) }),
    paused: () => button("Resume", { picture: "play", tone: "primary", onclick: act(actions.resume) }),
  }[one.status];
  const entry = (text, picture, action, tone) => button(text, { picture, tone, onclick: closing(action) });
  return [
    first?.(),
    open ? button("Add numbers", { picture: "plus", onclick: act(actions.addNumbers) }) : null,
    launched ? button("Finish", { picture: "stop", onclick: act(actions.finish, live) }) : null,
    h(
      "details",
      { class: "menu", onkeydown: closeOnEscape, onfocusout: closeOnLeave },
      h("summary", { class: "button button-icon", "aria-label": "More" }, icon("more")),
      h(
        "div",
        { class: "menu-list" },
        open ? entry("Change settings", "edit", act(edit)) : null,
        entry("Clone", "copy", act(actions.clone)),
        open && one.status !== "draft" ? entry("Requeue calls", "repeat", act(actions.requeue)) : null,
        entry("Remove numbers", "ban", act(actions.removeNumbers)),
        entry("Delete", "trash", act(actions.remove), "danger"),
      ),
    ),
  ];
}

function closing(action) {
  return (event) => {
    const menu = event.currentTarget.closest("details");
    menu.open = false;
    menu.querySelector("summary").focus();
    action();
  };
}

function closeOnEscape(event) {
  if (event.key !== "Escape" || !event.currentTarget.open) return;
  event.currentTarget.open = false;
  event.currentTarget.querySelector("summary").focus();
}

function closeOnLeave(event) {
  if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
}

function notes(one, all) {
  const found = [];
  if (one.status === "paused") {
    const why = PAUSE_REASONS[one.pause_reason];
    found.push(
      note(
        one.pause_reason === "manual" ? "info" : "bad",
        one.pause_reason === "manual"
          ? "Paused by a person. No new call is made until somebody resumes it."
          : [h("strong", null, `Paused: ${why.toLowerCase()}. `), one.pause_detail],
      ),
    );
  }
  if (one.waits_because && one.status === "in_progress") {
    const at = one.next_attempt_at ? ["The next call is made ", when(one.next_attempt_at), ": "] : [];
    found.push(note("info", [...at, `${one.waits_because}.`]));
  }
  if (all && one.status === "in_progress" && done(one.counts) === all) {
    found.push(note("info", "Every call is over. The campaign goes on, and calls numbers that are added, until it is finished."));
  }
  return found.length ? h("div", { class: "stack-tight" }, found) : null;
}

function keyFigures(one, totals) {
  const all = total(one.counts);
  const live = one.counts.find((counted) => counted.status === "in_progress").calls;
  const answered = one.counts.find((counted) => counted.status === "answered").calls;
  return figures([
    ["Calls over", count(done(one.counts)), `of ${count(all)}`],
    ["Answered", count(answered), totals.answer_rate === null ? "" : percent(totals.answer_rate)],
    ["Up now", count(live), `of ${count(one.max_simultaneous_calls)}`],
    ["Attempts", count(totals.attempts), totals.attempts_per_answer ? `${decimal(totals.attempts_per_answer)} an answer` : ""],
    ["Talk time", duration(totals.talk_seconds)],
  ]);
}

function drawings(totals) {
  const outcomes = totals.outcomes
    .filter((one) => one.attempts)
    .sort((one, other) => other.attempts - one.attempts)
    .map((one) => ({
      name: spoken(one.outcome),
      count: one.attempts,
      colour: one.outcome === "answered" ? "var(--c-answered)" : "var(--c-completed_without_answer)",
    }));
  return h(
    "div",
    { class: "columns" },
    card("Attempts over time", hoursChart(totals.by_hour)),
    card("Outcomes of attempts", [
      ranking(outcomes.slice(0, SHOWN_OUTCOMES)),
      outcomes.length > SHOWN_OUTCOMES
        ? h(
            "details",
            { class: "more" },
            h("summary", null, `${outcomes.length - SHOWN_OUTCOMES} more`),
            ranking(outcomes.slice(SHOWN_OUTCOMES), outcomes[0].count),
          )
        : null,
    ]),
  );
}

const liveTitle = (live) => (live.next_cursor ? "Calls that are up, the last ten" : "Calls that are up");

function liveTable(calls) {
  return table({
    caption: "Calls that are up",
    columns: [
      { name: "Number", head: true, cell: (call) => h("a", { href: `/calls/${call.id}` }, call.number) },
      { name: "Now", cell: callStatus },
      { name: "Trunk", cell: (call) => call.trunk },
      { name: "Attempt", number: true, cell: (call) => String(call.attempts_made) },
      { name: "Since", cell: (call) => when(call.updated_at) },
    ],
    rows: calls,
    key: (call) => call.id,
  });
}

function callsCard(path, asked, calls, all, one, refresh) {
  const filtered = asked.status.length || asked.number || asked.cursor;
  if (!all && !filtered) {
    return h(
      "div",
      { class: "card" },
      empty({
        picture: "list",
        title: "No numbers yet",
        text: "Add a list in CSV or XLSX, or write some numbers.",
        actions:
          may("operator") && one.status !== "finished"
            ? [button("Add numbers", { picture: "plus", tone: "primary", onclick: () => then(actions.addNumbers(one), refresh) })]
            : [],
      }),
    );
  }
  return h(
    "section",
    { class: "card", id: "calls" },
    h("div", { class: "card-head" }, h("h2", null, "Calls")),
    h("div", { class: "card-body" }, callFilters(path, asked)),
    calls.items.length
      ? callTable(path, asked, calls, { caption: `Calls of ${one.name}` })
      : empty({ title: "No call fits", text: "Choose other statuses, or search for another number.", actions: [link("Show all", path)] }),
  );
}

function reports(id) {
  const formats = [
    ["csv", "CSV"],
    ["xlsx", "XLSX"],
    ["jsonl", "JSON lines"],
  ];
  const row = (title, per) =>
    h(
      "div",
      { class: "download-row" },
      h("span", null, title),
      h(
        "div",
        { class: "buttons" },
        formats.map(([suffix, words]) =>
          h(
            "a",
            { class: "button button-small", href: `/v1/campaigns/${id}/report.${suffix}?per=${per}`, download: "" },
            icon("download"),
            words,
            h("span", { class: "hidden" }, `, ${title}`),
          ),
        ),
      ),
    );
  return h("div", { class: "stack-tight" }, row("A row for each call", "call"), row("A row for each attempt", "attempt"));
}

function importTable(imports) {
  return table({
    caption: "Lists that were added",
    columns: [
      { name: "List", head: true, cell: (one) => one.file_name || "Sent by API" },
      { name: "Added", number: true, cell: (one) => count(one.added) },
      {
        name: "Skipped",
        number: true,
        cell: (one) =>
          one.duplicates + one.rejected
            ? h("a", { href: `/v1/imports/${one.id}/skipped.csv`, download: "" }, `${count(one.duplicates + one.rejected)} (CSV)`)
            : "0",
      },
      { name: "When", cell: (one) => when(one.created_at) },
      { name: "Remark", cell: (one) => one.problem || (one.undialable ? `${plural(one.undialable, "number")} cannot exist` : "–") },
    ],
    rows: imports,
    key: (one) => one.id,
  });
}
