// Finding calls: matches of a text, errors, the next call, and the step mode.
let found = {query: "", flags: null, rows: null, layout: null};

// For each call, whether it matches; a longer query looks only at the matches of a shorter one.
function matches(query) {
  const wanted = query.toLowerCase();
  if (found.flags && found.query === wanted) return found.flags;
  lowerTexts();
  const before = found.flags && found.query && wanted.includes(found.query) ? found.flags : null;
  const flags = new Uint8Array(data.count), {text} = data.columns;
  for (let i = 0; i < data.count; i++)
    if ((!before || before[i]) && data.lower[text[i]].includes(wanted)) flags[i] = 1;
  found = {query: wanted, flags, rows: null, layout: null};
  return flags;
}

function lowerTexts() {
  data.lower ??= data.texts.map(text => text.toLowerCase());
}

// The rows of the matches.
function hits() {
  if (!state.query) return [];
  const flags = matches(state.query);
  if (found.layout !== layout) {
    const rows = [];
    for (let row = 0; row < layout.count; row++) if (flags[layout.rows[row]]) rows.push(row);
    Object.assign(found, {rows, layout});
  }
  return found.rows;
}

// The index of the first number of a sorted list that is not below `value`.
function positionIn(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

// From here the next match is searched: the selected call, or the first visible one.
function here() {
  const row = state.call >= 0 ? layout.place[state.call] : -1;
  return row >= 0 ? row : -1;
}

function goIn(rows, direction, what) {
  if (!rows.length) return say(`no ${what} among the shown calls`);
  const row = here(), at = positionIn(rows, direction > 0 ? row + 1 : row);
  const next = direction > 0 ? (at < rows.length ? at : 0) : (at > 0 ? at - 1 : rows.length - 1);
  if (row >= 0 && rows.length > 1 && (direction > 0 ? rows[next] <= row : rows[next] >= row))
    say(direction > 0 ? "continued at the beginning" : "continued at the end");
  select(layout.rows[rows[next]]);
}
const goToMatch = direction => goIn(hits(), direction, "match");
const goToFault = direction => goIn(layout.faults.filter(row => row < layout.count), direction, "error");

function move(direction) {
  if (!layout.count) return;
  let row = here();
  // Without a selected call, from the visible ones.
  if (row < 0 && Math.abs(direction) === 1) row = Math.min(rowAt(layout.y, topOfView()), layout.count - 1);
  else row = Math.min(layout.count - 1, Math.max(0, row + direction));
  select(layout.rows[row]);
}

function goToPartner() {
  const arrows = state.call >= 0 ? [...arrowsOf(state.call)] : [];
  const others = arrows.map(a => data.arrows.from[a] === state.call ? data.arrows.to[a] : data.arrows.from[a]);
  if (others.length) select(others[0]); else say(state.call < 0 ? "select a call first" : "no matching call");
}

function search(query) {
  state.query = query;
  if (state.only) update(); else { refresh(); writeFragment(); }
  const rows = hits(), from = here() >= 0 ? here() : rowAt(layout.y, topOfView());
  if (query && rows.length) showRow(rows[positionIn(rows, from)] ?? rows[0]);
  draw();
}

function showCounts() {
  const rows = hits(), at = here() >= 0 ? positionIn(rows, here()) : -1;
  const chosen = at >= 0 && rows[at] === here();
  $("found").textContent = !state.query ? "" : chosen ? `${at + 1} of ${rows.length.toLocaleString("en")}`
    : rows.length.toLocaleString("en");
  $("found").classList.toggle("none", Boolean(state.query) && !rows.length);
  $("found-before").disabled = $("found-after").disabled = !rows.length;
  $("fault-count").textContent = plural(data.faults, "error");
  $("faults").classList.toggle("some", data.faults > 0);
  $("fault-before").disabled = $("fault-after").disabled = !layout.faults.length;
}

// ---- the step mode: only the calls up to the revealed one are shown

function step(direction) {
  const {rows} = layout;
  if (!rows.length) return;
  let at = state.step >= 0 ? layout.count - 1 + direction : state.call >= 0 ? Math.max(0, layout.place[state.call]) : 0;
  if (at >= rows.length) return say("this was the last call");
  at = Math.max(0, at);
  state.step = rows[at];
  state.call = rows[at];
  update();
  showRow(at);
}

function endSteps() {
  state.step = -1;
  update();
  if (here() >= 0) showRow(here());
}

function showSteps() {
  const on = state.step >= 0;
  $("steps").hidden = !on;
  $("step").setAttribute("aria-pressed", on);
  $("step-count").textContent = `call ${layout.count.toLocaleString("en")} of ${layout.rows.length.toLocaleString("en")}`;
  $("step-back").disabled = layout.count <= 1;
  $("step-next").disabled = layout.count >= layout.rows.length;
}
