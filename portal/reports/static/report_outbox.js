// Reports that this phone has written and not sent yet, with their photos, in IndexedDB: they survive a closed browser. Each has a
// number of its own (ref), made once, so that sending it twice is one report.
"use strict";
window.AnlanReports = (() => {
  const NAME = "anlan.reports", STORE = "waiting", MOST = 10, SENT_KEPT = 3;
  let opened = null;

  function open() {
    opened = opened || new Promise((done, fail) => {
      const asked = indexedDB.open(NAME, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "ref" });
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => fail(asked.error);
    });
    return opened;
  }
  async function act(mode, what) {
    const base = await open();
    return new Promise((done, fail) => {
      const turn = base.transaction(STORE, mode), asked = what(turn.objectStore(STORE));
      turn.oncomplete = () => done(asked.result);
      turn.onerror = turn.onabort = () => fail(turn.error);
    });
  }
  const all = async () => (await act("readonly", (store) => store.getAll())).sort((a, b) => a.at.localeCompare(b.at));
  const put = (item) => act("readwrite", (store) => store.put(item));
  const drop = (ref) => act("readwrite", (store) => store.delete(ref));

  /** Take a report in. "kept", "full" or "failed": a browser may refuse, in private windows or when its memory is full. */
  async function add(item) {
    try {
      if ((await all()).filter((one) => one.state !== "sent").length >= MOST) return "full";
      await put({ ...item, state: "waiting", at: new Date().toISOString() });
      return "kept";
    } catch { return "failed"; }
  }
  async function change(item, values) {
    await put({ ...item, ...values });
    const sent = (await all()).filter((one) => one.state === "sent");
    for (const old of sent.slice(0, Math.max(0, sent.length - SENT_KEPT))) await drop(old.ref);
  }

  async function fetched(url, options, seconds) {
    const stop = new AbortController(), timer = setTimeout(() => stop.abort(), seconds * 1000);
    try { return await fetch(url, { credentials: "same-origin", cache: "no-store", signal: stop.signal, ...options }); } finally { clearTimeout(timer); }
  }
  /** One report to the server: "sent", "refused", "later" (it waits) or "offline". */
  async function send(item, urls) {
    let answer, said;
    try {
      const asked = await fetched(urls.token, { headers: { Accept: "application/json" } }, 15);
      if (!asked.ok) return "offline";
      const fresh = await asked.json(), body = new FormData(), ahead = new Date(fresh.now).getTime() - Date.now();
      body.append("csrf_token", fresh.token);
      for (const [name, value] of Object.entries(item.fields)) body.append(name, value);
      body.append("ref", item.ref);
      body.append("observed_at", new Date(new Date(item.at).getTime() + ahead).toISOString());
      for (const photo of item.photos) body.append("photos", photo, "photo.jpg");
      answer = await fetched(urls.send, { method: "POST", body, headers: { Accept: "application/json" } }, 120);
      said = await answer.json().catch(() => null);
    } catch { return "offline"; }
    if (answer.ok && said) {
      await change(item, { state: "sent", code: said.code, without: said.without, photos: [], fields: { kind: item.fields.kind } });
      return "sent";
    }
    if (answer.status === 429) { await change(item, { state: "later" }); return "later"; }
    if (!said || answer.status >= 500 || answer.status === 400) return "offline";
    await change(item, { state: "refused", refused: said.refused, offered: said.offered });
    return "refused";
  }

  /** Send what waits, the oldest first; one at a time, also with several pages open. Calls `changed` after each. */
  async function flush(urls, changed) {
    const work = async () => {
      for (const item of (await all()).filter((one) => one.state === "waiting" || one.state === "later")) {
        const outcome = await send(item, urls);
        await changed(outcome, item.ref);
        if (outcome === "offline" || outcome === "later") return outcome;
      }
      return "sent";
    };
    return navigator.locks ? navigator.locks.request(NAME, work) : work();
  }

  return { all, add, put, drop, flush, MOST };
})();
