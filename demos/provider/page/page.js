// The dashboard: logging in, the live connection, and what is shown. operator_session.py describes the messages.

import { Chart } from "./charts.js";
import { ago, bytes, clock, count, decimal, duration, element, longDuration, money, plural, rate, remaining, setText } from "./formats.js";
import { Table, fill } from "./tables.js";

const KEPT_MS = 300_000;
// The provider sends an overview each second.
const OLD_MS = 5_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const TOAST_MS = 8_000;
const THEMES = ["system", "light", "dark"];

const $ = (id) => document.getElementById(id);

const state = {
  socket: null,
  overview: null,
  health: null,
  points: [],
  receivedAt: 0,
  attempts: 0,
  retryAt: 0,
  retryTimer: 0,
  confirming: null,
};

// ---- time

/** The provider's time, from its last message and the time since then. */
function now() {
  return state.overview ? state.overview.time + (performance.now() - state.receivedAt) : 0;
}

function relative(cell, time) {
  if (!cell.firstChild) {
    cell.append(element("time"));
  }
  const node = cell.firstChild;
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
  button.addEventListener("click", () => send(message));
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
    title: "Messages per second",
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
  figure("Subscribers", count(totals.subscribers), `${count(counters.logins)} logins, ${count(counters.refusals)} refused`);
  const drift = totals.drifting ? "differ from what they want" : totals.subscribers ? "all hold what they want" : "no subscriber";
  figure("Drifting", count(totals.drifting), drift, totals.drifting ? "warned" : "");
  figure("Longest lag", totals.lag_max_ms === null ? "\u2013" : duration(totals.lag_max_ms), totals.lag_ms === null ? "no acknowledgement yet" : `median ${duration(totals.lag_ms)}`);
  figure("Published", count(counters.states), `states in ${plural(counters.messages, "message", "messages")}`);
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

function showSubscribers() {
  const { overview } = state;
  const wanted = $("filter").value.trim().toLowerCase();
  const rows = wanted ? overview.subscribers.filter((row) => matchesFilter(row, wanted)) : overview.subscribers;
  subscribers.setEmpty(wanted && overview.subscribers.length ? "No subscriber matches the filter." : `No subscriber is connected. They connect to ${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws.`);
  subscribers.update(rows);
  const total = overview.totals.subscribers;
  const cut = total > overview.subscribers.length;
  setText($("subscribers-note"), cut ? `${count(overview.subscribers.length)} of ${count(total)}: those that drift or lag first` : rows.length < total ? `${count(rows.length)} of ${count(total)}` : count(total));
}

// ---- the whole page

const HEALTH = { publishing: ["Publishing", "good"], paused: ["Paused", "warned"], stale: ["Stale", "bad"], starting: ["Starting", "warned"] };

function show() {
  const { overview } = state;
  setText($("server"), overview.server);
  setText($("version"), `version ${overview.version}${overview.tls ? "" : ", without TLS"}`);
  setText($("pause"), overview.paused ? "Resume" : "Pause");
  $("pause").classList.toggle("primary", overview.paused);
  showFigures(overview);
  setText($("positions-note"), overview.account.currency);
  positions.update(overview.positions);
  showSubscribers();
  setText($("bans-note"), overview.totals.bans ? count(overview.totals.bans) : "");
  bans.update(overview.bans);
  showLog(overview.log);
  charts.forEach((chart) => chart.update(state.points, overview.time));
  showConnection();
}

/** How old the data is, and whether the connection is open; the page says so as soon as it is not current. */
function showConnection() {
  const age = performance.now() - state.receivedAt;
  const live = state.socket?.readyState === WebSocket.OPEN;
  const old = state.overview !== null && (!live || age > OLD_MS);
  const wait = state.retryAt ? Math.max(0, Math.ceil((state.retryAt - performance.now()) / 1000)) : 0;
  const dataAge = state.overview ? `The data is ${longDuration(age)} old.` : "";
  if (!live) {
    setNotice("Not connected to the provider.", `${dataAge} ${wait ? `Trying again in ${wait} s.` : "Connecting\u2026"}`, "bad");
  } else if (old) {
    setNotice("The provider sends nothing new.", dataAge, "bad");
  } else if (state.health && state.health.status !== "publishing") {
    setNotice(`${HEALTH[state.health.status]?.[0] ?? state.health.status}: ${state.health.reason}.`, "", "");
  } else {
    setNotice("", "", "");
  }
  $("content").classList.toggle("old", old);
  document.body.classList.toggle("offline", !live);
  setText($("connection"), live && !old ? "live" : live ? "no new data" : "offline");
  $("connection").classList.toggle("live", live && !old);
  const [label, kind] = old || !state.health ? ["Unknown", ""] : (HEALTH[state.health.status] ?? [state.health.status, ""]);
  setText($("health"), label);
  $("health").className = `pill ${kind}`;
  document.title = `${old || !live ? "(offline) " : ""}${state.overview?.server ?? "Provider"}`;
}

/** Screen readers announce the message, but not the times in it, which change each second. */
function setNotice(message, times, kind) {
  setText($("notice-text"), message);
  setText($("notice-times"), times);
  $("notice").hidden = !message;
  $("notice").className = `notice ${kind}`;
}

function showPart(part) {
  $("login").hidden = part !== "login";
  $("dashboard").hidden = part !== "dashboard";
}

// ---- the live connection

function send(message) {
  if (state.socket?.readyState === WebSocket.OPEN) {
    state.socket.send(JSON.stringify(message));
  } else {
    toast(false, "Not connected to the provider: nothing was changed.");
  }
}

const handlers = {
  hello(message) {
    setText($("operator"), message.login);
    state.points = message.history;
  },
  overview(message) {
    state.overview = message.overview;
    state.health = message.health;
    state.receivedAt = performance.now();
    // After the provider's clock went back, later points are not kept.
    const { time } = message.overview;
    state.points = state.points.filter((point) => point.time > time - KEPT_MS && point.time < time);
    if (message.point) {
      state.points.push(message.point);
    }
    show();
  },
  confirm(message) {
    state.confirming = message.number;
    setText($("confirm-title"), message.title);
    setText($("confirm-text"), message.text);
    setText($("confirm-yes"), message.button);
    $("confirm-yes").className = message.danger ? "danger" : "primary";
    if (!$("confirm").open) {
      $("confirm").showModal();
    }
  },
  result(message) {
    toast(message.ok, message.text);
  },
};

async function connect() {
  clearTimeout(state.retryTimer);
  state.retryAt = 0;
  let login;
  try {
    login = (await (await fetch("/operator/session")).json()).login;
  } catch {
    retry();
    return;
  }
  if (login === null) {
    showLogin(state.overview ? "You are not logged in any more." : "");
    return;
  }
  showPart("dashboard");
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/operator/live`);
  state.socket = socket;
  socket.addEventListener("message", (event) => {
    state.attempts = 0;
    const message = JSON.parse(event.data);
    handlers[message.type]?.(message);
  });
  socket.addEventListener("close", () => {
    if (state.socket === socket) {
      state.socket = null;
      $("confirm").close();
      retry();
    }
  });
  showConnection();
}

function retry() {
  showPart("dashboard");
  const wait = RETRY_MS[Math.min(state.attempts, RETRY_MS.length - 1)] * (0.8 + 0.4 * Math.random());
  state.attempts += 1;
  state.retryAt = performance.now() + wait;
  clearTimeout(state.retryTimer);
  state.retryTimer = setTimeout(connect, wait);
  showConnection();
}

function showLogin(problem) {
  const socket = state.socket;
  state.socket = null;
  socket?.close();
  state.overview = null;
  showPart("login");
  document.title = "Provider dashboard";
  setText($("login-problem"), problem);
  $("login-name").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const submit = $("login-submit");
  submit.disabled = true;
  setText(submit, "Checking\u2026");
  setText($("login-problem"), "");
  try {
    const body = JSON.stringify({ login: $("login-name").value, password: $("login-password").value });
    const answer = await fetch("/operator/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (answer.ok) {
      $("login-form").reset();
      await connect();
    } else {
      const { text: reason } = await answer.json();
      setText($("login-problem"), `${reason[0].toUpperCase()}${reason.slice(1)}.`);
      $("login-password").select();
    }
  } catch {
    setText($("login-problem"), "The provider cannot be reached.");
  } finally {
    submit.disabled = false;
    setText(submit, "Log in");
  }
});

$("logout").addEventListener("click", async () => {
  try {
    await fetch("/operator/logout", { method: "POST" });
  } catch {
    toast(false, "The provider cannot be reached: you are still logged in.");
    return;
  }
  showLogin("");
});

// ---- actions and their confirmation

$("pause").addEventListener("click", () => send({ action: state.overview?.paused ? "resume" : "pause" }));

$("confirm-yes").addEventListener("click", () => {
  send({ confirm: state.confirming });
  $("confirm").close();
});

$("confirm-no").addEventListener("click", () => $("confirm").close());

$("confirm").addEventListener("close", () => {
  state.confirming = null;
});

function toast(ok, message) {
  const node = element("p", { class: ok ? "good" : "bad" }, message);
  $("toasts").append(node);
  setTimeout(() => node.remove(), TOAST_MS);
}

// ---- the theme and the filter

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  $("theme").setAttribute("aria-label", `Theme: ${theme}. Change to ${next}`);
  $("theme").title = `Theme: ${theme}`;
}

$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme ?? "system";
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    if (next === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("theme", next);
    }
  } catch {
    // Storage is blocked: the choice lasts until the page is closed.
  }
  showTheme();
});

$("filter").addEventListener("input", () => state.overview && showSubscribers());

setInterval(() => {
  if (!$("dashboard").hidden) {
    showConnection();
  }
}, 1000);

for (const event of ["online", "focus"]) {
  window.addEventListener(event, () => state.retryAt && connect());
}

showTheme();
connect();
