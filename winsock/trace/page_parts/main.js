// Starts the page, and connects the parts.

// After a change of the data or the filter.
function update() {
  makeLayout();
  drawHeads();
  showControls();
  showSteps();
  refresh();
  draw();
  writeFragment();
}

// After a change of the selected call or the matches; then the picture has to be drawn.
function refresh() {
  showCounts();
  showDetailsAndSize();
  // After everything that changes the height of what is above and below the picture.
  size();
  drawOverview();
}

function showDetailsAndSize() {
  if (!showDetails()) return;
  // The pane opened or closed: the picture has another width.
  placeLanes();
  drawHeads();
}

function select(i) {
  state.call = i;
  if (i > state.step) state.step = -1;
  const place = i >= 0 ? layout.place[i] : 0;
  if (i >= 0 && (place < 0 || place >= layout.count)) reveal(i);
  refresh();
  if (here() >= 0) showRow(here());
  draw();
  writeFragment();
}

// Changes the filter so that a call is shown.
function reveal(i) {
  state.hidden.delete(data.columns.lane[i]);
  state.groups.add(data.value("group", i));
  if (data.columns.idle[i]) state.idle = true;
  if (!data.bad[i]) state.errors = false;
  if (state.only && !matches(state.query)[i]) state.only = false;
  fill();
  makeLayout();
  drawHeads();
  showControls();
  showSteps();
}

function resized() {
  placeLanes();
  drawHeads();
  refresh();
  draw();
}

// New data in the same view: the selected call, the filter and the place stay. At the end, the page follows the new calls.
function setData(given) {
  const top = topOfView(), atEnd = layout.height <= viewHeight() + top + 40;
  const row = Math.min(layout.count - 1, rowAt(layout.y, top));
  const lanes = data.lanes.map(lane => sameLane(lane, given.lanes));
  const [call, revealed, first] = [state.call, state.step, layout.rows[row] ?? -1].map(i => i >= 0
    ? `${lanes[data.columns.lane[i]]}.${data.columns.n[i]}` : "");
  const offset = row >= 0 ? layout.y[row] - top : 0, names = JSON.stringify(data.lanes);
  data = decode(given);
  found = {query: "", flags: null, rows: null, layout: null};
  Object.assign(state, {call: findKey(call), step: findKey(revealed), hidden: new Set([...state.hidden]
    .map(lane => lanes[lane]).filter(lane => lane >= 0))});
  if (given.title) document.title = document.querySelector("h1").textContent = given.title;
  if (JSON.stringify(data.lanes) !== names) fill();
  update();
  const place = layout.place[findKey(first)] ?? -1;
  if (atEnd && state.step < 0) scrollToY(layout.height);
  else if (place >= 0) scrollToY(layout.y[place] - offset);
  draw();
}

function open() {
  state = readFragment();
  const wanted = new URLSearchParams(location.hash.slice(1)).get("call");
  if (wanted && state.call < 0) say(`this trace has no call ${wanted}`);
  fill();
  update();
  clearTimeout(writing);
  if (here() >= 0) showRow(here());
  plan();
}

function selectAt(node) {
  const mark = node?.closest("[data-event], [data-call]"), arrow = node?.closest("[data-arrow]");
  if (arrow) select(Number(arrow.dataset.to));
  else if (mark) select(Number(mark.dataset.event ?? mark.dataset.call));
}

function watchPicture() {
  $("scroll").addEventListener("scroll", plan, {passive: true});
  // Not a click of the mouse: there is none if the picture was drawn again since the button went down.
  let down = null;
  $("svg").addEventListener("pointerdown", event => { down = event.button === 0 ? event : null; });
  $("svg").addEventListener("pointerup", event => {
    if (down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 6)
      selectAt(document.elementFromPoint(event.clientX, event.clientY));
    down = null;
  });
  // A screen reader clicks without a pointer.
  $("svg").addEventListener("click", event => { if (!event.detail) selectAt(event.target); });
  $("svg").addEventListener("mouseover", event => {
    const mark = event.target.closest("[data-event]")?.dataset.event ?? "";
    for (const arrow of $("svg").querySelectorAll(".arrow"))
      arrow.classList.toggle("near", mark !== "" && (arrow.dataset.from === mark || arrow.dataset.to === mark));
  });
  $("scroll").addEventListener("wheel", event => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoomTo(state.zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
  }, {passive: false});
  $("details").addEventListener("mouseover", lightField);
  addEventListener("resize", resized);
  addEventListener("hashchange", open);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawOverview);
}

data = decode(JSON.parse($("json").textContent));
drawDefinitions();
legend();
watchControls();
watchPicture();
watchOverview();
measureLetters();
open();
// The first search is as fast as the others.
setTimeout(prepareSearch, 200);
