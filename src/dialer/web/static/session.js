// Who looks at the dashboard, and what that role may do.

import { ask, get } from "./api.js";

const ROLES = ["viewer", "operator", "admin"];

let session = { signed_in: false };

/** Read who is signed in; throws Problem. */
export async function readSession() {
  session = await get("/v1/session");
  return session;
}

export async function signIn(token) {
  session = await ask("POST", "/v1/session", { json: { token } });
  return session;
}

export async function signOut() {
  await ask("DELETE", "/v1/session");
  session = { signed_in: false };
}

export const current = () => session;

/** Whether the role suffices where `needed` is needed; the API checks it once more. */
export function may(needed) {
  return ROLES.indexOf(session.role) >= ROLES.indexOf(needed);
}

/** Whether this person steers trunks, which are the instance's and not an account's. */
export function steersTrunks() {
  return may("admin") && session.runs_instance;
}
