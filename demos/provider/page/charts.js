// Small line charts of the last five minutes, drawn as SVG.

import { ago, element, setText } from "./formats.js";

const WINDOW_MS = 300_000;
// A line is interrupted where points are missing for longer.
const GAP_MS = 5_000;
const HEIGHT = 84;
const TOP = 6;
const BOTTOM = 16;
// On the right are the labels of the values.
const RIGHT = 46;

function svg(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** A chart in a figure. Each line has `name`, `value(point)` (or null) and `kind` (its class). */
export class Chart {
  constructor(figure, { title, lines, format, least = 1 }) {
    this.lines = lines;
    this.format = format;
    this.title = title;
    this.least = least;
    this.points = [];
    this.now = 0;
    this.hover = null;
    this.values = lines.map((line) => element("strong", { class: line.kind }));
    const legend = lines.map((line, index) =>
      element("span", { class: "legend" }, ...(lines.length > 1 ? [element("i", { class: line.kind }), `${line.name} `] : []), this.values[index]),
    );
    this.when = element("span", { class: "when soft" });
    this.picture = svg("svg", { role: "img", height: HEIGHT });
    figure.append(
      element("figcaption", {}, element("span", { class: "title" }, title), this.when, element("span", { class: "legends" }, ...legend)),
      this.picture,
    );
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(figure);
  }

  update(points, now) {
    this.points = points;
    this.now = now;
    this.draw();
  }

  point(event) {
    this.hover = event && event.clientX - this.picture.getBoundingClientRect().left;
    this.draw();
  }

  draw() {
    const width = this.picture.clientWidth;
    if (!width) {
      return;
    }
    const start = this.now - WINDOW_MS;
    const shown = this.points.filter((point) => point.time >= start);
    const values = shown.flatMap((point) => this.lines.map((line) => line.value(point))).filter((value) => value !== null);
    const most = niceMost(Math.max(this.least, ...values));
    const x = (time) => ((time - start) / WINDOW_MS) * (width - RIGHT - 1) + 1;
    const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.picture.replaceChildren(...this.axes(width, most, y));
    for (const line of this.lines) {
      this.picture.append(...drawLine(shown, line, x, y, this.lines.length === 1));
    }
    this.showValues(shown, x, y);
    this.describe(values);
  }

  axes(width, most, y) {
    const right = width - RIGHT;
    const labels = [
      ...[most, most / 2, 0].map((value) => ["start", right + 6, y(value) + 4, this.format(value)]),
      ["start", 1, HEIGHT - 3, "5 min ago"],
      ["end", right, HEIGHT - 3, "now"],
    ];
    return [
      ...[most, most / 2].map((value) => svg("path", { class: "grid", d: `M0 ${y(value)}H${right}` })),
      svg("path", { class: "axis", d: `M0 ${y(0)}H${right}` }),
      ...labels.map(([anchor, left, top, text]) => svg("text", { x: left, y: top, "text-anchor": anchor }, text)),
    ];
  }

  /** Show the values under the pointer, or else the newest ones. */
  showValues(shown, x, y) {
    let point = shown.at(-1);
    if (this.hover !== null && point) {
      point = shown.reduce((best, each) => (Math.abs(x(each.time) - this.hover) < Math.abs(x(best.time) - this.hover) ? each : best));
      const left = x(point.time);
      this.picture.append(svg("path", { class: "cursor", d: `M${left} ${TOP}V${HEIGHT - BOTTOM}` }));
      for (const line of this.lines) {
        const value = line.value(point);
        if (value !== null) {
          this.picture.append(svg("circle", { class: `dot ${line.kind}`, cx: left, cy: y(value), r: 3 }));
        }
      }
    }
    setText(this.when, this.hover !== null && point ? ago(this.now - point.time) : "");
    this.lines.forEach((line, index) => {
      const value = point ? line.value(point) : null;
      setText(this.values[index], value === null ? "\u2013" : this.format(value));
    });
  }

  describe(values) {
    const range = values.length
      ? `between ${this.format(Math.min(...values))} and ${this.format(Math.max(...values))} in the last five minutes`
      : "no values yet";
    this.picture.setAttribute("aria-label", `${this.title}: ${range}`);
  }
}

function drawLine(points, line, x, y, filled) {
  const parts = [];
  let part = [];
  let last = -Infinity;
  for (const point of points) {
    const value = line.value(point);
    if (value === null || point.time - last > GAP_MS) {
      part = [];
      parts.push(part);
    }
    if (value !== null) {
      part.push(`${x(point.time).toFixed(1)} ${y(value).toFixed(1)}`);
      last = point.time;
    }
  }
  return parts.filter((each) => each.length).flatMap((each) => {
    const path = svg("path", { class: `line ${line.kind}`, d: `M${each.length > 1 ? each.join("L") : `${each[0]}h0.1`}` });
    if (!filled || each.length < 2) {
      return [path];
    }
    const [first, end] = [each[0], each.at(-1)].map((pair) => pair.split(" ")[0]);
    return [svg("path", { class: `area ${line.kind}`, d: `M${each.join("L")}L${end} ${y(0)}L${first} ${y(0)}Z` }), path];
  });
}

/** The smallest number with a simple first digit that is not less. */
function niceMost(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 3, 4, 6, 8, 10].find((step) => step * power >= value * 0.999);
}
