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

/** Send a request and return the answer's JSON, null where it has none; throws Problem. */
export async function ask(method, path, { query, json, body, type, signal } = {}) {
  const headers = {};
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
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  const problem = new Problem(response.status, parsed(text));
  if (problem.status === 401 && path !== "/v1/session") onSignedOut();
  throw problem;
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
export const patch = (path, json) => ask("PATCH", path, { json });
export const del = (path, query) => ask("DELETE", path, { query });
