// The recordings of an attempt: a player, by whose consent, until when, and how to delete one.

import { del } from "../api.js";
import { h } from "../dom.js";
import { date, duration } from "../format.js";
import { badge, button, facts, link, when } from "../parts/bits.js";
import { ask } from "../parts/dialog.js";
import { toast } from "../parts/toast.js";
import { may } from "../session.js";

const CONSENTS = {
  given: "Given before the call",
  announced: "Announced",
  key: "Given by a key",
  column: "Given in the list",
};
const DELETED = { expired: "its time was over", deleted: "somebody deleted it" };

export function recordingParts(recording, refresh) {
  return h(
    "section",
    { class: "stack recording", "data-key": recording.id, "aria-label": "Recording" },
    h(
      "div",
      { class: "page-title" },
      h(
        "div",
        { class: "line" },
        h("h4", { class: "small" }, "Recording"),
        recording.deleted_at ? badge("Deleted") : null,
        recording.whole ? null : badge("Has gaps", "warn"),
      ),
    ),
    recording.deleted_at ? null : sound(recording),
    facts(about(recording)),
    recording.deleted_at ? null : actions(recording, refresh),
  );
}

// Why there is no recording of a call whose campaign wanted one, or that it is on its way.
export function withoutRecording(attempt) {
  const wanted = attempt.conversation.recording;
  if (!wanted || attempt.recordings.some((one) => one.id === wanted.id)) return null;
  const said = wanted.id
    ? `Recorded; it is on its way to where recordings are kept. Should it not come, the log of ${attempt.node} says why.`
    : `Not recorded: ${wanted.problem}.`;
  return h("p", { class: "muted small" }, said);
}

const audio = (recording) => `/v1/recordings/${recording.id}/audio`;

function sound(recording) {
  if (!may("operator")) return h("p", { class: "muted small" }, "Operators and admins can listen to it.");
  const length = duration(recording.seconds);
  return h("audio", { controls: true, preload: "none", src: audio(recording), "aria-label": `Recording of ${length}` });
}

function about(recording) {
  const consent = CONSENTS[recording.consent] ?? recording.consent;
  const why = DELETED[recording.deleted_because];
  return [
    ["Begun", when(recording.started_at)],
    ["Length", duration(recording.seconds)],
    ["Consent", recording.consent_detail ? `${consent}: ${recording.consent_detail}` : consent],
    ["Kept", recording.deleted_at ? null : kept(recording)],
    ["Encrypted", recording.deleted_at ? null : recording.sealed ? "yes" : "no"],
    ["Deleted", recording.deleted_at ? [when(recording.deleted_at), why ? `, ${why}` : ""] : null],
  ];
}

const kept = (recording) => (recording.expires_at ? `until ${date(recording.expires_at)}` : "as long as the call");

function actions(recording, refresh) {
  if (!may("operator")) return null;
  return h(
    "div",
    { class: "buttons" },
    link("Download", audio(recording), { picture: "download", download: recording.file_name }),
    may("admin")
      ? button("Delete recording", { picture: "trash", tone: "danger", onclick: () => remove(recording).then(refresh) })
      : null,
  );
}

function remove(recording) {
  return ask({
    title: "Delete the recording?",
    text: "Nobody can listen to it any more. That there was one stays on record. This cannot be undone.",
    confirm: "Delete",
    tone: "danger-solid",
    submit: async () => {
      await del(`/v1/recordings/${recording.id}`);
      toast("Recording deleted");
    },
  });
}
