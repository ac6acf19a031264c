// What the page knows: the newest overview, and the connection.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

export const state = {
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

/** The provider's time, from its last message and the time since then. */
export function now() {
  return state.overview ? state.overview.time + (performance.now() - state.receivedAt) : 0;
}
