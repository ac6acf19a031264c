// What is shown of an overview: the figures, tables, charts and log. A button sends an event "action" to the document.

import { Chart } from "./charts.js";
import { ago, bytes, clock, count, decimal, duration, element, longDuration, money, plural, rate, remaining, setText } from "./formats.js";
import { $, now, state } from "./state.js";
import { Table, fill } from "./tables.js";

function relative(cell, time) {
  if (!cell.firstElementChild) {
    cell.replaceChildren(element("time"));
  }
  const node = cell.firstElementChild;
  node.setAttribute("datetime", new Date(time).toISOString());
  node.title = new Date(time).toLocaleString();
  setText(node, ago(now() - time));
}

// ---- tables

const pair = ([symbol, lots]) => `${symbol}\u00a0${decimal(lots)}`;

function showSubscriber(cell, row) {
  fill(cell, [row.login, row.address], () => [element("span", {}, row.login), element("span", { class: "soft" }, row.address)]);
  cell.title = `${row.login}, ${row.address}, served by expert ${row.expert}`;
}

function showHoldings(cell, row) {
  const held = Object.entries(row.held).filter(([, lots]) => Number(lots) !== 0);
  setText(cell, held.length ? held.slice(0, 2).map(pair).join(", ") + (held.length > 2 ? ` +${held.length - 2}` : "") : "none");
  cell.title = held.map(pair).join(", ");
  cell.classList.toggle("soft", held.length === 0);
}

function showDrift(cell, row) {
  fill(cell, [row.drift, row.held, row.wanted], () => {
    if (row.wanted === null) {
      return [element("span", { class: "soft" }, "not reported")];
    }
    if (!row.drift.length) {
      return [element("span", { class: "soft" }, "none")];
    }
    const text = (symbol) => `${symbol} ${decimal(row.held[symbol] ?? "0")}, wants ${decimal(row.wanted[symbol] ?? "0")}`;
    const more = row.drift.length > 1 ? ` +${row.drift.length - 1}` : "";
    return [element("span", { class: "badge warning", title: row.drift.map(text).join("\n") }, text(row.drift[0]) + more)];
  });
}

function showProgress(cell, row) {
  const behind = Math.max(0, row.seq - row.acked);
  const progress = row.acked ? (behind ? `${count(behind)} behind` : "up to date") : "not acknowledged";
  setText(cell, progress + (row.unsent ? `, ${bytes(row.unsent)} unsent` : ""));
  cell.classList.toggle("soft", !behind && !row.unsent);
}

function showLag(cell, row) {
  setText(cell, row.lag_ms === null ? "\u2013" : duration(row.lag_ms));
  cell.classList.toggle("late", row.lag_ms !== null && row.lag_ms >= 1000);
}

/** A button in a cell; its accessible name says whom it concerns. */
function actionButton(label, name, message) {
  const button = element("button", { type: "button", class: "small", "aria-label": name, "data-action": message.action }, label);
  button.addEventListener("click", () => document.dispatchEvent(new CustomEvent("action", { detail: message })));
  return button;
}

const text = (value) => (cell, row) => setText(cell, value(row));

const subscribers = new Table($("subscribers"), {
  key: (row) => row.id,
  sortedBy: 0,
  empty: "",
  columns: [
    { label: "Login", show: showSubscriber, sort: (row) => row.login, kind: "name" },
    { label: "Client", show: text((row) => row.client || "\u2013"), sort: (row) => row.client, kind: "short" },
    { label: "Connected", show: (cell, row) => relative(cell, row.connected), sort: (row) => -row.connected },
    { label: "State", show: showProgress, sort: (row) => row.acked - row.seq },
    { label: "Lag", show: showLag, sort: (row) => row.lag_ms ?? -1, kind: "amount" },
    { label: "Holds", show: showHoldings, kind: "wide" },
    { label: "Drift", show: showDrift, sort: (row) => -row.drift.length, kind: "wide" },
    {
      label: "Actions",
      hidden: true,
      kind: "actions",
      show: (cell, row) =>
        fill(cell, [row.id, row.login, row.address], () => [
          actionButton("Disconnect", `Disconnect ${row.login} from ${row.address}`, { action: "disconnect", id: row.id }),
          actionButton("Disable", `Disable the login ${row.login}`, { action: "disable", login: row.login }),
        ]),
    },
  ],
});

const positions = new Table($("positions"), {
  key: (row) => `${row.symbol} ${row.ticket ?? ""}`,
  sortedBy: 0,
  empty: "No open positions.",
  columns: [
    { label: "Symbol", show: text((row) => row.symbol), sort: (row) => row.symbol, kind: "name" },
    { label: "Side", show: text((row) => (row.lots.startsWith("-") ? "Sell" : "Buy")), sort: (row) => Math.sign(Number(row.lots)) },
    { label: "Lots", show: text((row) => row.lots.replace("-", "")), sort: (row) => Math.abs(Number(row.lots)), kind: "amount" },
    { label: "Price", show: text((row) => row.price), kind: "amount" },
    { label: "Stop loss", show: text((row) => row.sl ?? "\u2013"), kind: "amount" },
    { label: "Take profit", show: text((row) => row.tp ?? "\u2013"), kind: "amount" },
    {
      label: "Profit",
      kind: "amount",
      sort: (row) => Number(row.profit),
      show: (cell, row) => showProfit(cell, row.profit),
    },
    { label: "Since", show: (cell, row) => (row.time ? relative(cell, row.time) : setText(cell, "before start")), sort: (row) => -row.time },
  ],
});

const bans = new Table($("bans"), {
  key: (row) => `${row.address} ${row.login ?? ""}`,
  empty: "No bans are in force.",
  columns: [
    { label: "Address", show: text((row) => row.address), kind: "name" },
    { label: "Login", show: text((row) => row.login ?? "every login") },
    { label: "Ends in", show: text((row) => remaining(row.until * 1000 - now())), kind: "amount" },
    { label: "In a row", show: text((row) => count(row.level)), kind: "amount" },
    {
      label: "Actions",
      hidden: true,
      kind: "actions",
      show: (cell, row) =>
        fill(cell, [row.address, row.login], () => [
          actionButton("Unban", `Unban ${row.login ?? "every login"} from ${row.address}`, {
            action: "unban",
            address: row.address,
            login: row.login,
          }),
        ]),
    },
  ],
});

function showProfit(node, profit) {
  setText(node, money(profit, { sign: true }));
  node.classList.toggle("gain", Number(profit) >= 0.005);
  node.classList.toggle("loss", Number(profit) <= -0.005);
}

// ---- charts

const charts = [
  new Chart($("chart-messages"), {
    title: "Messages sent per second",
    lines: [{ name: "messages", value: (point) => point.messages, kind: "first" }],
    format: rate,
  }),
  new Chart($("chart-lag"), {
    title: "Lag",
    lines: [
      { name: "median", value: (point) => point.lag_ms, kind: "first" },
      { name: "longest", value: (point) => point.lag_max_ms, kind: "second" },
    ],
    format: duration,
    least: 10,
  }),
  new Chart($("chart-subscribers"), {
    title: "Subscribers",
    lines: [{ name: "subscribers", value: (point) => point.subscribers, kind: "first" }],
    format: count,
    least: 4,
  }),
];

// ---- the figures and the log

const figures = new Map();

function figure(name, value, note = "", kind = "") {
  if (!figures.has(name)) {
    const parts = { value: element("dd"), note: element("dd", { class: "soft note" }) };
    $("figures").append(element("div", {}, element("dt", {}, name), parts.value, parts.note));
    figures.set(name, parts);
  }
  const parts = figures.get(name);
  setText(parts.value, value);
  setText(parts.note, note);
  parts.value.className = kind;
}

function showFigures(overview) {
  const { account, totals, counters } = overview;
  const profit = overview.positions.reduce((sum, row) => sum + Number(row.profit), 0);
  figure("Equity", money(account.equity), account.currency);
  figure("Balance", money(account.balance), `${account.currency}, ${account.hedging ? "hedging" : "netting"}`);
  figure("Open profit", money(profit, { sign: true }), plural(overview.positions.length, "position", "positions"), profitKind(profit));
  figure("Subscribers", count(totals.subscribers), `${plural(counters.logins, "login", "logins")}, ${count(counters.refusals)} refused`);
  const drift = totals.drifting ? "differ from what they want" : totals.subscribers ? "all hold what they want" : "no subscriber";
  figure("Drifting", count(totals.drifting), drift, totals.drifting ? "warned" : "");
  figure("Longest lag", totals.lag_max_ms === null ? "\u2013" : duration(totals.lag_max_ms), totals.lag_ms === null ? "no acknowledgement yet" : `median ${duration(totals.lag_ms)}`);
  figure("Published", count(counters.states), `${counters.states === 1 ? "state" : "states"}; ${plural(counters.messages, "message", "messages")} sent`);
  figure("Running for", longDuration(overview.time - overview.started), `since ${clock(overview.started, overview.time)}`);
}

function profitKind(profit) {
  return profit >= 0.005 ? "gain" : profit <= -0.005 ? "loss" : "";
}

function showLog(lines) {
  const made = JSON.stringify(lines);
  if ($("log").dataset.made === made) {
    return;
  }
  $("log").dataset.made = made;
  $("log-empty").hidden = lines.length > 0;
  $("log").replaceChildren(
    ...[...lines].reverse().map((line) =>
      element(
        "li",
        { class: line.level },
        element("time", { datetime: new Date(line.time).toISOString() }, clock(line.time, state.overview.time)),
        element("span", { class: "level" }, line.level),
        element("span", { class: "text" }, line.text),
      ),
    ),
  );
}

function matchesFilter(row, wanted) {
  return [row.login, row.address, row.client, ...Object.keys(row.held)].some((value) => value.toLowerCase().includes(wanted));
}

export function showSubscribers() {
  const { overview } = state;
  const wanted = $("filter").value.trim().toLowerCase();
  const rows = wanted ? overview.subscribers.filter((row) => matchesFilter(row, wanted)) : overview.subscribers;
  subscribers.setEmpty(wanted && overview.subscribers.length ? "No subscriber matches the filter." : `No subscriber is connected. They connect to ${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws.`);
  subscribers.update(rows);
  const total = overview.totals.subscribers;
  const cut = total > overview.subscribers.length;
  setText($("subscribers-note"), cut ? `${count(overview.subscribers.length)} of ${count(total)}: those that drift or lag first` : rows.length < total ? `${count(rows.length)} of ${count(total)}` : count(total));
}

/** Show the newest overview. */
export function showPanels() {
  const { overview } = state;
  showFigures(overview);
  setText($("positions-note"), overview.account.currency);
  positions.update(overview.positions);
  showSubscribers();
  setText($("bans-note"), overview.totals.bans ? count(overview.totals.bans) : "");
  bans.update(overview.bans);
  showLog(overview.log);
  charts.forEach((chart) => chart.update(state.points, overview.time));
}
