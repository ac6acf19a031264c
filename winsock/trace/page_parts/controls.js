// The controls above the picture, the keys, and the legend.
const KEYS = [
  ["Space", "step through: reveal the next call", () => step(1)],
  ["Shift+Space", "step through: take the last call back", () => { if (state.step >= 0) step(-1); }],
  ["↓ or J", "next call", () => move(1), "ArrowDown", "j"],
  ["↑ or K", "previous call", () => move(-1), "ArrowUp", "k"],
  ["Page Down", "a screen of calls down", () => move(screenful()), "PageDown"],
  ["Page Up", "a screen of calls up", () => move(-screenful()), "PageUp"],
  ["Home", "first call", () => move(-Infinity), "Home"],
  ["End", "last call", () => move(Infinity), "End"],
  ["Enter or M", "the matching call on the other side", () => goToPartner(), "Enter", "m"],
  ["/ or Ctrl+F", "find a text", () => { $("query").focus(); $("query").select(); }, "/"],
  ["N", "next match", () => goToMatch(1), "n"],
  ["Shift+N", "previous match", () => goToMatch(-1), "N"],
  ["E", "next error", () => goToFault(1), "e"],
  ["Shift+E", "previous error", () => goToFault(-1), "E"],
  ["T", "rows by order or by time", () => change({view: state.view === "time" ? "order" : "time"}), "t"],
  ["+", "zoom in", () => zoomTo(state.zoom * 1.25), "+", "="],
  ["-", "zoom out", () => zoomTo(state.zoom / 1.25), "-"],
  ["0", "reset the view and the filter", () => reset(), "0"],
  ["L", "copy a link to this call and view", () => copyLink(), "l"],
  ["?", "legend, keys and limits", () => $("about").showModal(), "?"],
  ["Esc", "end the step mode, or close the details", () => escape(), "Escape"],
];

const screenful = () => Math.max(1, Math.floor(viewHeight() / (ROW * state.zoom)) - 2);

function change(values) {
  Object.assign(state, values);
  const row = here(), y = row >= 0 ? layout.y[row] - topOfView() : 0;
  const top = layout.count ? layout.rows[Math.min(layout.count - 1, rowAt(layout.y, topOfView()))] : -1;
  update();
  // The selected call, or the first visible one, stays where it was.
  if (here() >= 0 && y > 0 && y < viewHeight()) scrollToY(layout.y[here()] - y);
  else if (top >= 0 && layout.count) scrollToY(layout.y[Math.min(layout.count - 1, positionIn(layout.rows, top))] - PAD);
  plan();
}

function zoomTo(zoom) {
  change({zoom: Math.min(ZOOMS[1], Math.max(ZOOMS[0], Math.abs(zoom - 1) < 0.08 ? 1 : zoom))});
}

function reset() {
  state = {...initial(), call: state.call};
  fill();
  change({});
}

function copyLink() {
  history.replaceState(null, "", fragment());
  copy(location.href, state.call >= 0 ? "link to this call copied" : "link to this view copied");
}

function escape() {
  if (state.step >= 0) endSteps();
  else if (state.call >= 0) select(-1);
}

function chip(parent, text, pressed, act, key, name) {
  const button = element("button", {class: `chip ${key}`, "aria-pressed": pressed, "data-value": name}, text);
  if (key) button.prepend(element("i", {class: "key"}));
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    act(on);
    change({});
  });
  parent.append(button);
}

// Fills the controls from the state.
function fill() {
  const toggle = (set, value) => on => on ? set.add(value) : set.delete(value);
  $("groups").replaceChildren();
  for (const group in GROUPS)
    chip($("groups"), GROUPS[group], state.groups.has(group), toggle(state.groups, group), group, group);
  chip($("groups"), "nothing to do", state.idle, on => { state.idle = on; }, "waiting idle", "idle");
  chip($("groups"), "errors only", state.errors, on => { state.errors = on; }, "bad", "errors");
  $("lanes").replaceChildren();
  if (data.lanes.length > 1) data.lanes.forEach((lane, at) => chip($("lanes"), lane.name, !state.hidden.has(at),
    on => on ? state.hidden.delete(at) : state.hidden.add(at), "", `lane-${at}`));
  if ($("query").value !== state.query) $("query").value = state.query;
  $("only").checked = state.only;
  $("clock").value = state.clock;
}

function showControls() {
  $("by-order").setAttribute("aria-pressed", state.view === "order");
  $("by-time").setAttribute("aria-pressed", state.view === "time");
  $("zoom").textContent = Math.round(state.zoom * 100) + " %";
  const {calls} = layout;
  $("summary").textContent = !data.count ? "" : (calls === data.calls ? plural(calls, "call")
    : `${calls.toLocaleString("en")} of ${plural(data.calls, "call")}`)
    + `, ${plural(data.arrows.from.length, "arrow")}, ${duration(data.last)}, ${new Date(data.wall).toLocaleString()}`;
  $("summary").title = $("summary").textContent;
  document.querySelector("#legend .long").textContent = state.view === "time" ? `pause above ${duration(layout.pause)}, shortened`
    : "pause above 50 ms";
  document.querySelector("#legend .long").previousSibling.className = state.view === "time" ? "pause" : "line";
  $("empty").hidden = layout.count > 0;
  $("empty").textContent = data.count ? `The filter hides ${plural(data.calls, "call")}. Show more kinds of calls and programs, `
    + "or press 0 to reset the filter." : "No calls yet.";
}

function legend() {
  const list = [["bar error", "bad", "error"], ["bar", "data", "bar: duration of the call"],
    ["bar hollow", "waiting idle", "found nothing to do"],
    ...Object.entries(KINDS).map(([kind, text]) => ["arrow", kind, text]), ["pause", "", "long pause"]];
  const items = () => list.map(([shape, kind, text]) => element("span", {class: `sample ${kind}`},
    element("i", {class: shape, "aria-hidden": "true"}), element("span", {class: shape === "pause" ? "long" : ""}, text)));
  const more = element("button", {class: "plain"}, "What this page cannot show");
  more.addEventListener("click", () => $("about").showModal());
  $("legend").replaceChildren(...items(), element("span", {class: "space"}), more);
  const groups = Object.entries(GROUPS).map(([group, text]) => element("span", {class: `sample ${group}`},
    element("i", {class: "bar", "aria-hidden": "true"}), `calls: ${text}`));
  $("about-legend").replaceChildren(...[...groups, ...items()].map(item => element("li", {}, item)));
  $("about-keys").tBodies[0].replaceChildren(...KEYS.map(([keys, text]) => element("tr", {},
    element("td", {}, element("kbd", {}, keys)), element("td", {}, text))));
}

function pressed(event) {
  if ($("about").open || event.altKey) return;
  const inField = event.target.matches("input[type=search], select");
  if ((event.ctrlKey || event.metaKey) && event.key === "f" && document.activeElement !== $("query")) {
    event.preventDefault();
    $("query").focus();
    return $("query").select();
  }
  if (event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape" && inField) return $("svg").focus();
  if (inField) return;
  const acts = event.target.closest("button, a, input, summary"), scrolls = event.target.closest("#details");
  if (event.key === " ") {
    if (acts) return;
    event.preventDefault();
    return KEYS[event.shiftKey ? 1 : 0][2]();
  }
  if ((event.key === "Enter" && acts) || (scrolls && /^(Page|Arrow|Home|End)/.test(event.key))) return;
  const key = KEYS.find(entry => entry.slice(3).includes(event.key));
  if (!key) return;
  event.preventDefault();
  key[2]();
}

// After the mouse clicked on a control, the keys act on the picture again: Space reveals the next call.
function returnFocus() {
  let mouse = false;
  const back = event => {
    if (mouse && event.target.closest?.("button, select, .check")) $("svg").focus({preventScroll: true});
  };
  document.addEventListener("pointerdown", () => { mouse = true; }, true);
  document.addEventListener("keydown", () => { mouse = false; }, true);
  // Before the control acts: a dialog that it opens gives the focus back to the picture.
  document.addEventListener("click", event => { if (!event.target.closest("select")) back(event); }, true);
  document.addEventListener("change", back, true);
}

function watchControls() {
  returnFocus();
  const click = (id, act) => $(id).addEventListener("click", act);
  click("found-before", () => goToMatch(-1));
  click("found-after", () => goToMatch(1));
  click("fault-before", () => goToFault(-1));
  click("fault-after", () => goToFault(1));
  click("step", () => {
    if (state.step >= 0) endSteps(); else step(1);
    // Space must reveal the next call now, not press this button again.
    $("svg").focus();
  });
  click("step-back", () => step(-1));
  click("step-next", () => step(1));
  click("step-end", endSteps);
  click("link", copyLink);
  click("help", () => $("about").showModal());
  click("by-order", () => change({view: "order"}));
  click("by-time", () => change({view: "time"}));
  click("in", () => zoomTo(state.zoom * 1.25));
  click("out", () => zoomTo(state.zoom / 1.25));
  click("reset", reset);
  click("more", () => {
    const open = document.querySelector("header").classList.toggle("open");
    $("more").setAttribute("aria-expanded", open);
    resized();
  });
  click("about", event => { if (event.target === $("about")) $("about").close(); });
  $("query").addEventListener("input", () => search($("query").value));
  $("query").addEventListener("keydown", event => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    goToMatch(event.shiftKey ? -1 : 1);
  });
  $("only").addEventListener("change", () => change({only: $("only").checked}));
  $("clock").addEventListener("change", () => change({clock: $("clock").value}));
  document.addEventListener("keydown", pressed);
}
