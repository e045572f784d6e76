// Answers questions with the phone's scripts. Reads {scripts: [file …], act, …} and does what `act` names.
"use strict";
const fs = require("fs"), { webcrypto } = require("crypto");
const asked = JSON.parse(fs.readFileSync(0, "utf8"));
globalThis.self = globalThis;
if (!globalThis.crypto) globalThis.crypto = webcrypto;

/** The phone's store without a browser: what the scripts may ask of it. */
function makeStore(given) {
  const kept = Object.assign({ owner: "", locked: false, courses: [], things: [], standing: {}, pauses: {} }, given);
  globalThis.AnlanStore = {
    kept,
    owner: async () => (kept.locked ? "" : kept.owner),
    claim: async (owner) => {
      kept.locked = false;
      if (owner === kept.owner) return;
      kept.owner = owner;
      kept.courses = kept.courses.filter((one) => one.owner === owner);
      kept.things = kept.things.filter((one) => one.owner === owner || one.state === "waiting");
      kept.pauses = {};
    },
    lock: async () => { kept.locked = true; },
    courses: async (owner) => kept.courses.filter((one) => one.owner === owner),
    slugs: async (owner) => (owner ? kept.courses.map((one) => one.slug) : []),
    learn: async (one) => { kept.standing[one.slug] = one; },
    standing: async (slug) => kept.standing[slug] || null,
    things: async (owner) => kept.things.filter((one) => one.owner === owner).map((one) => Object.assign({}, one)),
    change: async (ref, values) => { for (const one of kept.things) if (one.ref === ref) Object.assign(one, values); },
    trim: async () => {},
    pauses: async () => Object.assign({}, kept.pauses),
    pause: async (slug) => { kept.pauses[slug] = String(Math.random()); },
    resume: async (slug, id) => { if (kept.pauses[slug] === id) delete kept.pauses[slug]; },
  };
  return kept;
}
const load = () => { for (const script of asked.scripts) (0, eval)(fs.readFileSync(script, "utf8")); };

const ACTS = {
  async grade() {
    load();
    const grading = self.AnlanGrading.make(asked.tables);
    return {
      grades: asked.ask.map(([question, answer]) => { const made = grading.grade(question, answer); return [made.points.n, made.points.d, made.right, made.feedback.map((one) => one.right)]; }),
      normal: (asked.normal || []).map(grading.normal),
      numbers: (asked.numbers || []).map(([typed, low, high, units]) => {
        const value = grading.number(typed, units);
        return value !== null && self.AnlanGrading.compare(value, low) >= 0 && self.AnlanGrading.compare(value, high) <= 0;
      }),
    };
  },
  async following() {
    makeStore({});
    load();
    return asked.ask.map(([ids, answered, after]) => {
      const questions = ids.map((id) => ({ id })), next = self.AnlanProgress.following(questions, answered, after), turn = self.AnlanProgress.turn(questions, after);
      return [next ? next.id : null, turn ? turn.id : null];
    });
  },
  async progress() {
    makeStore(asked.store);
    load();
    const all = await self.AnlanProgress.all();
    return all.courses.map((one) => ({ done: Array.from(one.done).sort(), answered: one.answered, due: one.due, paused: one.paused, newer: one.newer,
      review: self.AnlanProgress.review([one], asked.now).map((due) => due.question.id) }));
  },
  /** A server as the test writes it: each of `replies` answers one request, null is a network that fails after the server heard. */
  async flush() {
    const kept = makeStore(asked.store), heard = [];
    globalThis.fetch = async (url, options) => {
      heard.push([url, options && options.body ? JSON.parse(options.body) : null, (options && options.headers && options.headers["X-CSRFToken"]) || null]);
      const reply = asked.replies[heard.length - 1];
      if (asked.meanwhile && asked.meanwhile[heard.length - 1]) Object.assign(kept.pauses, asked.meanwhile[heard.length - 1]);
      if (!reply) throw new TypeError("no network");
      return { status: reply[0], json: async () => reply[1] };
    };
    load();
    const states = await Promise.all(Array.from({ length: asked.times || 1 }, () => self.AnlanSync.flush()));
    return { states, heard, kept };
  },
  /** The service worker begins; `pages` are what the portal gives for its addresses. Which of them it keeps, or why it does not. */
  async install() {
    const heard = {}, kept = [], nothing = async () => {};
    Object.assign(globalThis, { ANLAN: asked.head, importScripts: () => {}, skipWaiting: nothing, addEventListener: (name, act) => { heard[name] = act; },
      caches: { open: async () => ({ put: async (url) => { kept.push(url); } }) },
      fetch: async (url) => new Response(asked.pages[url] || "") });
    load();
    let begun;
    heard.install({ waitUntil: (promise) => { begun = promise; } });
    return begun.then(() => ({ kept }), (error) => ({ refused: error.message }));
  },
};
ACTS[asked.act]().then((answer) => { fs.writeSync(1, JSON.stringify(answer)); process.exit(0); },
  (error) => { fs.writeSync(2, String(error && error.stack)); process.exit(1); });
