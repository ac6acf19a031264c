// What is shown and how. The fragment of the page's address has the same values, so a link reopens the same view.
const ZOOMS = [0.1, 4];
const DEFAULT_GROUPS = ["sockets", "connections", "data", "waiting"];
const initial = () => ({hidden: new Set(), groups: new Set(DEFAULT_GROUPS), idle: true, errors: false, query: "",
  only: false, view: "order", clock: "first", zoom: 1, call: -1, step: -1});
let state = initial();

function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1)), read = initial();
  const list = name => given.get(name).split(",").filter(Boolean);
  if (given.has("lanes")) {
    const shown = new Set(list("lanes").map(Number));
    read.hidden = new Set([...data.lanes.keys()].filter(lane => !shown.has(lane)));
  }
  if (given.has("groups")) read.groups = new Set(list("groups").filter(group => group in GROUPS));
  read.idle = given.get("idle") !== "0";
  read.errors = given.get("errors") === "1";
  read.query = given.get("q") ?? "";
  read.only = given.get("only") === "1";
  if (given.get("view") === "time") read.view = "time";
  if (["previous", "day"].includes(given.get("clock"))) read.clock = given.get("clock");
  if (Number(given.get("zoom")) > 0) read.zoom = Math.min(ZOOMS[1], Math.max(ZOOMS[0], Number(given.get("zoom"))));
  read.call = findKey(given.get("call"));
  read.step = findKey(given.get("step"));
  return read;
}

function fragment(call = state.call) {
  const kept = new URLSearchParams();
  if (state.hidden.size) kept.set("lanes", [...data.lanes.keys()].filter(lane => !state.hidden.has(lane)).join());
  if ([...state.groups].sort().join() !== [...DEFAULT_GROUPS].sort().join()) kept.set("groups", [...state.groups].join());
  if (!state.idle) kept.set("idle", "0");
  if (state.errors) kept.set("errors", "1");
  if (state.query) kept.set("q", state.query);
  if (state.only) kept.set("only", "1");
  if (state.view !== "order") kept.set("view", state.view);
  if (state.clock !== "first") kept.set("clock", state.clock);
  if (state.zoom !== 1) kept.set("zoom", state.zoom.toFixed(2));
  if (call >= 0) kept.set("call", keyOf(call));
  if (state.step >= 0) kept.set("step", keyOf(state.step));
  return "#" + kept;
}

// A browser limits how often a page may change its address.
let writing = 0;
function writeFragment() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", fragment()), 100);
}
