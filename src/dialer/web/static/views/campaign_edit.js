// Changing a campaign's settings, also where somebody else changes them at the same time.

import { get, patch, Problem } from "../api.js";
import { h } from "../dom.js";
import { button } from "../parts/bits.js";
import { ask } from "../parts/dialog.js";
import { toast } from "../parts/toast.js";
import { changed, settingsForm } from "./campaign_form.js";
import { known } from "./known.js";

const NAMES = {
  name: "Name",
  trunks: "Trunks",
  trunk_order: "Order of trunks",
  caller_ids: "Caller IDs",
  windows: "Calling hours",
  window_zone: "Whose clock",
  time_zone: "Time zone",
  max_simultaneous_calls: "Most calls at a time",
  calls_per_second: "Most new calls a second",
  calls_per_minute: "Most new calls a minute",
  max_attempts: "Most attempts",
  retry_interval_minutes: "Minutes between attempts",
  ring_timeout_seconds: "Seconds to let ring",
  on_answer: "When somebody answers",
  max_talk_seconds: "Longest call",
  start_at: "Start not before",
  retry_jitter_percent: "Spread of retries",
  holidays: "Holidays",
  dates_without_calls: "Dates without calls",
  retry_by_outcome: "Minutes by outcome",
  webhook_url: "Webhook address",
  redial_interrupted: "Call again where an attempt was broken off",
};

const named = (settings) => Object.keys(settings).map((name) => NAMES[name]).join(", ");

/** The settings among a campaign's fields. */
const settingsOf = (campaign) => Object.fromEntries(Object.keys(NAMES).map((name) => [name, campaign[name]]));

/** Ask for changes of a campaign's settings and save those that differ. */
export async function edit({ id, name }) {
  const path = `/v1/campaigns/${id}`;
  const [choices, read] = await Promise.all([known(), get(path)]);
  let before = read;
  let settings;
  const content = h("div", { class: "stack" });

  function fill(shown) {
    settings = settingsForm(shown, choices);
    content.replaceChildren(...settings.elements);
  }

  async function save(form) {
    const mine = changed(before, settings.read(form));
    if (!Object.keys(mine).length) return;
    try {
      await patch(path, mine, before.version);
    } catch (error) {
      if (error.status !== 412) throw error;
      const latest = await get(path);
      const theirs = changed(settingsOf(before), settingsOf(latest));
      if (Object.keys(theirs).length) throw conflict(latest, theirs, mine, form);
      before = latest; // it was started or paused, which changes no setting
      await save(form);
    }
  }

  function conflict(latest, theirs, mine, form) {
    const both = Object.fromEntries(Object.entries(theirs).filter(([name]) => name in mine));
    const clash = Object.keys(both).length
      ? ` You have changed ${named(both)} too: yours would replace theirs.`
      : "";
    const problem = new Problem(412, {
      detail: `Changed meanwhile by someone else: ${named(theirs)}. Nothing of yours is saved yet.${clash}`,
    });
    problem.action = button("Reload, and keep what I typed", {
      small: true,
      picture: "repeat",
      onclick: (event) => {
        event.currentTarget.closest("[role=alert]").replaceChildren();
        const typed = changed(before, settings.read(form));
        before = latest;
        fill({ ...latest, ...typed });
        content.querySelector("input").focus();
      },
    });
    return problem;
  }

  fill(before);
  return ask({
    title: `Settings of ${name}`,
    text: "Changes hold for every call that has not begun.",
    fields: content,
    confirm: "Save",
    wide: true,
    guarded: true,
    place: (path) => settings.place(path),
    submit: async (form) => {
      await save(form);
      toast("Settings saved");
    },
  });
}
