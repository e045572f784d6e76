"use strict";
// The list that this device keeps: where it lies, how it is sealed, and when it goes. Everything in it is AES-GCM under a key
// derived from the holder's code by PBKDF2; the code and the key are never stored, and neither ever leaves the device.
// Plain beside it: since when, until when, how many wrong codes, how many reports wait, whose it is (an account's number).
window.AnlanCopy = (() => {
  const NAME = "anlan-transfers", ROUNDS = 600000, WRONG = 5, KEY = "list";
  let opened = null;
  function database() {
    opened ??= new Promise((resolve, reject) => {
      const asked = indexedDB.open(NAME, 1);
      asked.onupgradeneeded = () => { asked.result.createObjectStore("copy"); asked.result.createObjectStore("outbox"); };
      asked.onsuccess = () => { asked.result.onversionchange = () => { asked.result.close(); opened = null; }; resolve(asked.result); };
      asked.onerror = () => { opened = null; reject(asked.error); };
    });
    return opened;
  }
  async function within(stores, mode, act) {
    const db = await database();
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(stores, mode);
      let answer;
      transaction.oncomplete = () => resolve(answer && "result" in answer ? answer.result : answer);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      answer = act(...stores.map((name) => transaction.objectStore(name)));
    });
  }
  async function derive(code, salt, rounds) {
    const typed = await crypto.subtle.importKey("raw", new TextEncoder().encode(code.normalize("NFKC")), "PBKDF2", false, ["deriveKey"]);
    return crypto.subtle.deriveKey({name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds}, typed, {name: "AES-GCM", length: 256},
                                   false, ["encrypt", "decrypt"]);
  }
  async function seal(key, value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return {iv, data: await crypto.subtle.encrypt({name: "AES-GCM", iv}, key, new TextEncoder().encode(JSON.stringify(value)))};
  }
  async function unseal(key, {iv, data}) {
    return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({name: "AES-GCM", iv}, key, data)));
  }
  const copy = {
    possible: Boolean(window.indexedDB && window.crypto && crypto.subtle && crypto.randomUUID && navigator.serviceWorker),
    wrong: WRONG,
    about: () => within(["copy"], "readonly", (store) => store.get(KEY)),
    pending: () => within(["outbox"], "readonly", (store) => store.count()),
    // Keep a list under a new code; what was kept before goes.
    async keep(code, list) {
      const salt = crypto.getRandomValues(new Uint8Array(16)), key = await derive(code, salt, ROUNDS), sealed = await seal(key, list);
      const {taken, expires, account} = list;
      await within(["copy", "outbox"], "readwrite", (store, outbox) => {
        outbox.clear();
        return store.put({salt, rounds: ROUNDS, wrong: 0, taken, expires, account, ...sealed}, KEY);
      });
    },
    // {key, list}, or null for a wrong code; after the last wrong one there is nothing left.
    async unlock(code) {
      const about = await copy.about();
      if (!about) return null;
      const key = await derive(code, about.salt, about.rounds);
      try {
        const list = await unseal(key, about);
        await within(["copy"], "readwrite", (store) => store.put({...about, wrong: 0}, KEY));
        return {key, list};
      } catch {
        if (about.wrong + 1 >= WRONG) await copy.wipe();
        else await within(["copy"], "readwrite", (store) => store.put({...about, wrong: about.wrong + 1}, KEY));
        return null;
      }
    },
    async save(key, list) {
      const about = await copy.about();
      if (!about) return;
      const sealed = await seal(key, list);
      await within(["copy"], "readwrite", (store) => store.put({...about, ...sealed}, KEY));
    },
    async add(key, event) {
      const sealed = await seal(key, event);
      await within(["outbox"], "readwrite", (store) => store.put(sealed, event.ref));
    },
    async events(key) {
      const all = await within(["outbox"], "readonly", (store) => store.getAll());
      return (await Promise.all(all.map((sealed) => unseal(key, sealed)))).sort((a, b) => a.at - b.at);
    },
    drop: (refs) => within(["outbox"], "readwrite", (store) => { for (const ref of refs) store.delete(ref); }),
    async wipe() {
      await within(["copy", "outbox"], "readwrite", (store, outbox) => { store.clear(); outbox.clear(); });
    },
    // A list whose time is over goes, and so does one of a clock that was turned back.
    async sweep() {
      const about = await copy.about();
      if (about && (Date.now() >= about.expires || Date.now() < about.taken - 3600e3)) await copy.wipe();
    },
    forgetPage: async () => {
      for (const one of await navigator.serviceWorker.getRegistrations())
        if (new URL(one.scope).pathname.endsWith("/desk/transfers/")) await one.unregister();
      for (const name of await caches.keys()) if (name.startsWith("anlan-transfers")) await caches.delete(name);
    },
  };
  if (!copy.possible) return copy;
  copy.sweep().catch(() => { /* a browser that forbids the store keeps nothing that could be swept */ });
  for (const form of document.querySelectorAll("form[action$='/sign-out']")) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const waiting = await copy.pending();
      if (waiting && !window.confirm((form.dataset.unsent ?? "{n}").replace("{n}", waiting))) return;
      await copy.wipe();
      await copy.forgetPage();
    } catch { /* nothing is kept where nothing can be kept */ }
    form.submit();
  });
  return copy;
})();
