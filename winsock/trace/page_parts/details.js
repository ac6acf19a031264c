// The pane with everything about the selected call.
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}

function showDetails() {
  const pane = $("details"), i = state.call, open = i >= 0, changed = pane.hidden === open;
  pane.hidden = !open;
  if (open) {
    const focused = pane.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const inside = pane.contains(document.activeElement), name = identityOf(i), same = pane.dataset.call === name;
    const sections = [headOf, callOf, argumentsOf, partnersOf, bytesOf, sourceOf, timesOf].map(part => part(i));
    // When newer data arrives, text that is selected in an unchanged section stays selected.
    if (same) sections.forEach((section, k) => {
      if (pane.children[k].outerHTML !== section.outerHTML) pane.children[k].replaceWith(section);
    });
    else {
      pane.replaceChildren(...sections);
      pane.scrollTop = 0;
    }
    pane.dataset.call = name;
    if (inside && !pane.contains(document.activeElement))
      (focused && pane.querySelector(`button[aria-label="${focused}"]:enabled`) || pane).focus();
  }
  return changed;
}

// Also the same when newer data arrives.
function identityOf(i) {
  const {name, pid} = data.lanes[data.columns.lane[i]];
  return `${pid} ${name} ${data.columns.n[i]}`;
}

function headOf(i) {
  const row = layout.place[i], button = (text, title, act, off) => {
    const node = element("button", {title, "aria-label": title.replace(/ \(.*/, "")}, text);
    node.disabled = off;
    node.addEventListener("click", act);
    return node;
  };
  const of = row < 0 ? "hidden by the filter" : `${(row + 1).toLocaleString("en")} of ${plural(layout.count, "call")}`;
  return element("div", {class: `head ${classOf(i)}`}, element("i", {class: "key"}),
    element("h2", {}, data.value("call", i)), element("span", {class: "where"}, data.lanes[data.columns.lane[i]].name),
    element("span", {class: "space"}), element("span", {class: "of"}, of),
    button("‹", "previous call (↑)", () => move(-1), row <= 0),
    button("›", "next call (↓)", () => move(1), row < 0 || row >= layout.count - 1),
    button("×", "close the details (Esc)", () => select(-1), false));
}

function callOf(i) {
  const [call, outcome] = parts(i), whole = data.text(i);
  const result = call ? whole.slice(call.length).trim() : "";
  const part = element("section", {}, element("code", {class: "whole"}, call || whole));
  if (result) part.append(element("code", {class: `whole result${data.bad[i] ? " bad" : ""}`}, result));
  if (data.columns.count[i] > 1) part.append(element("p", {class: "note"}, `${plural(data.columns.count[i], "call")} that `
    + "found nothing to do, with no other call between them. The arguments are those of the first one."));
  else if (data.columns.idle[i]) part.append(element("p", {class: "note"}, `The call found nothing to do: ${outcome}`));
  return part;
}

function rowsTable(rows, label) {
  const body = element("tbody");
  for (const [name, value] of rows) if (value !== "" && value !== null)
    body.append(element("tr", {}, element("th", {scope: "row"}, name), element("td", {}, value)));
  return element("table", {"aria-label": label}, body);
}

function argumentsOf(i) {
  const given = data.columns.args[i], rows = [];
  for (let k = 0; k < given.length; k += 2) rows.push([data.texts[given[k]], element("code", {}, data.texts[given[k + 1]])]);
  const part = element("section", {}, element("h3", {}, "Arguments"));
  part.append(rows.length ? rowsTable(rows, "arguments") : element("p", {class: "note"}, "none"));
  return part;
}

const MOST_PARTNERS = 40;
function partnersOf(i) {
  const links = [...arrowsOf(i)], {at} = data.columns;
  if (!links.length) return element("span");
  const list = element("ul", {class: "partners"});
  for (const arrow of links.slice(0, MOST_PARTNERS)) {
    const sends = data.arrows.from[arrow] === i, other = sends ? data.arrows.to[arrow] : data.arrows.from[arrow];
    const link = element("a", {href: fragment(other), "data-call": other}, `${data.value("call", other)} in `
      + data.lanes[data.columns.lane[other]].name);
    link.addEventListener("click", event => { event.preventDefault(); select(other); });
    const apart = duration(Math.abs(at[other] - at[i]));
    list.append(element("li", {class: data.kind(arrow)}, element("i", {class: "key"}), sends ? "to " : "from ", link,
      element("span", {class: "note"}, ` ${apart} ${at[other] < at[i] ? "earlier" : "later"}`),
      element("code", {}, data.texts[data.arrows.text[arrow]])));
  }
  if (links.length > MOST_PARTNERS) list.append(element("li", {}, `and ${links.length - MOST_PARTNERS} more`));
  return element("section", {}, element("h3", {}, "On the other side"), list);
}

function sourceOf(i) {
  const source = data.columns.source[i];
  if (!source) return element("span");
  const [file, line, name, code] = source;
  return element("section", {}, element("h3", {}, "Source"),
    element("p", {class: "source"}, `${data.texts[file]}:${line}`, element("span", {class: "note"},
      ` in ${data.texts[name]}`)), element("code", {class: "whole"}, data.texts[code]));
}

function timesOf(i) {
  const {start, end, at, lane, count} = data.columns, program = data.lanes[lane[i]];
  return element("section", {}, element("h3", {}, "Time and socket"), rowsTable([
    ["start", `${seconds(start[i])} s · ${timeOfDay(start[i])}`], ["duration", durationOf(i)],
    ["column time", at[i] === start[i] ? "the start" : `${seconds(at[i])} s, the end`
      + (at[i] === end[i] ? "" : count[i] > 1 ? " of the first call" : "")],
    ["calls", count[i] > 1 ? String(count[i]) : ""], ["thread", data.value("thread", i)],
    ["local address", data.value("local", i)], ["peer address", data.value("peer", i)],
    ["program", program.argv || program.name], ["process", `${program.pid}, ${program.backend}`],
    ["number", String(data.columns.n[i])]], "time and socket"));
}

// A call that has not returned has no duration. How long it has waited is known while its program runs.
function durationOf(i) {
  const took = data.columns.end[i] - data.columns.start[i];
  return !isOpen(i) ? duration(took) : took > 0 ? `has not returned for ${duration(took)}` : "has not returned";
}

// ---- bytes

// The recorded bytes are in three columns, so that hexadecimal digits and text are selected separately. More bytes than
// these would take the browser seconds.
const MOST_SHOWN = 65536;
function bytesOf(i) {
  const given = data.columns.bytes[i];
  if (!given) return element("span");
  const [size, hex, position = -1, fields = []] = given, recorded = hex.length / 2;
  const codes = codesOf(hex);
  const part = element("section", {class: "bytes"}, element("h3", {}, plural(size, "byte")));
  if (position >= 0) part.append(element("p", {class: "note"}, size ? `Bytes ${position.toLocaleString("en")} to `
    + `${(position + size - 1).toLocaleString("en")} of this direction of the stream` : ""));
  if (recorded) part.append(dump(codes.subarray(0, MOST_SHOWN), fields), copies(codes));
  if (recorded > MOST_SHOWN) part.append(element("p", {class: "note"}, `The first ${plural(MOST_SHOWN, "byte")} are shown; `
    + `the buttons copy all ${plural(recorded, "byte")}.`));
  if (recorded < size) part.append(element("p", {class: "note"}, recorded ? `The first ${plural(recorded, "byte")} of `
    + `${plural(size, "byte")}; record more with the option --bytes.` : "No byte is recorded; see the option --bytes."));
  if (fields.length) part.append(fieldsTable(fields));
  const end = fields.length ? fields[fields.length - 1][1] : recorded;
  if (end < recorded) part.append(element("p", {class: "note"}, `The fields of the first ${plural(end, "byte")}.`));
  return part;
}

function dump(codes, fields) {
  const wide = $("details").clientWidth >= 590 ? 16 : 8, offsets = [];
  for (let at = 0; at < codes.length; at += wide) offsets.push(at.toString(16).padStart(4, "0"));
  const owner = new Int16Array(codes.length).fill(-1);
  fields.forEach(([begin, end], k) => owner.fill(k, Math.max(0, begin), Math.min(codes.length, end)));
  const digits = column(codes, owner, fields, wide, byte => byte.toString(16).padStart(2, "0"), " ");
  const letters = column(codes, owner, fields, wide, byte => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·", "");
  return element("div", {class: "dump"}, element("pre", {class: "offsets", "aria-hidden": "true"}, offsets.join("\n")),
    element("pre", {class: "hex", tabindex: 0, role: "region", "aria-label": "bytes in hexadecimal digits"}, ...digits),
    element("pre", {class: "letters", tabindex: 0, role: "region", "aria-label": "bytes as text"}, ...letters));
}

// The text of a column: a span for the bytes of each field, and one text for bytes without a field.
function column(codes, owner, fields, wide, show, between) {
  const nodes = [], shown = Array.from(codes, show), gap = end => end === codes.length ? "" : end % wide ? between : "\n";
  for (let at = 0; at < codes.length;) {
    let end = at + 1, text = shown[at];
    for (; end < codes.length && owner[end] === owner[at]; end++) text += gap(end) + shown[end];
    nodes.push(owner[at] < 0 ? text : element("span", {class: `field f${owner[at] % 4}`, "data-field": owner[at],
      title: data.texts[fields[owner[at]][2]]}, text), gap(end));
    at = end;
  }
  return nodes;
}

function fieldsTable(fields) {
  const body = element("tbody");
  fields.forEach(([begin, end, name, text], k) => {
    const row = element("tr", {"data-field": k}, element("th", {scope: "row"}, element("i", {class: `swatch f${k % 4}`}),
      data.texts[name]), element("td", {}, end - begin > 1 ? `${begin} to ${end - 1}` : String(begin)),
    element("td", {}, element("code", {}, data.texts[text])));
    body.append(row);
  });
  const table = element("table", {class: "fields", "aria-label": "fields"}, element("thead", {}, element("tr", {},
    ...["Field", "Bytes", "Value"].map(name => element("th", {scope: "col"}, name)))), body);
  return table;
}

function lightField(event) {
  const field = event.target.closest("[data-field]")?.dataset.field;
  for (const node of $("details").querySelectorAll("[data-field]")) node.classList.toggle("lit", node.dataset.field === field);
}

// A byte in a string literal of C. \0 would take the octal digits that follow, and \x all hexadecimal digits; an escape
// sequence of three octal digits takes no more.
const ESCAPES = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"};
function inC(byte, next) {
  const follows = next >= 32 && next < 127 ? String.fromCharCode(next) : "";
  if (byte >= 32 && byte < 127) return ESCAPES[byte] ?? String.fromCharCode(byte);
  if (byte === 0 ? /[0-9]/.test(follows) : !ESCAPES[byte] && /[0-9a-f]/i.test(follows))
    return "\\" + byte.toString(8).padStart(3, "0");
  return ESCAPES[byte] ?? "\\x" + byte.toString(16).padStart(2, "0");
}

function copies(codes) {
  const texts = {
    "Copy hex": () => Array.from(codes, byte => byte.toString(16).padStart(2, "0")).join(" "),
    "Copy text": () => Array.from(codes, (byte, k) => inC(byte, codes[k + 1])).join(""),
  };
  const line = element("p", {class: "copies"});
  for (const name in texts) {
    const button = element("button", {title: name === "Copy text" ? "copy as the text of a C string" : "copy the digits"}, name);
    button.addEventListener("click", () => copy(texts[name](), `${plural(codes.length, "byte")} copied`));
    line.append(button, " ");
  }
  return line;
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without permission or a secure context, the old way works after a click.
    const area = element("textarea", {class: "copied", "aria-hidden": "true"});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(done);
}

let saying = 0;
function say(text) {
  $("status").textContent = text;
  $("status").classList.add("seen");
  clearTimeout(saying);
  saying = setTimeout(() => $("status").classList.remove("seen"), 2500);
}
