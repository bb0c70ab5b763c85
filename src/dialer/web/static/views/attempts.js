// An attempt with its legs: what was sent, what came back, when, and which rule decided.

import { h } from "../dom.js";
import { duration, exactTime, plural } from "../format.js";
import { badge, facts, when } from "../parts/bits.js";
import { ladder } from "../parts/ladder.js";
import { spoken, whoHungUp } from "../words.js";
import { recordingParts, withoutRecording } from "./recordings.js";

export function attemptParts(attempt, traces, refresh) {
  return h(
    "section",
    { class: "attempt stack", "data-key": attempt.id },
    h(
      "div",
      { class: "page-title" },
      h(
        "div",
        { class: "line" },
        h("h3", null, `Attempt ${attempt.ordinal}`),
        badge(attempt.outcome ? spoken(attempt.outcome) : "Under way", tone(attempt)),
        attempt.counted === false ? badge("does not count") : null,
        attempt.flags.map((flag) => badge(spoken(flag), "warn")),
      ),
      h(
        "p",
        { class: "muted small" },
        when(attempt.created_at),
        ` on node ${attempt.node}`,
        attempt.rule ? [", decided by the rule ", h("code", null, attempt.rule)] : null,
      ),
    ),
    attempt.recordings.map((recording) => recordingParts(recording, refresh)),
    withoutRecording(attempt),
    attempt.legs.length
      ? attempt.legs.map((leg) => legParts(attempt, leg, traces))
      : h("p", { class: "muted" }, "No INVITE was sent."),
    (attempt.conversation.transfers ?? []).map(transferParts),
  );
}

function transferParts(transfer) {
  return h(
    "div",
    { class: "stack" },
    h("h4", { class: "small" }, `Transfer to ${transfer.name}: ${spoken(transfer.status)}`),
    facts([
      ["Number", transfer.number],
      ["By", transfer.by === "refer" ? "REFER" : "a second call"],
      ["Began", when(transfer.at, exactTime)],
      ["Why it failed", transfer.reason ? spoken(transfer.reason) : null],
      ["In a sentence", transfer.detail],
      ["Prompt while waiting", transfer.waiting_failed && `not played, ringing in its place: ${transfer.waiting_failed}`],
      ["Response", transfer.code],
      ["Joined for", transfer.bridged_seconds === undefined ? null : duration(transfer.bridged_seconds)],
      ["Hung up by", transfer.hung_up_by ?? null],
      ["SIP Call-ID", transfer.sip_call_id ? h("code", null, transfer.sip_call_id) : null],
    ]),
  );
}

function tone(attempt) {
  if (!attempt.outcome) return "info";
  if (attempt.outcome === "answered") return "good";
  return attempt.status === "technical_error" ? "bad" : "";
}

function legParts(attempt, leg, traces) {
  const trace = traces.legs.find((one) => one.attempt_id === attempt.id && one.leg === leg.ordinal);
  const messages = trace?.messages ?? [];
  return h(
    "div",
    { class: "stack" },
    attempt.legs.length > 1
      ? h("h4", { class: "small" }, `Leg ${leg.ordinal + 1} over ${leg.trunk}: ${spoken(leg.outcome)}`)
      : null,
    facts(evidence(leg)),
    facts(times(leg.evidence)),
    messages.length
      ? [
          ladder(messages, `${attempt.id}-${leg.ordinal}-${messages.length}`),
          h(
            "p",
            { class: "muted small" },
            `${plural(messages.length, "SIP message")}; choose one to read it. `,
            trace.rtp_packets ? `The capture also has ${plural(trace.rtp_packets, "RTP packet")}.` : null,
          ),
        ]
      : h("p", { class: "muted small" }, "No messages are kept of this leg; the configuration's capture settings say for how long they are."),
  );
}

function evidence(leg) {
  const said = leg.evidence;
  return [
    ["Trunk", leg.trunk],
    ["Number dialled", leg.number],
    ["Caller ID", leg.caller_id || "none"],
    ["Final response", said.code ? `${said.code} ${said.phrase}` : "none came"],
    ["Reason", said.reasons.length ? h("code", null, said.reasons.join(", ")) : null],
    ["Q.850 cause", said.q850],
    ["Retry-After", said.retry_after === null ? null : `${said.retry_after} s`],
    ["On our side", said.local_cause ? spoken(said.local_cause) : null],
    ["Provisional", said.provisionals.map((one) => `${one.code} ${one.phrase}`).join(", ")],
    ["Rule of this leg", leg.rule ? h("code", null, leg.rule) : null],
    ["Hung up by", said.hung_up_by ? whoHungUp(said.hung_up_by) : null],
    ["Early media", said.early_media?.sentence ?? null],
    ["RTP packets", said.answered ? `${said.rtp_packets_sent} sent, ${said.rtp_packets_received} received` : null],
    ...mediaFacts(said.media),
    ["SIP Call-ID", h("code", null, leg.sip_call_id)],
  ];
}

function mediaFacts(media) {
  if (!media) return [];
  const heard = media.received
    ? `MOS ${media.mos}; ${media.lost} lost (${media.loss_percent} %), jitter ${media.jitter_ms} ms, longest gap ${media.longest_gap_ms} ms`
    : "nothing";
  const told = media.far_end_mos === null
    ? "no report came"
    : `MOS ${media.far_end_mos}; ${media.far_end_lost} lost (${media.far_end_loss_percent} %), jitter ${media.far_end_jitter_ms} ms`;
  const odd = [
    [media.duplicates, "twice"],
    [media.reordered, "late"],
    [media.dropped, "dropped"],
    [media.comfort_noise, "of comfort noise"],
    [media.unsent, "not sent by our host"],
  ].filter(([count]) => count);
  return [
    ["Codec", media.secured ? `${media.codec}, encrypted` : media.codec],
    ["We heard", heard],
    ["Far end heard", told],
    ["Round trip", media.round_trip_ms === null ? null : `${media.round_trip_ms} ms`],
    ["Other packets", odd.length ? odd.map(([count, what]) => `${count} ${what}`).join(", ") : null],
  ];
}

function times(said) {
  const at = (text) => (text ? when(text, exactTime) : null);
  return [
    ["Sent", at(said.sent_at)],
    ["First answer", at(said.first_provisional_at)],
    ["Rang", at(said.ringing_at)],
    ["Answered", at(said.answered_at)],
    ["Ended", at(said.ended_at)],
    ["Talk time", said.answered ? duration(said.talk_seconds) : null],
  ];
}
