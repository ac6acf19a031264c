// The strip next to the picture: all shown calls at once, with errors, matches and the visible part.
let strip = {height: 0};

function drawOverview() {
  const canvas = $("strip"), box = $("overview"), scale = devicePixelRatio || 1;
  const width = box.clientWidth, height = box.clientHeight;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  context.scale(scale, scale);
  strip = {height, scale: layout.height > height ? (height - 4) / layout.height : 1};
  const colours = data.texts.map(text => text in GROUPS ? style.getPropertyValue("--" + text) : "");
  const column = (width - 8) / Math.max(1, layout.lanes.length), at = new Map(layout.lanes.map((lane, k) => [lane, k]));
  const last = new Float64Array(layout.lanes.length).fill(-9), {lane, group} = data.columns;
  for (let row = 0; row < layout.count; row++) {
    const i = layout.rows[row], k = at.get(lane[i]), y = Math.round(layout.y[row] * strip.scale);
    if (y <= last[k] + 1) continue;
    last[k] = y;
    context.fillStyle = colours[group[i]];
    context.fillRect(4 + k * column, y, Math.max(2, column - 2), 1);
  }
  const marks = (rows, name, x, wide, high) => {
    context.fillStyle = style.getPropertyValue(name);
    let low = -9;
    for (const row of rows) {
      const y = Math.round(layout.y[row] * strip.scale);
      if (row >= layout.count || y === low) continue;
      low = y;
      context.fillRect(x, y - high / 2, wide, high);
    }
  };
  marks(hits(), "--hit-mark", 0, 4, 3);
  marks(layout.faults, "--error", 0, width, 3);
  if (state.call >= 0 && layout.place[state.call] >= 0) marks([layout.place[state.call]], "--accent", 0, width, 2);
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
