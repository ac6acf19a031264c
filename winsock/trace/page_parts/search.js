// Finding calls: matches of a text, errors, the next call, and the step mode.
let found = {query: "", flags: null, rows: null, layout: null};

// For each call, whether its text, arguments, addresses, bytes, thread or source line match. Many calls have the same
// thread and the same file. So a thread matches from its beginning, and a line only a query like "client.py:12".
function matches(query) {
  if (found.flags && found.query === query) return found.flags;
  prepareSearch();
  const wanted = query.toLowerCase(), {text, args, local, peer, thread, bytes} = data.columns, {content, lower, lines} = data;
  const has = Uint8Array.from(lower, given => given.includes(wanted) ? 1 : 0);
  const begins = Uint8Array.from(lower, given => given.startsWith(wanted) ? 1 : 0);
  const inLine = Uint8Array.from(lines.texts, line => /[.:]./.test(wanted) && line.includes(wanted) ? 1 : 0);
  const digits = hexDigits(wanted), flags = new Uint8Array(data.count);
  // The bytes are text of one byte for each character, or UTF-8.
  const encoded = LATIN.decode(new TextEncoder().encode(query)).toLowerCase(), other = encoded !== wanted;
  const hasValue = given => { for (let k = 1; k < given.length; k += 2) if (has[given[k]]) return true; };
  const hasField = given => { for (const field of given[3] ?? []) if (has[field[3]]) return true; };
  for (let i = 0; i < data.count; i++)
    if (has[text[i]] || has[local[i]] || has[peer[i]] || begins[thread[i]] || inLine[lines.of[i]] || hasValue(args[i])
      || content[i].includes(wanted) || (other && content[i].includes(encoded)) || hasField(bytes[i])
      || (digits && hasBytes(i, digits))) flags[i] = 1;
  found = {query, flags, rows: null, layout: null};
  return flags;
}

// The digits of bytes that are given as the details show them, such as "0d 0a"; "" of another query.
const hexDigits = query => /^[0-9a-f]{2}( [0-9a-f]{2})+ ?$/.test(query) ? query.replaceAll(" ", "") : "";

function hasBytes(i, digits) {
  const hex = (data.columns.bytes[i] || [])[1] ?? "";
  let at = hex.indexOf(digits);
  while (at >= 0 && at % 2) at = hex.indexOf(digits, at + 1);
  return at >= 0;
}

function prepareSearch() {
  data.lower ??= data.texts.map(text => text.toLowerCase());
  data.content ??= data.columns.bytes.map(given => given ? contentOf(given[1]) : "");
  data.lines ??= linesOf(data.columns.source);
}

// The different lines of the source, such as "client.py:12", and for each call the index of its line.
function linesOf(sources) {
  const known = new Map(), texts = [""], of = new Int32Array(sources.length);
  sources.forEach((source, i) => {
    if (!source) return;
    const key = source[0] * 2 ** 31 + source[1];
    if (!known.has(key)) known.set(key, texts.push(`${data.texts[source[0]]}:${source[1]}`.toLowerCase()) - 1);
    of[i] = known.get(key);
  });
  return {texts, of};
}

// Recorded bytes as text.
const LATIN = new TextDecoder("latin1");
const contentOf = hex => LATIN.decode(codesOf(hex)).toLowerCase();

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

// The index of the first of `count` numbers of a sorted list that is not below `value`; `count` if there is none.
function positionIn(list, value, count = list.length) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

// The row of the selected call; -1 if there is none, or if the filter hides it.
const here = () => layout.place[state.call] ?? -1;

const firstVisible = () => rowAt(layout.y, topOfView());

function goIn(rows, direction, what) {
  if (!rows.length) return say(`no ${what} among the shown calls`);
  // Without a selected call, from the first visible one.
  const row = here(), from = row >= 0 ? row + (direction > 0 ? 1 : 0) : firstVisible(), at = positionIn(rows, from);
  const next = direction > 0 ? (at < rows.length ? at : 0) : (at > 0 ? at - 1 : rows.length - 1);
  if (rows.length > 1 && (direction > 0 ? at === rows.length : at === 0))
    say(direction > 0 ? "continued at the beginning" : "continued at the end");
  select(layout.rows[rows[next]]);
}
const goToMatch = direction => goIn(hits(), direction, "match");
const goToFault = direction => goIn(layout.faults.filter(row => row < layout.count), direction, "error");

function move(direction) {
  if (!layout.count) return;
  let row = here();
  // Without a selected call, the arrow keys select the first visible one.
  if (row < 0) row = firstVisible() + (Math.abs(direction) === 1 ? 0 : direction);
  else row += direction;
  select(layout.rows[Math.min(layout.count - 1, Math.max(0, row))]);
}

function goToPartner() {
  const arrows = state.call >= 0 ? [...arrowsOf(state.call)] : [];
  const others = arrows.map(a => data.arrows.from[a] === state.call ? data.arrows.to[a] : data.arrows.from[a]);
  if (others.length) select(others[0]); else say(state.call < 0 ? "select a call first" : "no matching call");
}

function search(query) {
  state.query = query;
  if (state.only) update(); else { refresh(); writeFragment(); }
  const rows = hits(), from = here() >= 0 ? here() : firstVisible();
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
