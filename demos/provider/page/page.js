// The dashboard: logging in, the live connection, and what is shown. operator_session.py describes the messages.

import { element, longDuration, setText } from "./formats.js";
import { showPanels, showSubscribers } from "./panels.js";
import { $, state } from "./state.js";

const KEPT_MS = 300_000;
// The provider sends an overview each second.
const OLD_MS = 5_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const TOAST_MS = 8_000;
const THEMES = ["system", "light", "dark"];

// ---- the whole page

const HEALTH = { publishing: ["Publishing", "good"], paused: ["Paused", "warned"], stale: ["Stale", "bad"], limited: ["Limited", "bad"], starting: ["Starting", "warned"] };

function show() {
  const { overview } = state;
  setText($("server"), overview.server);
  setText($("version"), `version ${overview.version}${overview.tls ? "" : ", without TLS"}`);
  setText($("pause"), overview.paused ? "Resume" : "Pause");
  $("pause").classList.toggle("primary", overview.paused);
  showPanels();
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

document.addEventListener("action", (event) => send(event.detail));

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
