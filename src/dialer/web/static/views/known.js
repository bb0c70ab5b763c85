// What the settings of a campaign may name: trunks, prompts, and secrets of bots.

import { get } from "../api.js";

/** Ask the API for it: {trunks, prompts, secrets}. */
export async function known(signal) {
  const [trunks, prompts, secrets] = await Promise.all(
    ["/v1/trunks", "/v1/prompts", "/v1/bot-secrets"].map((path) => get(path, {}, signal)),
  );
  return { trunks: trunks.items, prompts: prompts.items.filter((one) => !one.problem), secrets: secrets.items };
}
