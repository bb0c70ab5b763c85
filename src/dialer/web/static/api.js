// Speaks to the public API, by the cookie that the browser keeps.

/** A refusal: `message` is the API's one line; `errors` hold JSON pointers where input does not fit. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `the service answered ${status}`);
    this.status = status;
    this.errors = body.errors ?? [];
    this.errorId = body.error_id ?? null;
  }
}

let onSignedOut = () => {};

// The keys of requests whose answer has not come, by what was asked.
const unsettled = new Map();

/** Call `handler` where the API says that nobody is signed in any more. */
export function whenSignedOut(handler) {
  onSignedOut = handler;
}

/** Return a path with its query; empty values are left out, lists repeat their name. */
export function url(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") search.append(name, one);
    }
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** Send a request and return the answer's JSON, null where it has none; throws Problem.
 *
 * With `version`, the thing that is changed must still have it: else the answer is 412. What shall
 * be done `once` is so, even if its answer is lost and a person presses again.
 */
export async function ask(method, path, { query, json, body, type, signal, version, once } = {}) {
  const headers = {};
  const asked = JSON.stringify([method, url(path, query), json, version]);
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (once) headers["Idempotency-Key"] = keyOf(asked);
  if (json !== undefined) headers["Content-Type"] = "application/json";
  else if (type) headers["Content-Type"] = type;
  let response;
  try {
    response = await fetch(url(path, query), {
      method,
      headers,
      body: json === undefined ? body : JSON.stringify(json),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {
      detail: "The service cannot be reached. Check that it runs and that this machine is connected.",
    });
  }
  if (isSettled(response)) unsettled.delete(asked);
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  const problem = new Problem(response.status, parsed(text));
  if (problem.status === 401 && path !== "/v1/session") onSignedOut();
  throw problem;
}

function keyOf(asked) {
  if (!unsettled.has(asked)) {
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is for pages over https
    unsettled.set(asked, [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return unsettled.get(asked);
}

/** Whether an answer is the last word: the others may be given anew to the same request. */
function isSettled(response) {
  const passing = [408, 425, 429].includes(response.status) || response.status >= 500;
  return !passing && !response.headers.has("Retry-After");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy's own page
  }
}

export const get = (path, query, signal) => ask("GET", path, { query, signal });
export const post = (path, json = {}, query = undefined) => ask("POST", path, { json, query });
export const postOnce = (path, json = {}) => ask("POST", path, { json, once: true });
export const patch = (path, json, version) => ask("PATCH", path, { json, version, once: true });
export const del = (path, query) => ask("DELETE", path, { query });
