// What this phone keeps of learning, in IndexedDB: courses that were taken along, how far their owner is in them, what he did
// without a network (each thing with a ref made here), and courses of which practice waits for an exam. Everything names its
// owner by a number. Pages and the service worker use it alike.
"use strict";
self.AnlanStore = (() => {
  const NAME = "anlan-learn", STORES = ["meta", "courses", "standing", "outbox", "pauses"], SENT_KEPT = 100;
  const FORM = 1; // of what a course holds, as portal/training/offline/bundle.py makes it; another one is taken along anew
  let opened = null;

  function database() {
    if (opened) return opened;
    opened = new Promise((resolve, reject) => {
      const asked = indexedDB.open(NAME, 1);
      asked.onupgradeneeded = () => {
        for (const name of STORES) {
          if (name !== "outbox") asked.result.createObjectStore(name);
          else asked.result.createObjectStore(name, { keyPath: "n", autoIncrement: true }).createIndex("ref", "ref", { unique: true });
        }
      };
      asked.onsuccess = () => {
        asked.result.onversionchange = () => { asked.result.close(); opened = null; };
        asked.result.onclose = () => { opened = null; };
        resolve(asked.result);
      };
      asked.onerror = () => { opened = null; reject(asked.error); };
      asked.onblocked = () => { opened = null; reject(new Error("blocked")); };
    });
    return opened;
  }
  /** One transaction: all that `act` does with the stores is kept, or nothing. Gives the result of the request it returns. */
  async function within(names, mode, act) {
    const db = await database();
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(names, mode);
      let answer;
      transaction.oncomplete = () => resolve(answer && "result" in answer ? answer.result : answer);
      transaction.onabort = transaction.onerror = () => reject(transaction.error || new Error("not kept"));
      answer = act(...names.map((name) => transaction.objectStore(name)));
    });
  }
  const get = (name, key) => within([name], "readonly", (store) => store.get(key));
  const all = (name) => within([name], "readonly", (store) => store.getAll());
  const put = (name, value, key) => within([name], "readwrite", (store) => store.put(value, key));
  /** Goes through a store and deletes each value of which `gone` is true. */
  function sweep(store, gone) {
    store.openCursor().onsuccess = (event) => {
      const cursor = event.target.result;
      if (!cursor) return;
      if (gone(cursor.value)) cursor.delete();
      cursor.continue();
    };
  }
  function newRef() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64; bytes[8] = (bytes[8] & 63) | 128;
    const hex = Array.from(bytes).map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  return {
    possible: Boolean(self.indexedDB && self.crypto && crypto.getRandomValues),
    newRef,
    language: () => get("meta", "language"),
    speak: (language) => put("meta", language, "language"),
    /** Whose this phone is, or "" where nobody is signed in on it. */
    owner: async () => ((await get("meta", "locked")) ? "" : (await get("meta", "owner")) || ""),

    /** The server says who is signed in. What belonged to somebody else goes, but what he did and could not send yet waits, and
        is shown to nobody, until he signs in here again. */
    claim: (owner) => within(STORES, "readwrite", (meta, courses, standing, outbox, pauses) => {
      meta.delete("locked");
      meta.get("owner").onsuccess = (event) => {
        if (event.target.result === owner) return;
        meta.put(owner, "owner");
        sweep(courses, (one) => one.owner !== owner);
        sweep(standing, (one) => one.owner !== owner);
        sweep(outbox, (thing) => thing.owner !== owner && thing.state !== "waiting");
        pauses.clear();
      };
    }),
    /** The server says that nobody is signed in: nothing is shown any more, nothing is lost. */
    lock: () => put("meta", true, "locked"),
    /** Everything of the owner goes, also what was not sent. */
    wipe: () => within(STORES, "readwrite", (meta, courses, standing, outbox, pauses) => {
      meta.get("owner").onsuccess = (event) => sweep(outbox, (thing) => thing.owner === event.target.result);
      meta.delete("owner"); meta.delete("locked");
      courses.clear(); standing.clear(); pauses.clear();
    }),

    // -- courses: {slug, owner, version_id, version, at, bytes, bundle}
    courses: async (owner) => (await all("courses")).filter((one) => one.owner === owner && one.bundle.form === FORM),
    /** Their names alone, for every page asks for them, and a course is a megabyte: since `claim` all that are here are his. */
    slugs: (owner) => (owner ? within(["courses"], "readonly", (courses) => courses.getAllKeys()) : Promise.resolve([])),
    keep: (record) => put("courses", record, record.slug),
    drop: (slug) => within(["courses", "standing"], "readwrite", (courses, standing) => { courses.delete(slug); standing.delete(slug); }),
    /** {slug, owner, version_id, version, lessons, answers, due}: what the server said last. */
    standing: async (slug, owner) => { const one = await get("standing", slug); return one && one.owner === owner ? one : null; },
    learn: (one) => put("standing", one, one.slug),

    // -- what was done here: {ref, owner, kind, slug, at, state: waiting | sent | refused, …}, in its order
    things: async (owner) => (await all("outbox")).filter((thing) => thing.owner === owner),
    foreign: async (owner) => (await all("outbox")).filter((thing) => thing.owner !== owner && thing.state === "waiting").length,
    dropForeign: (owner) => within(["outbox"], "readwrite", (outbox) => sweep(outbox, (thing) => thing.owner !== owner)),
    add: (thing) => within(["outbox"], "readwrite", (outbox) => outbox.add(Object.assign({ state: "waiting", at: Date.now() }, thing))),
    /** Lay `values` over the thing with this ref, if it is still there. */
    change: (ref, values) => within(["outbox"], "readwrite", (outbox) => {
      outbox.index("ref").get(ref).onsuccess = (event) => {
        if (event.target.result) outbox.put(Object.assign(event.target.result, values));
      };
    }),
    forget: (ref) => within(["outbox"], "readwrite", (outbox) => sweep(outbox, (thing) => thing.ref === ref)),
    /** Of what was sent, the last ones stay to be looked at. */
    trim: async (owner) => {
      const sent = (await all("outbox")).filter((thing) => thing.owner === owner && thing.state === "sent");
      const old = sent.slice(0, Math.max(0, sent.length - SENT_KEPT)).map((thing) => thing.ref);
      if (old.length) await within(["outbox"], "readwrite", (outbox) => sweep(outbox, (thing) => old.indexOf(thing.ref) >= 0));
    },

    // -- exams: practice of the course waits from the moment that its exam begins until the server says that it is over
    pauses: async () => { const found = {}; for (const one of await all("pauses")) found[one.slug] = one.id; return found; },
    pause: (slug) => put("pauses", { slug, id: newRef() }, slug),
    /** `slug` waits no more, unless another exam has begun since it had this `id`. */
    resume: (slug, id) => within(["pauses"], "readwrite", (pauses) => {
      pauses.get(slug).onsuccess = (event) => { if (event.target.result && event.target.result.id === id) pauses.delete(slug); };
    }),
  };
})();
