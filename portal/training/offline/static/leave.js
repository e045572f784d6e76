// Signing out takes everything of the learner off this phone; where something is not sent yet, it tries to send it first, and
// asks. Without a network nobody can be signed out, and nothing is deleted.
"use strict";
(() => {
  const store = self.AnlanStore, bar = self.AnlanBar, sync = self.AnlanSync, line = document.getElementById("offline-bar");
  if (!store || !store.possible || !line) return;
  const words = JSON.parse(line.dataset.words);
  const waiting = (things) => things.filter((thing) => thing.state === "waiting").length;
  async function forget() {
    await store.wipe();
    if (self.caches) for (const name of await caches.keys()) if (name.indexOf("anlan-learn-") === 0) await caches.delete(name);
    if (!navigator.serviceWorker) return;
    for (const one of await navigator.serviceWorker.getRegistrations()) if (new URL(one.scope).pathname === "/learn/") await one.unregister();
  }
  async function mayLeave() {
    const owner = await store.owner(), things = await store.things(owner);
    if (waiting(things)) await bar.send();
    if ((things.length || (await store.slugs(owner)).length) && (await sync.refresh()).state === "offline") {
      window.alert(words.cannot_leave);
      return false;
    }
    const left = waiting(await store.things(owner));
    return !left || window.confirm(words.leave_unsent.replace("{n}", left));
  }
  // A page that tells somebody that he is gone from the portal.
  if (document.querySelector("[data-forget]")) forget().catch(() => { /* as below */ });
  for (const form of document.querySelectorAll("form[data-sign-out]")) {
    let sure = false, busy = false;
    form.addEventListener("submit", async (event) => {
      if (sure) return;
      event.preventDefault();
      if (busy) return;
      busy = true;
      try {
        if (!(await mayLeave())) { busy = false; return; }
        await forget();
      } catch (error) { /* nothing is kept where nothing can be kept */ }
      sure = true;
      form.submit();
    });
  }
})();
