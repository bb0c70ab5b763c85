// A new campaign: its settings, its list, and off it goes.

import { post, postOnce } from "../api.js";
import { h } from "../dom.js";
import { button, card, link, pageHead } from "../parts/bits.js";
import { showProblem } from "../parts/dialog.js";
import { empty } from "../parts/states.js";
import { toast } from "../parts/toast.js";
import { listPicker, sendList } from "../parts/upload.js";
import { plural } from "../format.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { DEFAULTS, settingsForm } from "./campaign_form.js";
import { known } from "./known.js";

export function create() {
  return {
    title: "New campaign",
    still: true,
    load: known,
    render: (choices) => (may("operator") ? page(choices) : refused()),
  };
}

function refused() {
  return h(
    "div",
    { class: "page page-narrow" },
    pageHead({ title: "New campaign", crumb: ["Campaigns", "/campaigns"] }),
    h("div", { class: "card" }, empty({ picture: "ban", title: "Your role only reads", text: "An operator or admin creates campaigns." })),
  );
}

function page(choices) {
  const { trunks } = choices;
  const list = listPicker("/v1/lists/check");
  const problems = h("div", { role: "alert" });
  const buttons = [
    link("Cancel", "/campaigns"),
    button("Save as draft", { type: "submit" }),
    button("Create and start", {
      type: "submit",
      tone: "primary",
      picture: "play",
    }),
  ];
  const settings = settingsForm({ ...DEFAULTS, trunks: trunks.length === 1 ? [trunks[0].name] : [] }, choices);
  const form = h(
    "form",
    { class: "stack", novalidate: true, onsubmit: submit },
    settings.elements,
    card("List of numbers", list.element),
    problems,
    h("div", { class: "buttons" }, buttons),
  );

  async function submit(event) {
    event.preventDefault();
    for (const one of buttons) one.disabled = true;
    problems.replaceChildren(list.file() ? h("p", { class: "muted" }, "Sending the list …") : "");
    try {
      await make(settings.read(form), list.file(), event.submitter === buttons[2]);
    } catch (error) {
      showProblem(form, problems, error, settings.place);
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  }

  return h(
    "div",
    { class: "page page-narrow" },
    pageHead({ title: "New campaign", crumb: ["Campaigns", "/campaigns"] }),
    form,
  );
}

/** Create, add the list, start; what fails after the first step is told on the campaign's own page. */
async function make(settings, file, start) {
  const made = await postOnce("/v1/campaigns", settings);
  const path = `/v1/campaigns/${made.id}`;
  try {
    const added = file ? await sendList(`${path}/numbers`, file) : null;
    if (start) await post(`${path}/start`);
    const numbers = added ? ` with ${plural(added.added, "number")}` : "";
    toast(start ? `Campaign started${numbers}` : `Draft saved${numbers}`);
  } catch (error) {
    toast(`The campaign was created as a draft, and then: ${error.message}`);
  }
  go(`/campaigns/${made.id}`, { replace: true });
}
