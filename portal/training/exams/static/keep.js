// What was answered and is not known to be saved, kept in this browser so that it survives a closed page: place -> count and value.
"use strict";
window.AnlanKeep = (() => {
  const name = (attempt) => `anlan.exam.${attempt}`;

  /** {seq: the greatest count used, waiting: {place: {seq, value}}} */
  function read(attempt) {
    try {
      const found = JSON.parse(localStorage.getItem(name(attempt)));
      if (found && Number.isSafeInteger(found.seq) && found.waiting && typeof found.waiting === "object") return found;
    } catch (error) { /* nothing kept */ }
    return { seq: 0, waiting: {} };
  }
  /** Whether it could be kept: a browser may refuse, in private windows or when its memory is full. */
  function write(attempt, kept) {
    try { localStorage.setItem(name(attempt), JSON.stringify(kept)); return true; } catch (error) { return false; }
  }
  function forget(attempt) { try { localStorage.removeItem(name(attempt)); } catch (error) { /* nothing kept */ } }

  const ended = document.querySelector("[data-ended]");
  if (ended) forget(ended.dataset.ended);
  return { read, write, forget };
})();
