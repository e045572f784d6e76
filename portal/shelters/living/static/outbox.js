// What a phone has to say and could not send yet. Kept in localStorage, so that it survives a closed browser; each report
// has a number of its own (ref), made once, so that sending it twice changes nothing.
"use strict";
window.AnlanOutbox = (() => {
  const KEY = "anlan.staff.outbox", OFFSET = "anlan.staff.offset", MOST = 100, SENT_KEPT = 5;
  let busy = false, leaving = "";  // what is on its way this moment, and cannot be taken back here any more

  function read() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY) || "[]");
      return Array.isArray(found) ? found.filter((item) => item && typeof item.ref === "string") : [];
    } catch { return []; }
  }

  /** Whether it could be kept: a browser may refuse, in private windows or when its memory is full. */
  function write(items) {
    const sent = items.filter((item) => item.state === "sent").slice(-SENT_KEPT);
    const kept = items.filter((item) => item.state !== "sent" || sent.includes(item));
    try { localStorage.setItem(KEY, JSON.stringify(kept)); return true; } catch { return false; }
  }

  /** Milliseconds by which the server's clock is ahead of this phone's, as far as is known. */
  function offset() { try { return Number(localStorage.getItem(OFFSET)) || 0; } catch { return 0; } }
  function learnTime(serverIso) {
    const ahead = new Date(serverIso).getTime() - Date.now();
    if (Number.isFinite(ahead)) { try { localStorage.setItem(OFFSET, String(ahead)); } catch { /* as before */ } }
  }
  const now = () => new Date(Date.now() + offset());

  function newRef() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64; bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  /** Take a report in. "kept", "full" or "failed". */
  function add(item) {
    const items = read();
    if (items.filter((one) => one.state !== "sent").length >= MOST) return "full";
    items.push({ ...item, ref: newRef(), state: "waiting", observed_at: now().toISOString() });
    return write(items) ? "kept" : "failed";
  }

  function change(ref, values) { write(read().map((item) => (item.ref === ref ? { ...item, ...values } : item))); }
  function drop(ref) { write(read().filter((item) => item.ref !== ref)); }

  async function post(item, token) {
    const body = new FormData();
    for (const [name, value] of Object.entries(item.fields)) body.append(name, value);
    body.append("ref", item.ref); body.append("observed_at", item.observed_at); body.append("csrf_token", token);
    const stop = new AbortController(), timer = setTimeout(() => stop.abort(), 20000);
    try {
      return await fetch(`/staff/${item.shelter}/report`, {
        method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin", signal: stop.signal });
    } finally { clearTimeout(timer); }
  }

  /** A fresh token against forgery; it also tells whether the server can be reached. "" when it cannot. */
  async function token(shelter) {
    const stop = new AbortController(), timer = setTimeout(() => stop.abort(), 15000);
    try {
      const answer = await fetch(`/staff/${shelter}/now`, { cache: "no-store", credentials: "same-origin", signal: stop.signal,
        headers: { "X-Anlan-Fresh": "1" } });
      if (answer.status === 401) return { signIn: true };
      if (answer.status === 404) return { gone: true };
      if (!answer.ok) return {};
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      learnTime(page.querySelector("#now").dataset.made);
      return { value: page.querySelector("input[name=csrf_token]").value };
    } catch { return {}; } finally { clearTimeout(timer); }
  }

  /** Send what waits, oldest first. Calls `changed` after each answer. "sent", "offline", "sign_in" or "busy". */
  async function flush(who, changed) {
    if (busy) return "busy";
    busy = true;
    try {
      const waiting = () => read().filter((item) => item.state === "waiting" && item.who === who);
      if (!waiting().length) return "sent";
      const tokens = {};
      for (const item of waiting()) {
        tokens[item.shelter] = tokens[item.shelter] || await token(item.shelter);
        const { value, signIn, gone } = tokens[item.shelter];
        if (signIn) return "sign_in";
        if (gone) { change(item.ref, { state: "refused", gone: true, over: false }); changed(); continue; }
        if (!value) return "offline";
        const still = waiting().find((one) => one.ref === item.ref);
        if (!still) continue;  // taken back meanwhile
        let answer;
        leaving = item.ref;
        changed();
        try { answer = await post(still, value); } catch { return "offline"; } finally { leaving = ""; }
        if (answer.status === 401) return "sign_in";
        if (answer.status >= 500 || answer.status === 429 || answer.status === 400) return "offline";
        const said = await answer.json().catch(() => null);
        if (!said) return "offline";
        if (answer.ok) change(item.ref, { state: "sent", sent_at: now().toISOString(), applied: said.applied, conflict: said.conflict });
        else change(item.ref, { state: "refused", reason: (said.refused || []).join(" "), over: Boolean(said.over) });
        changed();
      }
      return "sent";
    } finally { busy = false; }
  }

  return { read, add, change, drop, flush, learnTime, now, MOST, leaves: (ref) => ref === leaving };
})();
