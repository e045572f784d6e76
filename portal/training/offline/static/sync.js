// Talks with the server: hears who is signed in and how far he is, and sends what was done without a network. Each thing has
// its ref, so that sending it twice changes nothing; it goes off the list of what waits only when the server has answered.
"use strict";
self.AnlanSync = (() => {
  const store = self.AnlanStore, AT_ONCE = 50, PATIENCE = 20000;
  let running = null;

  function fetched(url, options) {
    const asked = fetch(url, Object.assign({ credentials: "same-origin", cache: "no-store", redirect: "error" }, options));
    return Promise.race([asked, new Promise((resolve, reject) => { setTimeout(() => reject(new Error("too slow")), PATIENCE); })]);
  }
  /** The reply as {status, said}; status 0 where there was none. */
  async function ask(url, options) {
    try {
      const answer = await fetched(url, options);
      return { status: answer.status, said: await answer.json().catch(() => null) };
    } catch (error) { return { status: 0, said: null }; }
  }
  /** `ahead`: milliseconds by which the portal's clock is ahead of this phone's. */
  async function learn(owner, said) {
    const { courses } = said, ahead = typeof said.now === "number" ? said.now - Date.now() : 0;
    for (const slug of Object.keys(courses)) {
      if (courses[slug]) await store.learn(Object.assign({ slug, owner, ahead }, courses[slug]));
    }
  }
  /** Practice goes on where the server knows of no exam any more; only pauses that were there before it was asked. */
  async function resume(before, courses) {
    for (const slug of Object.keys(courses)) {
      if (courses[slug] && courses[slug].sits) { if (!before[slug]) await store.pause(slug); }
      else if (before[slug]) await store.resume(slug, before[slug]);
    }
  }
  async function slugs(owner, paused) {
    const kept = await store.slugs(owner);
    return kept.concat(Object.keys(paused).filter((slug) => kept.indexOf(slug) < 0));
  }
  /** {state: "ok", learner, csrf}, or {state: "offline" | "sign_in"}. */
  async function refresh() {
    const before = await store.pauses(), mine = await slugs(await store.owner(), before);
    const { status, said } = await ask(`/learn/offline/state?slugs=${mine.map(encodeURIComponent).join(",")}`,
      { headers: { Accept: "application/json" } });
    if (status === 401) { await store.lock(); return { state: "sign_in" }; }
    if (status !== 200 || !said) return { state: "offline" };
    await store.claim(said.learner);
    await learn(said.learner, said);
    await resume(before, said.courses);
    return { state: "ok", learner: said.learner, csrf: said.csrf };
  }
  const plain = (thing) => {
    const sent = {};
    for (const name of ["ref", "kind", "slug", "at", "version_id", "question", "rev", "answer", "lesson", "done"]) {
      if (name in thing) sent[name] = thing[name];
    }
    return sent;
  };
  async function send(owner, csrf, waiting) {
    const before = await store.pauses(), mine = await slugs(owner, before);
    const body = JSON.stringify({ who: owner, sent: Date.now(), slugs: mine, things: waiting.map(plain) });
    const { status, said } = await ask("/learn/offline/sync", { method: "POST", body,
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrf } });
    if (status === 401) { await store.lock(); return "sign_in"; }
    if (status === 409) return "other";
    if (status !== 200 || !said) return "offline";
    for (const one of said.results) {
      if (one.outcome === "taken") await store.change(one.ref, { state: "sent", judged: one.right, old: one.old, later: false });
      else if (one.outcome === "later") await store.change(one.ref, { later: true });
      else await store.change(one.ref, { state: "refused", message: one.message });
    }
    await learn(owner, said);
    await resume(before, said.courses);
    return "ok";
  }
  async function run(changed) {
    const heard = await refresh();
    if (heard.state !== "ok") return heard.state;
    const tried = {};
    for (;;) {
      const things = await store.things(heard.learner);
      const waiting = things.filter((thing) => thing.state === "waiting" && !tried[thing.ref]).slice(0, AT_ONCE);
      if (!waiting.length) break;
      const state = await send(heard.learner, heard.csrf, waiting);
      if (state !== "ok") return state;
      for (const thing of waiting) tried[thing.ref] = true;
      if (changed) changed();
    }
    await store.trim(heard.learner);
    return "ok";
  }
  /** Hear and send. "ok", "offline" (also a server in trouble), "sign_in" or "other" (somebody else is signed in by now). */
  async function flush(changed) {
    if (!running) running = run(changed).then((state) => { running = null; return state; }, (error) => { running = null; throw error; });
    return running;
  }
  return { flush, refresh };
})();
