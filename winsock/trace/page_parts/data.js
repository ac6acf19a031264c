"use strict";
// The trace, decoded: columns of values, one for each call, and functions that format them.
const $ = id => document.getElementById(id);
const GROUPS = {connections: "connections", data: "data", sockets: "sockets", waiting: "waiting", names: "names, numbers"};
const KINDS = {connection: "connection", data: "bytes of a stream", datagram: "datagram", end: "end of stream",
  reset: "reset"};
let data;

function decode(given) {
  const {columns, texts, arrows} = given;
  const count = columns.lane.length;
  const bad = Uint8Array.from(columns.failed);
  const {firsts, links} = adjacent(arrows, count), names = Object.keys(GROUPS);
  const {slots, widths} = placesOfBars(columns, given.lanes.length, count);
  return {...given, count, bad, firsts, links, slots, widths, lower: null, content: null, lines: null,
    groups: Uint8Array.from(columns.group, group => Math.max(0, names.indexOf(texts[group]))),
    faults: bad.reduce((sum, one) => sum + one, 0),
    last: columns.end.reduce((most, end) => Math.max(most, end), 0),
    calls: columns.count.reduce((sum, one) => sum + one, 0),
    text: i => texts[columns.text[i]],
    value: (name, i) => texts[columns[name][i]],
    kind: arrow => texts[arrows.kind[arrow]]};
}

// The arrows of call i are links[firsts[i]] up to links[firsts[i + 1]].
function adjacent(arrows, count) {
  const firsts = new Int32Array(count + 1), total = arrows.from.length;
  for (let a = 0; a < total; a++) {
    firsts[arrows.from[a] + 1]++;
    if (arrows.to[a] !== arrows.from[a]) firsts[arrows.to[a] + 1]++;
  }
  for (let i = 0; i < count; i++) firsts[i + 1] += firsts[i];
  const next = firsts.slice(), links = new Int32Array(firsts[count]);
  for (let a = 0; a < total; a++) {
    links[next[arrows.from[a]]++] = a;
    if (arrows.to[a] !== arrows.from[a]) links[next[arrows.to[a]]++] = a;
  }
  return {firsts, links};
}

// The place of each call's bar in its lane, and how many places each lane has: bars of different threads are next to each
// other. Up to four threads have a place each. More threads share places, one call at a time.
const MOST_PLACES = 16;
function placesOfBars(columns, lanes, count) {
  const known = Array.from({length: lanes}, () => new Map()), slots = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const seen = known[columns.lane[i]], thread = columns.thread[i];
    if (!seen.has(thread)) seen.set(thread, seen.size);
    slots[i] = Math.min(seen.get(thread), MOST_PLACES - 1);
  }
  const widths = known.map((seen, lane) => seen.size <= 4 ? 4 : sharedPlaces(columns, lane, slots));
  return {slots, widths};
}

function sharedPlaces({lane, start, end, thread}, wanted, slots) {
  const calls = [], last = new Map(), ends = [];
  for (let i = 0; i < slots.length; i++) if (lane[i] === wanted) calls.push(i);
  calls.sort((a, b) => start[a] - start[b] || a - b);
  for (const i of calls) {
    let slot = last.get(thread[i]) ?? -1;
    if (slot < 0 || ends[slot] > start[i]) slot = ends.findIndex(busy => busy <= start[i]);
    if (slot < 0) slot = Math.min(ends.length, MOST_PLACES - 1);
    ends[slot] = Math.max(ends[slot] ?? 0, end[i]);
    last.set(thread[i], slot);
    slots[i] = slot;
  }
  return Math.max(4, ends.length);
}

// The bytes that hexadecimal digits stand for.
function codesOf(hex) {
  const codes = new Uint8Array(hex.length / 2), digit = code => code < 58 ? code - 48 : (code | 32) - 87;
  for (let k = 0; k < codes.length; k++) codes[k] = digit(hex.charCodeAt(2 * k)) * 16 + digit(hex.charCodeAt(2 * k + 1));
  return codes;
}

const arrowsOf = i => data.links.subarray(data.firsts[i], data.firsts[i + 1]);

// The lane and the number of the call in its program. A link may also name the first call of a lane that found something
// to do, such as 1.recv. When newer data arrives, the lane of a program may have another number: see sameLane.
const keyOf = i => `${data.columns.lane[i]}.${data.columns.n[i]}`;
function findKey(key) {
  const match = /^(\d+)\.(?:(-?\d+)|(\w+))$/.exec(key ?? "");
  if (!match) return -1;
  const {lane, n, idle} = data.columns, wantedLane = Number(match[1]), wanted = Number(match[2]);
  for (let i = 0; i < data.count; i++)
    if (lane[i] === wantedLane && (n[i] === wanted || (match[3] === data.value("call", i) && !idle[i]))) return i;
  return -1;
}

// The lane in the new data of the program that was in this lane; -1 if there is none. Its name may have changed: a number
// is added to a name that occurs twice.
function sameLane(lane, lanes) {
  const {name, pid} = lane, at = lanes.findIndex(other => other.pid === pid && other.name === name);
  return at >= 0 ? at : lanes.findIndex(other => other.pid === pid);
}

function duration(ns) {
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e4) return `${(ns / 1e3).toFixed(1)} µs`;
  if (ns < 999.5e3) return `${Math.round(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${(ns / 1e6).toPrecision(3)} ms`;
  if (ns < 60e9) return `${(ns / 1e9).toPrecision(3)} s`;
  const seconds = Math.round(ns / 1e9), two = n => String(n).padStart(2, "0");
  return seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`
    : `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} h`;
}
const seconds = ns => (ns / 1e9).toFixed(6);
function timeOfDay(ns) {
  // A number of JavaScript cannot hold the nanoseconds since 1970.
  const since = data.fraction + ns, date = new Date(data.wall + Math.floor(since / 1e6));
  const two = n => String(n).padStart(2, "0");
  const micro = date.getMilliseconds() * 1000 + Math.floor(since % 1e6 / 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(micro).padStart(6, "0")}`;
}
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// The call and its outcome: "recv(260, ...)" and "= 16"; of an error only the name.
function parts(i) {
  const text = data.text(i), name = data.value("call", i);
  if (data.columns.count[i] > 1) return ["", text];
  const at = data.value("error", i) && text.includes(") raised ") ? text.indexOf(") raised ")
    : Math.max(text.lastIndexOf(") = "), text.lastIndexOf(") has not returned"));
  if (at < 0 || !text.startsWith(name)) return ["", text];
  const error = /^= (?:SOCKET_ERROR|INVALID_SOCKET|NULL) \(#\d+\) (\w+): /.exec(text.slice(at + 2));
  return [text.slice(0, at + 1), error ? `= ${error[1]}` : text.slice(at + 2)];
}

// Whether a call has not returned: its program waits, or was ended.
const isOpen = i => data.text(i).endsWith(") has not returned");

// The same in at most `room` characters: the name of the call and the outcome stay as long as possible.
function shortened(i, room) {
  let [call, outcome] = parts(i);
  if (!call) return ["", outcome.length > room ? outcome.slice(0, room - 1) + "…" : outcome];
  const name = data.value("call", i), left = Math.max(room - outcome.length - 1, Math.min(name.length, room - 4));
  if (call.length > left) call = left > name.length + 5 ? call.slice(0, left - 2) + "…)"
    : name.length > left ? name.slice(0, left - 1) + "…" : name;
  const rest = room - call.length - 1;
  return [call, outcome.length > rest ? outcome.slice(0, Math.max(1, rest - 1)) + "…" : outcome];
}
