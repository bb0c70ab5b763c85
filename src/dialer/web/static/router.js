// Addresses and pages: real URLs, so that a reload or a link shows the same.

const routes = [];
let onChange = () => {};

/** Add a page: `pattern` with names in braces, `view` gets them and the query. */
export function route(pattern, view) {
  const source = pattern.replace(/{(\w+)}/g, "(?<$1>[^/]+)");
  routes.push({ pattern, matcher: new RegExp(`^${source}$`), view });
}

/** Return the page of an address: its pattern, view, and parameters; view null where there is none. */
export function find(location) {
  for (const { pattern, matcher, view } of routes) {
    const found = matcher.exec(location.pathname);
    if (!found) continue;
    const parameters = Object.fromEntries(
      Object.entries(found.groups ?? {}).map(([name, text]) => [name, decodeURIComponent(text)]),
    );
    return { pattern, view, parameters, query: new URLSearchParams(location.search) };
  }
  return { pattern: null, view: null, parameters: {}, query: new URLSearchParams() };
}

/** Go to an address of the dashboard. */
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(history.state, "", address);
  else history.pushState({ paged: true }, "", address);
  onChange();
}

/** Follow links and the browser's buttons, and tell `handler` of each change. */
export function begin(handler) {
  onChange = handler;
  window.addEventListener("popstate", () => onChange());
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const plain = !event.defaultPrevented && event.button === 0;
    const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (!link || !plain || modified || link.target || link.hasAttribute("download")) return;
    const address = new URL(link.href);
    if (address.origin !== location.origin || find(address).view === null) return;
    if (address.hash && address.pathname === location.pathname) return;
    event.preventDefault();
    go(address.pathname + address.search);
  });
}
