// The staff's page with a script: reports go through the outbox, the state keeps itself fresh, and all of it works without
// a network. Without this file the forms are sent as they are.
"use strict";
(() => {
  const CACHE = "anlan-staff-1", EVERY = 30000, SOONEST = 2000, box = window.AnlanOutbox;
  const root = document.querySelector("[data-staff]"), panel = document.getElementById("outbox");
  if (document.querySelector("[data-door]") && "caches" in window) caches.delete(CACHE);  // nobody is signed in here
  if (!root || !panel) return;
  const words = JSON.parse(panel.dataset.words), who = root.dataset.staff, shelter = root.dataset.shelter;
  const say = (key, values = {}) => Object.entries(values).reduce((text, [k, v]) => text.replaceAll(`{${k}}`, v), words[key]);
  const clock = (iso) => {
    const at = new Date(iso), day = new Date(box.now());
    const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    return at.toDateString() === day.toDateString() ? time : `${at.getMonth() + 1}-${at.getDate()} ${time}`;
  };
  const make = (tag, text, attributes = {}) => Object.assign(document.createElement(tag), { textContent: text }, attributes);

  // -- what waits ------------------------------------------------------------------------------------------
  function line(item) {
    const li = make("li", ""), drill = item.fields.exercise === "1" ? `[${words.drill}] ` : "";
    const sent = item.conflict ? "conflict" : item.applied === false ? "older" : "sent";
    const state = item.who !== who ? words.foreign : item.state === "sent" ? say(sent, { time: clock(item.sent_at) })
      : item.state === "refused" ? `${words.refused}: ${item.gone ? words.gone : item.reason}` : words.not_sent;
    li.append(make("strong", `${drill}${item.label}`), ` ${item.name} · ${say("seen", { time: clock(item.observed_at) })} · `,
      make("span", state, { className: `staff-${sent === "sent" || item.state !== "sent" ? item.state : "waiting"}` }));
    if (item.state === "refused" && item.over) li.append(button(words.anyway, () => {
      box.change(item.ref, { state: "waiting", fields: { ...item.fields, over: "1" } }); show(); flush();
    }));
    const mine = item.state === "waiting" && item.who === who && !box.leaves(item.ref);
    if (mine) li.append(button(words.undo, () => { box.drop(item.ref); show(words.undone); }));
    else if (item.state === "refused" || item.who !== who) li.append(button(words.drop, () => { box.drop(item.ref); show(); }));
    return li;
  }
  function button(text, act) {
    const one = make("button", text, { type: "button", className: "button-quiet" });
    one.addEventListener("click", act);
    return one;
  }
  // A click is lost where what was pressed is replaced before it is let go; and a finger's click comes a little after that.
  const HELD = 5000, AFTER = 300;
  let lifted = Promise.resolve(), lift = null, lifting = 0;
  const up = (wait) => { clearTimeout(lifting); lifting = setTimeout(() => { lift?.(); lift = null; }, wait); };
  document.addEventListener("pointerdown", () => {
    if (!lift) lifted = new Promise((done) => { lift = done; });
    up(HELD);
  }, true);
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => up(AFTER), true);

  let shown = "", out = false;  // the session ended: what waits stays here until somebody signs in again
  function show(message = out ? words.sign_in : "") {
    const items = box.read(), waiting = items.filter((item) => item.state === "waiting").length;
    panel.hidden = !items.length && !message;
    document.getElementById("outbox-door").hidden = !out;
    panel.classList.toggle("staff-unsent", waiting > 0);
    const told = JSON.stringify([items, items.find((item) => box.leaves(item.ref))?.ref, new Date(box.now()).toDateString()]);
    if (told !== shown) document.getElementById("outbox-list").replaceChildren(...items.slice().reverse().map(line));
    shown = told;
    document.getElementById("outbox-state").textContent = message || (waiting ? say("waiting", { n: waiting }) : items.length ? words.all_sent : "");
  }

  let asked = false, again = 0, pause = SOONEST;
  async function flush() {
    clearTimeout(again);
    const before = box.read().filter((item) => item.state === "sent").length;
    const outcome = await box.flush(who, () => show());
    if (outcome === "busy") { asked = true; return; }  // something else was pressed, or the network came back while an attempt hangs
    if (outcome === "sign_in" || outcome === "sent") out = outcome === "sign_in";
    show();
    if (asked && outcome !== "sign_in") again = setTimeout(flush);
    else if (outcome === "offline" && navigator.onLine) {  // a network that has just come back often carries nothing yet
      again = setTimeout(flush, pause);
      pause = Math.min(2 * pause, EVERY);
    } else pause = SOONEST;
    asked = false;
    if (outcome === "sent" && box.read().filter((item) => item.state === "sent").length !== before) await refresh();
  }

  // -- reporting -------------------------------------------------------------------------------------------
  function digits(field) {
    const text = field.value.trim().normalize("NFKC").replaceAll(",", "");
    return text === "" ? 0 : /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  }
  function fieldsOf(form, pressed) {
    const here = document.getElementById("now").dataset;
    const fields = { seen_id: here.seen, exercise: here.drill };
    if (form.dataset.report === "status") fields.status = pressed.value;
    if (form.dataset.report === "count") fields.occupancy = String(digits(form.elements.occupancy));
    if (form.dataset.report === "note") for (const name of ["status", "note", "valid"]) fields[name] = form.elements[name].value;
    return fields;
  }
  function labelOf(form, pressed, fields) {
    if (fields.occupancy !== undefined) return say("people", { n: fields.occupancy });
    return form.dataset.report === "status" ? pressed.textContent.replace(/\s+/g, " ").trim() : fields.note || form.querySelector("option:checked").textContent;
  }
  root.addEventListener("submit", (event) => {
    const form = event.target, pressed = event.submitter;
    if (form.classList.contains("staff-undo") && !reached) { event.preventDefault(); show(words.no_undo); return; }
    if (!form.dataset.report || !pressed) return;
    if (form.dataset.report === "count" && !pressed.hasAttribute("data-send")) {
      event.preventDefault();
      const count = digits(form.elements.occupancy);
      if (!Number.isNaN(count)) form.elements.occupancy.value = Math.max(0, count + Number(pressed.value));
      form.dataset.touched = "1";
      return;
    }
    event.preventDefault();
    const fields = fieldsOf(form, pressed), places = Number(document.getElementById("now").dataset.places || NaN);
    if (fields.occupancy === "NaN") { show(words.bad_number); form.elements.occupancy.focus(); return; }
    if (fields.occupancy !== undefined && Number(fields.occupancy) > places) {
      if (!window.confirm(say("over", { people: fields.occupancy, places }))) return;
      fields.over = "1";
    }
    const kept = box.add({ shelter, who, name: root.dataset.name, label: labelOf(form, pressed, fields), fields });
    if (kept === "full") { show(words.full); return; }
    if (kept === "failed") { submitPlainly(form, pressed); return; }
    delete form.dataset.touched;
    if (form.dataset.report === "note") form.elements.note.value = "";
    show();
    flush();
  });
  /** Where the browser keeps nothing: as without a script, at once or not at all. */
  function submitPlainly(form, pressed) {
    if (!navigator.onLine) { show(words.failed); return; }
    const value = make("input", "", { type: "hidden", name: pressed.name, value: pressed.value });
    if (pressed.name) form.append(value);
    form.submit();
  }

  // -- keeping fresh ---------------------------------------------------------------------------------------
  let made = root.querySelector("[data-made]")?.dataset.made, reached = true, turns = 0, latest = 0;
  async function refresh() {
    if (!shelter) { reached = navigator.onLine; age(); return; }  // a list: loaded anew by whoever wants it anew
    const turn = turns += 1;
    try {
      const answer = await fetch(root.dataset.now, { cache: "no-store", credentials: "same-origin" });
      if (answer.status === 401) {
        if (!box.read().some((item) => item.state === "waiting")) location.href = "/staff/sign-in";
        out = true; show();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      await lifted;
      if (turn < latest) return;  // a later question has been answered already
      latest = turn;
      reached = answer.headers.get("X-Anlan-Cached") !== "1";
      replaceNow(text);
    } catch { if (turn > latest) reached = false; }
    age();
  }
  function replaceNow(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("now"), old = document.getElementById("now");
    if (!fresh || (!reached && new Date(fresh.dataset.made) < new Date(made))) return;
    made = fresh.dataset.made;
    if (reached) box.learnTime(made);
    const focused = document.activeElement, place = old.contains(focused) ? [focused.name, focused.value] : null;
    old.replaceWith(document.importNode(fresh, true));
    document.getElementById("reports")?.replaceWith(document.importNode(page.getElementById("reports"), true));
    const here = document.getElementById("now");
    if (place?.[0]) [...here.querySelectorAll("button")].find((b) => b.name === place[0] && b.value === place[1])?.focus();
    const count = document.querySelector("[data-report=count]");
    if (count && !count.dataset.touched && document.activeElement !== count.elements.occupancy) count.elements.occupancy.value = here.dataset.people;
  }
  function age() {
    const place = document.getElementById("age");
    if (!place) return;
    const old = box.now() - new Date(made) > 5 * 60000;
    place.textContent = say(!reached ? "offline" : old ? "old" : "fresh", { time: clock(made) });
    place.classList.toggle("staff-offline", !reached);
  }
  document.querySelector("[data-report=count] input[name=occupancy]")?.addEventListener("input", (event) => { event.target.form.dataset.touched = "1"; });
  document.getElementById("sign-out")?.addEventListener("submit", (event) => {
    if (box.read().some((item) => item.state === "waiting" && item.who === who) && !window.confirm(words.leave)) event.preventDefault();
    else if ("caches" in window) caches.delete(CACHE);
  });

  async function keep() {
    if (!("serviceWorker" in navigator)) return;
    try {
      await navigator.serviceWorker.register("/staff/sw.js", { scope: "/staff/" });
      await navigator.serviceWorker.ready;
      const cache = await caches.open(CACHE);
      const parts = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src]")].map((e) => e.href || e.src);
      const pages = [location.pathname, "/staff/", root.dataset.now, ...[...document.querySelectorAll(".staff-item")].map((a) => a.getAttribute("href"))];
      await Promise.allSettled([...parts, ...pages.filter(Boolean), "/staff/offline"].map(async (url) => {
        const answer = await fetch(url, { credentials: "same-origin" });
        if (answer.ok && answer.headers.get("X-Anlan-Cached") !== "1") await cache.put(new URL(answer.url).pathname + new URL(answer.url).search, answer.clone());
        if (answer.ok && answer.redirected && url === "/staff/") await cache.put("/staff/", new Response(await answer.blob(), { headers: answer.headers }));
      }));
      root.dataset.kept = "1";
    } catch { /* without it the page works as long as there is a network */ }
  }

  window.addEventListener("online", () => { pause = SOONEST; refresh(); flush(); });
  window.addEventListener("offline", () => { reached = false; age(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { refresh(); flush(); } });
  setInterval(() => { if (!document.hidden) { refresh(); flush(); } }, EVERY);
  show(); refresh().then(flush); keep();
})();
