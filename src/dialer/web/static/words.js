// The words for the API's slugs.

export const CAMPAIGN_STATUSES = {
  draft: "Draft",
  planned: "Planned",
  in_progress: "In progress",
  paused: "Paused",
  finished: "Finished",
};

export const CAMPAIGN_TONES = {
  draft: "",
  planned: "info",
  in_progress: "good",
  paused: "warn",
  finished: "",
};

export const CALL_STATUSES = {
  planned: "Planned",
  in_progress: "In progress",
  retry_scheduled: "Another call attempt scheduled",
  answered: "Answered",
  completed_without_answer: "Completed without answer",
  technical_error: "Finished with a technical error",
  not_dialed: "Not dialed",
  plan_limit_exceeded: "Plan limit exceeded",
};

export const REQUEUED_STATUSES = [
  "completed_without_answer",
  "technical_error",
  "not_dialed",
  "plan_limit_exceeded",
];

export const UNFINISHED_CALLS = ["planned", "in_progress", "retry_scheduled"];

export const PAUSE_REASONS = {
  manual: "By a person",
  out_of_minutes: "Out of minutes",
  system_failure: "System failure",
};

export const PHASES = {
  claimed: "About to dial",
  dialing: "Dialing",
  ringing: "Ringing",
  talking: "Talking",
};

export const ROLES = {
  viewer: "Viewer",
  operator: "Operator",
  admin: "Admin",
};

export const DAYS = { mon: "Mon", tue: "Tue", wed: "Wed", thu: "Thu", fri: "Fri", sat: "Sat", sun: "Sun" };

export const AVAILABILITY = {
  up: ["Up", "good"],
  degraded: ["Degraded", "warn"],
  down: ["Down", "bad"],
};

const HUNG_UP_BY = { us: "the dialer", them: "the callee's side", peer: "the callee's side" };

const WITH_CAPITALS = { no_funds: "No funds", heard_sit: "Heard special information tone" };

/** Return a slug as words: trunk_auth_failed becomes Trunk auth failed. */
export function spoken(slug) {
  if (!slug) return "–";
  if (WITH_CAPITALS[slug]) return WITH_CAPITALS[slug];
  const words = slug.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

export const whoHungUp = (slug) => HUNG_UP_BY[slug] ?? slug;
