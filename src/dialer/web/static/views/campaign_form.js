// The settings of a campaign as a form, for a new one and for changes.

import { h } from "../dom.js";
import { duration, zoneName } from "../format.js";
import * as fields from "../parts/fields.js";
import { readWindows, windowRows } from "../parts/windows.js";
import { spoken } from "../words.js";
import { answerEditor } from "./answer/editor.js";

export const DEFAULTS = {
  name: "",
  caller_ids: [],
  trunks: [],
  trunk_order: "listed",
  max_simultaneous_calls: 10,
  calls_per_second: null,
  calls_per_minute: null,
  max_attempts: 3,
  retry_interval_minutes: 60,
  retry_by_outcome: {},
  retry_jitter_percent: 10,
  ring_timeout_seconds: 40,
  max_talk_seconds: 3600,
  on_answer: { kind: "prompt", file: "hello.wav" },
  start_at: null,
  time_zone: zoneName,
  window_zone: "customer",
  windows: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "18:00" }],
  holidays: [],
  dates_without_calls: [],
  redial_interrupted: false,
  webhook_url: null,
};

const number = (name, label, value, more) =>
  fields.text(name, label, { type: "number", value: value ?? "", inputmode: "decimal", ...more });

function section(title, text, ...content) {
  return h(
    "section",
    { class: "card" },
    h("div", { class: "card-head" }, h("h2", null, title)),
    h("div", { class: "card-body" }, text ? h("p", { class: "muted" }, text) : null, content),
  );
}

/** Return the form for settings; `known` is what they may name.
 *
 * `elements` are its sections, `read(form)` returns the settings that stand there, as the API wants
 * them, and `place(path)` the control for the parts of a JSON pointer, where this form knows it.
 */
export function settingsForm(settings, known) {
  const answered = answerEditor(settings.on_answer, known);
  return {
    elements: sections(settings, known.trunks, answered),
    read: (form) => readSettings(form, answered.read()),
    place: ([name, ...path]) => (name === "on_answer" ? answered.place(path) : null),
  };
}

function sections(settings, trunks, answered) {
  return [
    section("What is called", null, basics(settings, trunks)),
    section(
      "When",
      "Nobody is called outside these hours. Without any, calls are made at any time.",
      windowRows(settings.windows),
      h("div", { class: "fields" }, zones(settings)),
    ),
    section("How fast", null, h("div", { class: "fields" }, pace(settings))),
    section("Attempts", null, h("div", { class: "fields" }, attempts(settings))),
    section("When somebody answers", null, answer(settings, answered)),
    more(settings),
  ];
}

function basics(settings, trunks) {
  const names = [...new Set([...trunks.map((one) => one.name), ...settings.trunks])];
  return h(
    "div",
    { class: "fields" },
    fields.text("name", "Name", { value: settings.name, wide: true, required: true, maxlength: 200 }),
    names.length
      ? fields.chips("trunks", "Trunks", names.map((name) => [name, name]), settings.trunks)
      : h("p", { class: "muted" }, "No trunk is configured yet. Trunks are written in the configuration file."),
    fields.select(
      "trunk_order",
      "Order of trunks",
      [
        ["listed", "The first that works"],
        ["weighted", "By their weights"],
      ],
      { value: settings.trunk_order },
    ),
    fields.area("caller_ids", "Caller IDs", {
      value: settings.caller_ids.join("\n"),
      hint: "One a line, used in turn, as +4930123456. Without any, the trunk's own.",
      rows: 2,
    }),
  );
}

function zones(settings) {
  const id = "known-zones";
  return [
    fields.select(
      "window_zone",
      "Whose clock",
      [
        ["customer", "That of the person called"],
        ["campaign", "That of the campaign"],
      ],
      { value: settings.window_zone },
    ),
    fields.text("time_zone", "The campaign's time zone", {
      value: settings.time_zone,
      list: id,
      hint: "Also for numbers that do not tell theirs.",
    }),
    h("datalist", { id }, Intl.supportedValuesOf("timeZone").map((zone) => h("option", { value: zone }))),
  ];
}

function pace(settings) {
  return [
    number("max_simultaneous_calls", "Most calls at a time", settings.max_simultaneous_calls, { min: 1, max: 10000 }),
    number("calls_per_second", "Most new calls a second", settings.calls_per_second, {
      step: "any",
      hint: "Empty: the trunk's limit alone.",
    }),
    number("calls_per_minute", "Most new calls a minute", settings.calls_per_minute, {
      step: "any",
      hint: "The lower of the two holds.",
    }),
  ];
}

function attempts(settings) {
  return [
    number("max_attempts", "Most attempts", settings.max_attempts, { min: 1, max: 100, hint: "The first call is one." }),
    number("retry_interval_minutes", "Minutes between them", settings.retry_interval_minutes, { min: 1 }),
    number("ring_timeout_seconds", "Seconds to let ring", settings.ring_timeout_seconds, { min: 15, max: 120 }),
  ];
}

function answer(settings, editor) {
  return [
    editor.element,
    h(
      "div",
      { class: "fields" },
      number("max_talk_seconds", "Longest call in seconds", settings.max_talk_seconds, { min: 1, max: 86400 }),
    ),
  ];
}

function more(settings) {
  const outcomes = Object.entries(settings.retry_by_outcome);
  return h(
    "details",
    { class: "card more" },
    h("summary", { class: "card-body" }, "More settings"),
    h(
      "div",
      { class: "card-body" },
      h(
        "div",
        { class: "fields" },
        fields.text("start_at", "Start not before", {
          type: "datetime-local",
          value: settings.start_at ? localInput(settings.start_at) : "",
          hint: `In ${zoneName}. Empty: as soon as it is started.`,
        }),
        number("retry_jitter_percent", "Spread of retries in per cent", settings.retry_jitter_percent, { min: 0, max: 50 }),
        fields.text("holidays", "No calls on public holidays of", {
          value: settings.holidays.join(", "),
          hint: "Countries or parts: DE, DE-BY.",
        }),
        fields.area("dates_without_calls", "Dates without calls", {
          value: settings.dates_without_calls.join("\n"),
          hint: "One a line, as 2026-12-24.",
          wide: false,
          rows: 2,
        }),
        fields.area("retry_by_outcome", "Minutes by outcome", {
          value: outcomes.map(([outcome, minutes]) => `${outcome}: ${minutes}`).join("\n"),
          hint: "One a line, as busy: 20. The others wait the interval above.",
          wide: false,
          rows: 2,
        }),
        fields.text("webhook_url", "Webhook address", { type: "url", value: settings.webhook_url ?? "" }),
      ),
      fields.check("redial_interrupted", "Call again where the service broke off an attempt", {
        checked: settings.redial_interrupted,
        hint: "The person may have been rung already.",
      }),
    ),
  );
}

function localInput(text) {
  const at = new Date(text);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function readSettings(form, answer) {
  const value = (name) => form.elements[name].value.trim();
  const optional = (name) => (value(name) === "" ? null : Number(value(name)));
  return {
    name: value("name"),
    trunks: fields.checked(form, "trunks"),
    trunk_order: value("trunk_order"),
    caller_ids: fields.parts(value("caller_ids")).map((id) => id.replace(/[\s()-]/g, "")),
    windows: readWindows(form),
    window_zone: value("window_zone"),
    time_zone: value("time_zone"),
    max_simultaneous_calls: Number(value("max_simultaneous_calls")),
    calls_per_second: optional("calls_per_second"),
    calls_per_minute: optional("calls_per_minute"),
    max_attempts: Number(value("max_attempts")),
    retry_interval_minutes: Number(value("retry_interval_minutes")),
    ring_timeout_seconds: Number(value("ring_timeout_seconds")),
    on_answer: answer,
    max_talk_seconds: Number(value("max_talk_seconds")),
    start_at: value("start_at") ? new Date(value("start_at")).toISOString() : null,
    retry_jitter_percent: Number(value("retry_jitter_percent")),
    holidays: fields.parts(value("holidays")),
    dates_without_calls: fields.parts(value("dates_without_calls")),
    retry_by_outcome: intervals(value("retry_by_outcome")),
    webhook_url: value("webhook_url") || null,
    redial_interrupted: form.elements.redial_interrupted.checked,
  };
}

function intervals(text) {
  const lines = fields.parts(text).map((line) => line.split(":").map((part) => part.trim()));
  return Object.fromEntries(lines.map(([outcome, minutes]) => [outcome, Number(minutes)]));
}

/** Return the settings that differ, times compared as instants. */
export function changed(before, after) {
  const same = (name) =>
    name === "start_at" && before[name] && after[name]
      ? Math.abs(new Date(before[name]) - new Date(after[name])) < 60000
      : JSON.stringify(before[name]) === JSON.stringify(after[name]);
  return Object.fromEntries(Object.entries(after).filter(([name]) => !same(name)));
}

/** Return settings as facts to read. */
export function settingsFacts(one) {
  const rate = [
    one.calls_per_second && `${one.calls_per_second} a second`,
    one.calls_per_minute && `${one.calls_per_minute} a minute`,
  ];
  const by = Object.entries(one.retry_by_outcome).map(([name, minutes]) => `${spoken(name)} ${minutes} min`);
  return [
    ["Trunks", `${one.trunks.join(", ")}${one.trunk_order === "weighted" ? " (by weight)" : ""}`],
    ["Caller IDs", one.caller_ids.join(", ") || "the trunk's own"],
    ["Calling hours", hours(one.windows)],
    ["Clock", one.window_zone === "customer" ? `of the person called, else ${one.time_zone}` : one.time_zone],
    ["Calls at a time", String(one.max_simultaneous_calls)],
    ["New calls", rate.filter(Boolean).join(", ") || "as fast as the trunk takes them"],
    ["Attempts", `${one.max_attempts}, ${one.retry_interval_minutes} min apart`],
    ["Other intervals", by.join(", ")],
    ["Rings for", `${one.ring_timeout_seconds} s`],
    ["Longest call", duration(one.max_talk_seconds)],
    ["Holidays kept", one.holidays.join(", ")],
    ["Dates without calls", one.dates_without_calls.join(", ")],
    ["Webhook", one.webhook_url],
  ];
}

function hours(windows) {
  if (!windows.length) return "at any time";
  return windows.map((one) => `${days(one.days)} ${one.from}–${one.to}`).join("; ");
}

function days(list) {
  const order = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
  const places = list.map((day) => order.indexOf(day)).sort((a, b) => a - b);
  const inRow = places.every((place, index) => index === 0 || place === places[index - 1] + 1);
  const name = (place) => spoken(order[place]);
  return inRow && places.length > 2 ? `${name(places[0])}–${name(places.at(-1))}` : places.map(name).join(", ");
}
