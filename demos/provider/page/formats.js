// Numbers, times and elements. Text gets into the page as text only: nothing here parses HTML.

export const MINUS = "\u2212";

/** An element with properties, attributes and children; a child that is a string becomes text. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) {
      node.setAttribute(key, value);
    }
  }
  node.append(...children);
  return node;
}

/** Set an element's text only when it differs, so that a selection in it stays. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** A decimal number in a string with groups of digits and a fixed number of digits after the point. */
export function money(text, { sign = false } = {}) {
  const number = Number(text);
  const digits = Math.abs(number).toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const isZero = Math.abs(number) < 0.005;
  return `${isZero ? "" : number < 0 ? MINUS : sign ? "+" : ""}${digits}`;
}

/** A decimal number in a string, exactly as it is, with a real minus sign. */
export function decimal(text) {
  return text.replace("-", MINUS);
}

export function count(number) {
  return number.toLocaleString();
}

/** A rate or a count with at most one digit after the point. */
export function rate(number) {
  return number.toLocaleString(undefined, { maximumFractionDigits: number < 100 ? 1 : 0 });
}

/** A length of time in milliseconds: 8 ms, 1.2 s, 35 s, 4 min, 3 h, 2 d. */
export function duration(ms) {
  if (ms < 1000) {
    return `${Math.max(0, Math.round(ms))} ms`;
  }
  const s = ms / 1000;
  if (s < 10) {
    return `${s.toFixed(1)} s`;
  }
  return longDuration(ms);
}

/** A length of time in whole seconds or larger units. */
export function longDuration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) {
    return `${s} s`;
  }
  if (s < 3600) {
    return `${Math.floor(s / 60)} min`;
  }
  if (s < 48 * 3600) {
    return `${Math.floor(s / 3600)} h`;
  }
  return `${Math.floor(s / 86400)} d`;
}

/** The time until something ends, rounded up. */
export function remaining(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  if (s < 60) {
    return `${s} s`;
  }
  return s <= 3540 ? `${Math.ceil(s / 60)} min` : `${Math.ceil(s / 3600)} h`;
}

export function ago(ms) {
  return ms < 1000 ? "now" : `${longDuration(ms)} ago`;
}

/** The time of day, with the date unless it is the same day as `now`. */
export function clock(time, now) {
  const moment = new Date(time);
  const day = moment.toDateString() === new Date(now).toDateString() ? "" : `${moment.toLocaleDateString()} `;
  return day + moment.toLocaleTimeString(undefined, { hour12: false });
}

export function bytes(number) {
  if (number < 1000) {
    return `${number} B`;
  }
  return number < 1e6 ? `${rate(number / 1000)} kB` : `${rate(number / 1e6)} MB`;
}

export function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
