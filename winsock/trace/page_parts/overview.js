// The strip next to the picture: all shown calls at once, with errors, matches and the visible part.
let strip = {height: 0, scale: 1, calls: null, layout: null, theme: ""};

function drawOverview() {
  const canvas = $("strip"), box = $("overview"), width = box.clientWidth, height = box.clientHeight;
  const style = getComputedStyle(document.documentElement), theme = style.getPropertyValue("--paper");
  if (strip.layout !== layout || strip.height !== height || strip.width !== width || strip.theme !== theme) {
    const scale = layout.height > height ? (height - 4) / layout.height : 1;
    strip = {width, height, scale, layout, theme, calls: drawCalls(width, height, scale, style)};
  }
  canvas.width = strip.calls.width;
  canvas.height = strip.calls.height;
  const context = canvas.getContext("2d");
  context.drawImage(strip.calls, 0, 0);
  context.scale(devicePixelRatio || 1, devicePixelRatio || 1);
  drawLines(context, hits(), style.getPropertyValue("--hit-mark"), 0, 4, 3);
  if (state.call >= 0 && layout.place[state.call] >= 0)
    drawLines(context, [layout.place[state.call]], style.getPropertyValue("--accent"), 0, width, 2);
}

// The calls and errors, which only change with the layout.
function drawCalls(width, height, scale, style) {
  const canvas = element("canvas"), ratio = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d"), colours = Object.keys(GROUPS).map(name => style.getPropertyValue("--" + name));
  context.scale(ratio, ratio);
  const column = (width - 8) / Math.max(1, layout.lanes.length), places = new Uint16Array(data.lanes.length);
  layout.lanes.forEach((lane, k) => { places[lane] = k; });
  const last = new Float64Array(layout.lanes.length).fill(-9), {lane} = data.columns;
  for (let row = 0; row < layout.count; row++) {
    const i = layout.rows[row], k = places[lane[i]], y = Math.round(layout.y[row] * scale);
    if (y <= last[k] + 1) continue;
    last[k] = y;
    context.fillStyle = colours[data.groups[i]];
    context.fillRect(4 + k * column, y, Math.max(2, column - 2), 1);
  }
  drawLines(context, layout.faults, style.getPropertyValue("--error"), 0, width, 3, scale);
  return canvas;
}

function drawLines(context, rows, colour, x, width, height, scale = strip.scale) {
  context.fillStyle = colour;
  let before = -9;
  for (const row of rows) {
    const y = Math.round(layout.y[row] * scale);
    if (row >= layout.count || y === before) continue;
    before = y;
    context.fillRect(x, y - height / 2, width, height);
  }
}

function drawWindow(top, view) {
  const line = $("window");
  line.style.top = Math.round(top * strip.scale) + "px";
  line.style.height = Math.max(6, Math.round(Math.min(view, layout.height) * strip.scale)) + "px";
}

function goToOverview(event) {
  const y = (event.clientY - $("overview").getBoundingClientRect().top) / strip.scale;
  scrollToY(y - viewHeight() / 2);
  plan();
}

function watchOverview() {
  const box = $("overview");
  box.addEventListener("pointerdown", event => { box.setPointerCapture(event.pointerId); goToOverview(event); });
  box.addEventListener("pointermove", event => { if (box.hasPointerCapture(event.pointerId)) goToOverview(event); });
}
