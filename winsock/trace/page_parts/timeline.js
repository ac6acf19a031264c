// Draws the part of the picture that is visible. The SVG has the size of the window; scrolling draws it again.
const SVG = "http://www.w3.org/2000/svg";
let planned = 0, hovered = -1, letter = 7.2;

function make(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

// The height of the scrolled element and of the picture differ if the picture is very high.
const viewHeight = () => Math.max(50, $("scroll").clientHeight - HEAD);
function scrollRatio() {
  const view = viewHeight(), shown = Math.min(layout.height, MOST_HEIGHT);
  return layout.height > MOST_HEIGHT ? (layout.height - view) / (shown - view) : 1;
}
const topOfView = () => $("scroll").scrollTop * scrollRatio();
const scrollToY = y => { $("scroll").scrollTop = Math.max(0, y) / scrollRatio(); };

function showRow(row) {
  const y = layout.y[row], top = topOfView(), view = viewHeight();
  if (y < top + 30 || y > top + view - 40) scrollToY(y - view / 2);
  const x = layout.x.get(data.columns.lane[layout.rows[row]]), scroll = $("scroll");
  if (x - 16 < scroll.scrollLeft + layout.time) scroll.scrollLeft = x - layout.time - 16;
  else if (x + layout.column - 12 > scroll.scrollLeft + scroll.clientWidth)
    scroll.scrollLeft = x + layout.column - 12 - scroll.clientWidth;
}

function size() {
  const scroll = $("scroll");
  $("stage").style.width = scroll.clientWidth + "px";
  $("sizer").style.width = Math.max(layout.width, scroll.clientWidth) + "px";
  // A horizontal scroll bar takes a part of the height.
  $("stage").style.height = scroll.clientHeight + "px";
  $("sizer").style.height = Math.max(HEAD + Math.min(layout.height, MOST_HEIGHT), scroll.clientHeight) + "px";
}

function measureLetters() {
  const context = element("canvas").getContext("2d");
  context.font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`;
  letter = context.measureText("mmmmmmmmmm").width / 10;
}

function plan() {
  if (!planned) planned = requestAnimationFrame(draw);
}

function draw() {
  cancelAnimationFrame(planned);
  planned = 0;
  const top = topOfView(), view = viewHeight(), left = $("scroll").scrollLeft;
  const from = Math.max(0, rowAt(layout.y, top - 30)), to = Math.min(layout.count, rowAt(layout.y, top + view + 30));
  const svg = document.createDocumentFragment(), width = $("scroll").clientWidth;
  const moved = make(svg, "g", {role: "presentation", transform: `translate(${-left} ${-top})`});
  const edge = {from, to, top, bottom: top + view, right: Math.max(width, layout.width)};
  drawBands(moved, edge);
  for (const lane of layout.lanes)
    make(moved, "line", {class: "lane", "data-lane": lane, x1: layout.x.get(lane), x2: layout.x.get(lane), y1: top,
      y2: Math.min(top + view, layout.height)});
  // For screen readers, the list has nothing but the calls; the details of a call have its arrows as links.
  const arrows = drawArrows(make(moved, "g", {"aria-hidden": "true"}), edge);
  const bars = make(moved, "g", {class: "bars", "aria-hidden": "true"});
  for (const row of layout.long) if (row < from || row >= to) drawBar(bars, row, edge);
  for (let row = Math.max(0, from - FAR); row < from; row++) drawBar(bars, row, edge);
  for (let row = to; row < Math.min(layout.count, to + FAR); row++) drawBar(bars, row, edge);
  const marks = make(moved, "g", {role: "presentation"});
  for (let row = from; row < to; row++) drawMark(marks, row, edge);
  drawTimes(make(svg, "g", {class: "times", "aria-hidden": "true", transform: `translate(0 ${-top})`}), edge);
  $("svg").replaceChildren(svg);
  $("svg").setAttribute("width", width);
  $("svg").setAttribute("height", view);
  const active = state.call >= 0 && layout.place[state.call] >= from && layout.place[state.call] < to;
  if (active) $("svg").setAttribute("aria-activedescendant", "call-" + keyOf(state.call));
  else $("svg").removeAttribute("aria-activedescendant");
  $("svg").dataset.arrows = arrows;
  $("svg").dataset.rows = layout.count;
  $("heads").style.transform = `translateX(${-left}px)`;
  drawWindow(top, view);
}

// Bands behind the rows: errors, matches, the selected call and its partners, and shortened pauses.
function drawBands(parent, {from, to, right}) {
  const high = Math.max(2, ROW * state.zoom), hits = state.query && !state.only ? matches(state.query) : null;
  const partners = new Set(state.call < 0 ? [] : [...arrowsOf(state.call)].flatMap(a =>
    [data.arrows.from[a], data.arrows.to[a]]));
  for (let row = from; row < to; row++) {
    const i = layout.rows[row], y = layout.y[row];
    const kind = i === state.call ? "chosen" : hits?.[i] ? "hit" : partners.has(i) ? "partner" : data.bad[i] ? "fault" : "";
    if (kind) make(parent, "rect", {class: `band ${kind}`, x: 0, y: y - high / 2, width: right, height: high});
    const waited = row ? layout.t[row] - layout.t[row - 1] : 0;
    if (state.view === "time" && waited > layout.pause) {
      const middle = (y + layout.y[row - 1]) / 2;
      make(parent, "rect", {class: "pause", x: layout.time, y: middle - 7, width: right - layout.time, height: 14, fill: "url(#hatch)"});
    } else if (state.view === "order" && waited > 50e6 && high >= 12)
      make(parent, "line", {class: "pause", x1: layout.time, x2: right, y1: y - high / 2, y2: y - high / 2});
  }
}

function drawTimes(parent, {from, to, top, bottom}) {
  const high = ROW * state.zoom;
  make(parent, "rect", {class: "paper", x: 0, y: top, width: layout.time - 8, height: bottom - top});
  let low = -Infinity;
  for (let row = from; row < to; row++) {
    const y = layout.y[row], before = layout.y[row - 1], waited = row ? layout.t[row] - layout.t[row - 1] : 0;
    if (state.view === "time" && waited > layout.pause && high >= 12)
      make(parent, "text", {class: "paused", x: layout.time - 14, y: (y + before) / 2 + 4}, "+" + duration(waited));
    if (y - low < 13) continue;
    low = y;
    make(parent, "text", {class: "time", x: layout.time - 14, y: y + 4}, timeText(row));
  }
}

function timeText(row) {
  const {at} = data.columns, i = layout.rows[row];
  if (state.clock === "day") return timeOfDay(at[i]);
  if (state.clock === "previous") return row ? "+" + duration(Math.max(0, at[i] - at[layout.rows[row - 1]])) : "0";
  return seconds(at[i]);
}

const classOf = i => data.value("group", i) + (data.bad[i] ? " bad" : "") + (data.columns.idle[i] ? " idle" : "")
  + (isOpen(i) ? " open" : "");

function drawBar(parent, row, {top, bottom}) {
  const [upper, lower] = barOf(row), i = layout.rows[row];
  if (lower < top || upper > bottom) return;
  const begin = Math.max(upper, top - 10), lane = data.columns.lane[i];
  // The bars of up to four threads overlap by half. More are narrower, and do not overlap.
  const places = data.widths[lane], step = 16 / places, thin = places > 4;
  make(parent, "rect", {class: `bar ${classOf(i)}${thin ? " thin" : ""}`, "data-call": i,
    x: layout.x.get(lane) - 4 + data.slots[i] * step, y: begin, width: thin ? step * 0.8 : 8, rx: thin ? 0 : 2.5,
    height: Math.max(2, Math.min(lower, bottom + 10) - begin)});
}

function drawMark(parent, row, edge) {
  const i = layout.rows[row], y = layout.y[row], lane = data.columns.lane[i], high = ROW * state.zoom;
  const x = layout.x.get(lane), text = data.text(i);
  const mark = make(parent, "g", {class: `mark ${classOf(i)}`, id: "call-" + keyOf(i), "data-event": i, role: "option",
    "aria-selected": i === state.call, "aria-posinset": row + 1, "aria-setsize": layout.count,
    "aria-label": `${data.lanes[lane].name}: ${text}, at ${seconds(data.columns.at[i])} s`});
  make(mark, "rect", {class: "under", x: x - 10, y: y - Math.max(2, high / 2), width: layout.column - 4,
    height: Math.max(2, high)});
  drawBar(mark, row, edge);
  if (high < 12) return;
  const took = data.columns.end[i] - data.columns.start[i], wide = layout.column >= 250;
  const room = Math.floor((layout.column - GUTTER - 16 - (wide ? 68 : 0)) / letter);
  const [call, outcome] = shortened(i, data.bad[i] ? room - 2 : room);
  const label = make(mark, "text", {class: "label", x: x + GUTTER, y: y + 4});
  const name = call.startsWith(data.value("call", i)) ? data.value("call", i) : call;
  if (data.bad[i]) make(label, "tspan", {class: "sign"}, "✕ ");
  if (name) make(label, "tspan", {class: "name"}, name);
  make(label, "tspan", {}, call.slice(name.length) + (call ? " " : ""));
  make(label, "tspan", {class: "outcome"}, outcome);
  if (wide && (took || !isOpen(i)))
    make(mark, "text", {class: "took", x: x + layout.column - 20, y: y + 4}, duration(took));
}

// Arrows of the visible calls. Each has a vertical part next to a lane's line and a horizontal part in the row that is
// free: to the right in the target's row, to the left in the source's. So it crosses no label, because labels are on the
// right of their lines and each row has one. Its text is in the horizontal part, in the column left of the label.
function drawArrows(parent, {from, to, top, bottom}) {
  const drawn = new Set(), texts = new Map(), paths = new Set();
  const add = i => { for (const arrow of arrowsOf(i)) drawn.add(arrow); };
  for (let row = Math.max(0, from - FAR); row < Math.min(layout.count, to + FAR); row++) add(layout.rows[row]);
  if (state.call >= 0) add(state.call);
  for (const arrow of drawn) {
    const r1 = layout.place[data.arrows.from[arrow]], r2 = layout.place[data.arrows.to[arrow]];
    if (r1 < 0 || r2 < 0 || r1 >= layout.count || r2 >= layout.count) continue;
    const y1 = layout.y[r1], y2 = layout.y[r2];
    if (Math.max(y1, y2) < top || Math.min(y1, y2) > bottom) continue;
    drawArrow(parent, arrow, r1, r2, texts, paths, {top, bottom});
  }
  for (const said of texts.values()) drawText(parent, said);
  return paths.size;
}

// The text of the first arrow of a row, and how many more there are.
function drawText(parent, {x, y, room, kind, list}) {
  const more = list.length > 1 ? ` (+${list.length - 1})` : "", small = letter * 11 / 12;
  const most = Math.floor(room / small) - more.length;
  if (ROW * state.zoom < 16 || most < 6) return;
  const text = (list[0].length > most ? list[0].slice(0, most - 1) + "…" : list[0]) + more;
  const node = make(parent, "g", {class: `said ${kind}`});
  make(node, "rect", {x: x - 5, y: y - 8, width: text.length * small + 10, height: 16, rx: 8});
  make(node, "text", {x, y: y + 4}, text);
}

function drawArrow(parent, arrow, r1, r2, texts, paths, {top, bottom}) {
  const source = data.arrows.from[arrow], target = data.arrows.to[arrow], {lane} = data.columns;
  const a = layout.x.get(lane[source]), b = layout.x.get(lane[target]);
  const clip = y => Math.max(top - 40, Math.min(bottom + 40, y));
  const y1 = clip(layout.y[r1]), y2 = clip(layout.y[r2]), down = Math.sign(y2 - y1) || 1;
  const bend = Math.min(5, Math.abs(y2 - y1) / 2);
  let path;
  if (b > a) {
    const turn = a + 8 + (arrow % 3) * 3;
    path = `M${a + 4} ${y1}H${turn - bend}q${bend} 0 ${bend} ${bend * down}V${y2 - bend * down}q0 ${bend * down} ${bend} `
      + `${bend * down}H${b - 6}`;
  } else if (b < a) {
    // The head is between the bar and the vertical part.
    const turn = b + 15 + arrow % 3;
    path = `M${a - 4} ${y1}H${turn + bend}q${-bend} 0 ${-bend} ${bend * down}V${y2 - bend * down}q0 ${bend * down} `
      + `${-Math.min(bend, 3)} ${bend * down}H${b + 6}`;
  } else path = `M${a + 4} ${y1}H${a + 15 + arrow % 3}V${y2}H${b + 6}`;
  const kind = data.kind(arrow), chosen = source === state.call || target === state.call;
  const name = `arrow ${kind}${chosen ? " lit" : ""}`, same = `${name} ${path}`;
  // One call may send to thousands that are not visible: arrows that look the same are drawn once.
  if (!paths.has(same)) {
    const node = make(parent, "g", {class: name, "data-arrow": arrow, "data-from": source, "data-to": target});
    make(node, "title", {}, data.texts[data.arrows.text[arrow]]);
    make(node, "path", {class: "wide", d: path});
    make(node, "path", {class: "seen", d: path, "marker-end": `url(#head-${kind})`});
    paths.add(same);
  }
  const row = b > a ? r2 : r1;
  if (a === b || layout.y[row] < top - ROW || layout.y[row] > bottom + ROW) return;
  const right = Math.max(a, b), x = right - layout.column + GUTTER + 5;
  if (!texts.has(row)) texts.set(row, {x, y: layout.y[row], room: layout.column - GUTTER - 32, kind, list: []});
  texts.get(row).list.push(data.texts[data.arrows.text[arrow]]);
}

// Names often differ only at the end, so a long one is cut in the middle.
function shortName(name, room) {
  const pen = element("canvas").getContext("2d");
  pen.font = "600 13px system-ui, sans-serif";
  const width = pen.measureText(name).width;
  if (width <= room) return name;
  const most = Math.max(4, Math.floor(name.length * room / width) - 2), last = Math.min(10, most >> 1);
  return name.slice(0, most - last) + "…" + name.slice(-last);
}

function drawHeads() {
  $("heads").replaceChildren(...layout.lanes.map(lane => {
    const {name, argv, pid, backend} = data.lanes[lane], head = document.createElement("span");
    head.style.left = layout.x.get(lane) - 8 + "px";
    head.style.maxWidth = layout.column - 10 + "px";
    head.textContent = shortName(name, layout.column - 30);
    head.title = `${name}\n${argv}\nprocess ${pid}, ${backend}`;
    return head;
  }));
}

// Definitions that never change are in an SVG of their own.
function drawDefinitions() {
  const svg = make(document.body, "svg", {width: 0, height: 0, class: "definitions", "aria-hidden": "true"});
  const defs = make(svg, "defs", {});
  for (const kind in KINDS) {
    const head = make(defs, "marker", {id: "head-" + kind, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 8,
      markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto", class: kind});
    make(head, "path", {d: "M0 0L10 5L0 10z", fill: "var(--colour)"});
  }
  const hatch = make(defs, "pattern", {id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)"});
  make(hatch, "rect", {width: 3, height: 8, class: "hatch"});
}
