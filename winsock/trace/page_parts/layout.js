// Where each call is: its row, the height of the row, and the lines of the lanes.
//
// In the view "order" the rows have equal distances. In the view "time" the distance to the previous row grows with the
// time between the two calls, up to a longest pause; a longer one is drawn with this length, and marked. Every call has
// a row of its own in both views, so labels never overlap. Bars need times between the rows: `yOf` interpolates.
const ROW = 22, GAP = 76, HEAD = 32, PAD = 20, LEAST_COLUMN = 128, GUTTER = 20;
// Browsers limit the height of an element. A longer picture is scrolled in proportion.
const MOST_HEIGHT = 8e6;
// A bar that leaves more rows than this is kept in a list of its own.
const FAR = 200;
let layout = {rows: new Int32Array(0), count: 0, place: new Int32Array(0), y: new Float64Array(0), t: new Float64Array(0),
  calls: 0, height: 0, lanes: [], x: new Map(), column: 0, pause: Infinity, long: [], faults: [], time: 78,
  above: new Int32Array(0), below: new Int32Array(0), longest: 0};

function filterRows() {
  const rows = new Int32Array(data.count), only = state.only && state.query ? matches(state.query) : null;
  const {lane, idle} = data.columns, {groups, bad} = data, hidden = state.hidden;
  const allowed = Uint8Array.from(Object.keys(GROUPS), group => state.groups.has(group) ? 1 : 0);
  // A kind of calls that is hidden at first does not hide errors.
  const withErrors = Uint8Array.from(Object.keys(GROUPS), group => DEFAULT_GROUPS.includes(group) ? 0 : 1);
  let count = 0;
  for (let i = 0; i < data.count; i++)
    if ((allowed[groups[i]] || (bad[i] && withErrors[groups[i]])) && (state.idle || !idle[i]) && (!state.errors || bad[i]) && (!only || only[i])
      && !(hidden.size && hidden.has(lane[i]))) rows[count++] = i;
  return rows.subarray(0, count);
}

function makeLayout() {
  const rows = filterRows(), {at} = data.columns, place = new Int32Array(data.count).fill(-1);
  const y = new Float64Array(rows.length), t = new Float64Array(rows.length), faults = [];
  // The calls are in order of cause and effect; a clock may differ from it for a moment.
  let longest = 0;
  for (let r = 0, most = -Infinity; r < rows.length; r++) {
    place[rows[r]] = r;
    if (r) longest = Math.max(longest, at[rows[r]] - at[rows[r - 1]]);
    t[r] = most = Math.max(most, at[rows[r]]);
    if (data.bad[rows[r]]) faults.push(r);
  }
  const row = ROW * state.zoom, gap = GAP * state.zoom, pause = state.view === "time" ? longestPause(t) : Infinity;
  for (let r = 0, level = PAD; r < rows.length; r++) {
    if (r) level += row + (state.view === "time" ? gap * Math.min(1, (t[r] - t[r - 1]) / pause) : 0);
    y[r] = level;
  }
  // In the step mode, the calls after the revealed one are not drawn.
  let count = rows.length;
  if (state.step >= 0) while (count && rows[count - 1] > state.step) count--;
  let calls = 0;
  for (let r = 0; r < count; r++) calls += data.columns.count[rows[r]];
  layout = {rows, count, calls, place, y, t, pause, faults, longest, ...neighbours(rows, count),
    height: (count ? y[count - 1] : 0) + PAD + 20};
  layout.long = longBars();
  placeLanes();
}

// For each row, the rows above and below whose bars have the same place; -1 without one.
function neighbours(rows, count) {
  const above = new Int32Array(count).fill(-1), below = new Int32Array(count).fill(-1), {lane} = data.columns;
  const last = new Int32Array(data.lanes.length * MOST_PLACES).fill(-1);
  for (let r = 0; r < count; r++) {
    const at = lane[rows[r]] * MOST_PLACES + data.slots[rows[r]];
    above[r] = last[at];
    if (last[at] >= 0) below[last[at]] = r;
    last[at] = r;
  }
  return {above, below};
}

// The time that a gap of full length stands for: a round number that most distances do not exceed.
function longestPause(t) {
  const steps = [];
  for (let r = 1; r < t.length; r += Math.ceil(t.length / 5000)) if (t[r] > t[r - 1]) steps.push(t[r] - t[r - 1]);
  if (!steps.length) return 1e6;
  steps.sort((a, b) => a - b);
  const wanted = steps[Math.floor(steps.length * 0.8)] * 1.5, power = 10 ** Math.floor(Math.log10(wanted));
  return power * [1, 2, 5, 10].find(factor => factor * power >= wanted * 0.999);
}

function longBars() {
  const {start, end} = data.columns, {rows, count, t} = layout, long = [];
  for (let r = 0; r < count; r++) {
    const i = rows[r];
    if ((r >= FAR && start[i] < t[r - FAR]) || (r + FAR < count && end[i] > t[r + FAR])) long.push(r);
  }
  return long;
}

function placeLanes() {
  const lanes = [...data.lanes.keys()].filter(lane => !state.hidden.has(lane));
  layout.time = timeWidth();
  $("stage").style.setProperty("--time", layout.time - 8 + "px");
  const room = $("scroll").clientWidth - layout.time;
  layout.lanes = lanes;
  layout.column = Math.max(LEAST_COLUMN, Math.floor(room / Math.max(1, lanes.length)));
  layout.x = new Map(lanes.map((lane, at) => [lane, layout.time + at * layout.column + 12]));
  layout.width = layout.time + layout.column * lanes.length;
}

// The width of the column with the times: that of its longest text.
function timeWidth() {
  const pause = `+${duration(Math.max(0, layout.longest))}`.length;
  const texts = {first: seconds(data.last).length, day: timeOfDay(0).length, previous: Math.max(8, pause)};
  const longest = Math.max(texts[state.clock], state.view === "time" ? pause : 0);
  return Math.max(78, Math.ceil(longest * letter * 11 / 12) + 20);
}

// The first row whose value in the list is not smaller.
const rowAt = (list, value) => positionIn(list, value, layout.count);

function yOf(time) {
  const {t, y, count} = layout, after = rowAt(t, time);
  if (after === 0) return y[0] - ROW * state.zoom / 2;
  if (after === count) return y[count - 1] + ROW * state.zoom / 2;
  return y[after - 1] + (y[after] - y[after - 1]) * (time - t[after - 1]) / (t[after] - t[after - 1]);
}

// The upper and lower end of the bar of a row. It covers no other call's mark at the same place.
function barOf(row) {
  const i = layout.rows[row], y = layout.y[row], {start, end, at} = data.columns;
  const least = Math.min(5, Math.max(1, ROW * state.zoom / 2 - 1));
  const before = layout.above[row], after = layout.below[row];
  const highest = before < 0 ? -Infinity : layout.y[before] + least + 1;
  const lowest = after < 0 ? Infinity : layout.y[after] - least - 1;
  const top = start[i] < at[i] ? Math.min(y - least, Math.max(highest, yOf(start[i]))) : y - least;
  const bottom = end[i] > at[i] ? Math.max(y + least, Math.min(lowest, yOf(end[i]))) : y + least;
  return [top, bottom];
}
