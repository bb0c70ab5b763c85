// Makes elements, and brings what is shown in line with what was made anew.
//
// Text is only ever set as text: nothing here reads HTML, so no data can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; attributes that are null, undefined or false are left out. */
export function h(tag, attributes, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
export function s(tag, attributes, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) listen(element, name.slice(2), value);
    else if (name === "vars") {
      for (const [variable, text] of Object.entries(value)) element.style.setProperty(variable, text);
    } else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  // a select has its options only now
  if (attributes?.value !== undefined && element.localName === "select") element.value = attributes.value;
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

// One listener for each type, which calls what the latest rendering wants called.
function listen(element, type, handler) {
  element.handlers ??= {};
  if (!(type in element.handlers)) element.addEventListener(type, dispatch);
  element.handlers[type] = handler;
}

function dispatch(event) {
  return event.currentTarget.handlers[event.type]?.(event);
}

/** Make the children of `shown` those of `fresh`, changing only what differs.
 *
 * So the focus, the scroll position and what is typed survive a refresh. Children with a `data-key`
 * keep their element when they move. What has a `data-own` looks after its own content.
 */
export function morph(shown, fresh) {
  const keyed = new Map();
  for (const child of shown.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let place = shown.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset?.key;
    const match = key ? keyed.get(key) : place && !place.dataset?.key ? place : null;
    if (match && alike(match, child)) {
      if (match !== place) shown.insertBefore(match, place);
      else place = place.nextSibling;
      update(match, child);
    } else {
      shown.insertBefore(child, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;
}

function update(shown, fresh) {
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.nodeValue !== fresh.nodeValue) shown.nodeValue = fresh.nodeValue;
    return;
  }
  if (shown.dataset?.own && shown.dataset.own === fresh.dataset.own) return;
  attributes(shown, fresh);
  for (const [type, handler] of Object.entries(fresh.handlers ?? {})) listen(shown, type, handler);
  for (const type of Object.keys(shown.handlers ?? {})) {
    if (!fresh.handlers?.[type]) shown.handlers[type] = undefined;
  }
  morph(shown, fresh);
}

function attributes(shown, fresh) {
  const kept = shown.localName === "details" ? ["open", "style"] : ["style"];
  for (const { name } of [...shown.attributes]) {
    if (!fresh.hasAttribute(name) && !kept.includes(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (!kept.includes(name) && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  // what the address says goes before what was ticked or typed, but not while somebody types
  if (fresh.dataset?.bound !== undefined) {
    if (shown.checked !== fresh.checked) shown.checked = fresh.checked;
    if (shown.value !== fresh.value && document.activeElement !== shown) shown.value = fresh.value;
  }
  if (shown.style.cssText !== fresh.style.cssText) shown.style.cssText = fresh.style.cssText;
}
