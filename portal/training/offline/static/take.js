// On the page of a course: take it along, see what is kept of it, take the newer version, delete it.
"use strict";
(() => {
  const box = document.getElementById("take"), store = self.AnlanStore, bar = self.AnlanBar;
  if (!box) return;
  const words = JSON.parse(box.dataset.words), slug = box.dataset.slug, learner = box.dataset.learner, MEDIA = "anlan-learn-media";
  const state = document.getElementById("take-state"), button = document.getElementById("take-button"), remove = document.getElementById("take-remove");
  const line = document.getElementById("take-progress"), error = document.getElementById("take-error");
  const say = (key, values) => Object.keys(values || {}).reduce((text, name) => text.replace(`{${name}}`, values[name]), words[key]);
  const size = (bytes) => (bytes / 1e6).toFixed(1), pages = { Accept: "application/json" };
  const english = document.documentElement.lang.indexOf("en") === 0;
  function when(ms) {
    const at = new Date(ms), two = (n) => String(n).padStart(2, "0"), time = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][at.getMonth()];
    return english ? `${at.getDate()} ${month} ${time}` : `${at.getMonth() + 1}月${at.getDate()}日 ${time}`;
  }
  let about = null, busy = false;

  function fail(key, values) { error.textContent = say(key, values); error.hidden = false; }
  function impossible(key) { state.textContent = words[key]; button.hidden = remove.hidden = true; }
  async function ask() {
    const answer = await fetch(box.dataset.about, { headers: pages, credentials: "same-origin", cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }
  async function show() {
    const kept = (await store.courses(learner)).find((one) => one.slug === slug);
    const newer = kept && about && about.version_id !== kept.version_id;
    box.dataset.kept = kept ? kept.version : "";
    remove.hidden = !kept;
    button.hidden = Boolean(kept && !newer) || !(about || kept);
    button.textContent = newer ? say("get_newer", { version: about.version }) : words.get;
    if (kept) state.textContent = say("kept", { time: when(kept.at), version: kept.version, size: size(kept.bytes) }) + (newer ? say("newer", { version: about.version }) : "");
    else state.textContent = about ? say("offer", { size: size(about.bytes) }) : words.no_network;
  }

  // -- taking ----------------------------------------------------------------------------------------------
  /** The worker of this site's learning, at work. Another worker of the site may rule the page until then. */
  async function worker() {
    const made = await navigator.serviceWorker.register(box.dataset.worker, { scope: box.dataset.scope });
    const one = made.installing || made.waiting || made.active;
    if (one.state === "activated") return;
    await new Promise((resolve, reject) => {
      one.addEventListener("statechange", () => {
        if (one.state === "activated") resolve();
        else if (one.state === "redundant") reject(new Error("the worker could not begin"));
      });
    });
  }
  async function body(answer, gone) {
    if (!answer.body || !answer.body.getReader) return answer.json();
    const reader = answer.body.getReader(), parts = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      gone(value.length);
    }
    return JSON.parse(await new Response(new Blob(parts)).text());
  }
  async function pictures(bundle, gone) {
    const cache = await caches.open(MEDIA);
    for (const [url, bytes] of bundle.pictures) {
      if (!(await cache.match(url))) {
        const answer = await fetch(url, { credentials: "same-origin" });
        if (!answer.ok) throw new Error(url);
        await cache.put(url, answer);
      }
      gone(bytes);
    }
  }
  /** Pictures of no course that is kept. */
  async function sweep() {
    const wanted = new Set(), cache = await caches.open(MEDIA);
    for (const one of await store.courses(learner)) for (const [url] of one.bundle.pictures) wanted.add(url);
    for (const key of await cache.keys()) if (!wanted.has(new URL(key.url).pathname)) await cache.delete(key);
  }
  const isFull = (problem) => /quota/i.test(`${problem.name} ${problem.message}`);
  async function take() {
    let so = 0;
    const gone = (bytes) => {
      so = Math.min(so + bytes, about.bytes);
      const percent = Math.floor(100 * so / about.bytes);
      line.value = percent;
      if (percent % 10 === 0) state.textContent = say("taking", { percent, size: size(about.bytes) });
    };
    about = await ask();
    line.hidden = false; line.value = 0;
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => {});
    await worker();
    const answer = await fetch(box.dataset.course, { headers: pages, credentials: "same-origin", cache: "no-store" });
    if (answer.status === 409) { fail("exam"); return; }
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    const bundle = await body(answer, gone);
    await pictures(bundle, gone);
    await store.claim(learner);
    await store.keep({ slug, owner: learner, version_id: bundle.version_id, version: bundle.version, at: Date.now(), bytes: about.bytes, bundle });
    await sweep();
    await bar.send();
  }
  async function free() {
    if (!navigator.storage || !navigator.storage.estimate) return "";
    const { quota, usage } = await navigator.storage.estimate();
    return say("free", { free: size(Math.max(0, quota - usage)) });
  }
  button.addEventListener("click", async () => {
    if (busy) return;
    busy = button.disabled = true;
    error.hidden = true;
    try { await take(); } catch (problem) {
      await sweep().catch(() => {});
      if (isFull(problem)) { fail("full", { size: size(about ? about.bytes : 0) }); error.textContent += await free().catch(() => ""); }
      else fail(problem.name === "SecurityError" || problem.name === "InvalidStateError" ? "private" : "failed");
    }
    line.hidden = true;
    busy = button.disabled = false;
    await show().catch(() => impossible("private"));
  });
  remove.addEventListener("click", async () => {
    if (busy || !window.confirm(words.sure)) return;
    await store.drop(slug);
    await sweep();
    await show();
    await bar.show();
    button.focus();
  });
  async function begin() {
    box.hidden = false;
    if (!navigator.serviceWorker || !self.caches) { impossible("no_worker"); return; }
    if (!store.possible) { impossible("private"); return; }
    try { await store.owner(); } catch (problem) { impossible("private"); return; }
    about = await ask().catch(() => null);
    await show();
    box.dataset.ready = "1";
  }
  begin();
})();
