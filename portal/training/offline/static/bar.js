// The line that says what of this phone's learning is not sent yet. It sends when a page opens, when the network returns, when
// one comes back to the page, at the press of a button, and again and again while there is a network and no answer.
"use strict";
self.AnlanBar = (() => {
  const bar = document.getElementById("offline-bar"), store = self.AnlanStore, sync = self.AnlanSync;
  const idle = { show: async () => {}, send: async () => "offline", heard: [] };
  if (!bar || !store || !store.possible) return idle;
  const words = JSON.parse(bar.dataset.words), state = document.getElementById("offline-state");
  const button = document.getElementById("offline-send"), door = document.getElementById("offline-door");
  const heard = [];
  const SOONEST = 5000, LATEST = 60000; // milliseconds until it is tried again, where there is a network and no answer
  let last = "", wasWaiting = false, pause = SOONEST, again = 0;

  const say = (key, n) => (words[n === 1 && words[`${key}_one`] ? `${key}_one` : key] || "").replace("{n}", n);
  async function show(how) {
    if (how) last = how;
    const owner = await store.owner(), things = await store.things(owner), courses = await store.slugs(owner);
    const waiting = things.filter((thing) => thing.state === "waiting"), later = waiting.filter((thing) => thing.later).length;
    const answers = waiting.filter((thing) => thing.kind === "answer").length - later, lessons = waiting.length - later - answers;
    const refused = things.filter((thing) => thing.state === "refused").length, foreign = await store.foreign(owner);
    const said = [];
    if (last === "sending" && waiting.length > later) said.push(words.sending);
    else if (!navigator.onLine || last === "offline") said.push(words.offline);
    if (answers) said.push(say("answers", answers));
    if (lessons) said.push(say("lessons", lessons));
    if (later) said.push(say("later", later));
    if (refused) said.push(say("refused", refused));
    const lost = document.documentElement.dataset.unsent; // what this page was asked to send, for which it holds nothing
    if (!waiting.length && !lost && owner && (courses.length || wasWaiting)) said.push(words.all_sent);
    if (foreign) said.push(say(owner ? "foreign" : "sign_in", foreign));
    wasWaiting = wasWaiting || waiting.length > 0;
    const text = said.join(" · ");
    if (state.textContent !== text) state.textContent = text;
    bar.dataset.state = answers || lessons || refused || foreign ? "waiting" : "sent";
    bar.hidden = !text;
    button.hidden = answers + lessons === 0;
    button.disabled = last === "sending";
    door.hidden = bar.dataset.learner === undefined || !(courses.length || things.length);
  }
  async function send() {
    let how = "offline";
    try {
      await show("sending");
      how = await sync.flush(() => show());
    } catch (error) { how = "offline"; }
    await show(how === "ok" ? "sent" : how);
    bar.dataset.heard = how;
    for (const tell of heard) tell(how);
    clearTimeout(again);
    if (how === "offline" && navigator.onLine) { // a network that has just come back often carries nothing yet
      again = setTimeout(quietly, pause);
      pause = Math.min(2 * pause, LATEST);
    } else pause = SOONEST;
    return how;
  }
  button.addEventListener("click", send);
  const quietly = () => sendSome().catch(() => { /* a browser that keeps nothing has nothing to send */ });
  window.addEventListener("online", quietly);
  window.addEventListener("offline", quietly);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) quietly(); });

  /** Whoever keeps nothing here costs the server nothing. On the page without a network somebody may be signed in meanwhile. */
  async function sendSome() {
    const owner = await store.owner(), asks = !owner && bar.dataset.learner === undefined;
    const some = asks || (await store.slugs(owner)).length || (await store.things(owner)).length || Object.keys(await store.pauses()).length;
    if (some) await (navigator.onLine ? send() : show("offline"));
  }

  /** A page of the server knows who is signed in. */
  async function begin() {
    const learner = bar.dataset.learner;
    if (learner !== undefined) {
      const before = await store.owner();
      if (learner) await store.claim(learner); else if (before) await store.lock();
      await store.speak(document.documentElement.lang.indexOf("zh") === 0 ? "zh" : "en");
    }
    await show();
    await sendSome();
  }
  begin().catch(() => { /* as above */ });
  return { show, send, heard };
})();
