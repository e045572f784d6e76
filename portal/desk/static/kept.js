"use strict";
// What was typed and not saved yet, kept in this browser: by account and page, for a day. It never leaves the machine.
// An entry of another account is deleted as soon as somebody else is signed in here, and all go at signing out.
window.anlanKept = (() => {
  const PREFIX = "anlan.unsaved.", DAY = 24 * 3600e3, MOST = 12;
  const here = document.querySelector("[data-account]");
  if (!here) return null;
  const account = here.dataset.account;
  const key = (copy) => `${PREFIX}${account}.${copy}`;
  function read(name) {
    try {
      const entry = JSON.parse(localStorage.getItem(name));
      return entry && Array.isArray(entry.fields) && typeof entry.at === "number" ? entry : null;
    } catch { return null; } // not written by this version: the sweep deletes it
  }
  const names = () => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  function sweep() {
    for (const name of names()) {
      const entry = name.startsWith(`${PREFIX}${account}.`) ? read(name) : null;
      if (!entry || Date.now() - entry.at > DAY) localStorage.removeItem(name);
    }
    const left = names().map((name) => [read(name).at, name]).sort((a, b) => a[0] - b[0]);
    for (const [, name] of left.slice(0, Math.max(0, left.length - MOST))) localStorage.removeItem(name);
  }
  const kept = {
    signedOut: false,
    // Whether it could be kept: a full or forbidden store is said on the page, and typing goes on.
    put(copy, entry) {
      if (kept.signedOut) return true;
      try { localStorage.setItem(key(copy), JSON.stringify(entry)); return true; } catch { return false; }
    },
    drop(copy) { try { localStorage.removeItem(key(copy)); } catch { /* what cannot be read was never kept */ } },
    // The entries of one page, newest first.
    of(path) {
      try {
        return names().map((name) => ({copy: name.slice(key("").length), ...read(name)}))
          .filter((entry) => entry.path === path).sort((a, b) => b.at - a.at);
      } catch { return []; } // this browser keeps nothing
    },
  };
  if (here.dataset.saved) kept.drop(here.dataset.saved);
  try { sweep(); } catch { /* a browser that forbids the store has nothing to sweep */ }
  for (const form of document.querySelectorAll("form[action$='/sign-out']")) form.addEventListener("submit", () => {
    kept.signedOut = true;
    for (const name of names()) localStorage.removeItem(name);
  });
  return kept;
})();
