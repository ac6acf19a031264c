// The theme that was chosen on this page, before anything is drawn; without a choice it is the system's.
"use strict";

try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
  }
} catch {
  // Storage is blocked: the theme is the system's.
}
