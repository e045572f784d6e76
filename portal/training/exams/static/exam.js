// Saves each answer as it is given. Without a network it is kept here and sent later; the clock is the server's, counted on
// with the browser's own ticks, so that a phone whose time is wrong shows the right time left. Without this file, and in a browser
// that cannot give up a request, the form is sent as it is.
"use strict";
(() => {
  const form = document.getElementById("exam"), bar = document.getElementById("exam-bar"), store = window.AnlanKeep;
  if (!form || !bar || !store || !window.AbortController) return;
  const words = JSON.parse(bar.dataset.words), attempt = form.dataset.attempt;
  const state = document.getElementById("exam-state"), clock = document.getElementById("exam-clock"), stop = document.getElementById("exam-stop");
  const PATIENCE = 10000, LONGEST = 30000, LOOK = 30000;
  const say = (key, n) => words[key].replace("{n}", n).replace("{time}", n);
  let kept = store.read(attempt), keeps = true, busy = false, tries = 0, timer = 0, over = false, leaving = false;
  kept.seq = Math.max(kept.seq, Number(form.dataset.seq));

  // -- answers ---------------------------------------------------------------------------------------------
  const questions = [...form.querySelectorAll("[data-at]")];
  const fields = (question) => [...question.querySelectorAll("input:not([type=hidden]), select")];
  function valueOf(question) {
    const all = fields(question), number = (field) => (field.value === "" ? null : Number(field.value));
    const checked = all.filter((field) => field.checked).map(number);
    switch (question.dataset.kind) {
      case "one": return checked.length ? checked[0] : null;
      case "many": return checked;
      case "each": return all.map(number);
      default: return all[0].value;
    }
  }
  function put(question, value) {
    const all = fields(question), kind = question.dataset.kind;
    const written = (one) => (one === null || one === undefined ? "" : one);
    if (kind === "line") all[0].value = written(value);
    else if (kind === "each") all.forEach((field, at) => { field.value = written(value && value[at]); });
    else all.forEach((field) => { field.checked = [].concat(value).includes(Number(field.value)); });
  }
  function answered(question) {
    kept.seq = Math.max(kept.seq, store.read(attempt).seq) + 1; // another tab of this browser may have counted on
    kept.waiting[question.dataset.at] = { seq: kept.seq, value: valueOf(question) };
    keeps = store.write(attempt, kept);
    show("saving");
    soon(0);
  }
  // What this browser still has to send stands above what the page brought, unless the server has something newer.
  for (const question of questions) {
    const mine = kept.waiting[question.dataset.at];
    if (mine && mine.seq > Number(question.dataset.seq)) put(question, mine.value);
    else if (mine) delete kept.waiting[question.dataset.at];
  }
  let typing = 0;
  form.addEventListener("change", (event) => { clearTimeout(typing); const q = event.target.closest("[data-at]"); if (q) answered(q); });
  form.addEventListener("input", (event) => {
    const question = event.target.closest("[data-kind=line]");
    if (!question) return;
    clearTimeout(typing);
    typing = setTimeout(() => answered(question), 700);
  });

  form.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.matches("input")) event.preventDefault(); });

  // -- sending ---------------------------------------------------------------------------------------------
  const count = () => Object.keys(kept.waiting).length;
  function show(how) {
    bar.dataset.state = how;
    const text = how === "offline" ? (count() ? say("offline", count()) : words.quiet) : say(how, count());
    state.textContent = keeps || how === "saved" ? text : `${text}. ${words.nowhere}`;
  }
  function soon(wait) { clearTimeout(timer); timer = setTimeout(flush, wait); }
  /** `away`: nothing was heard of the server, as against an answer that is no use. */
  function again(away) {
    show(!navigator.onLine || (away && tries > 1) ? "offline" : "waiting");
    tries += 1;
    soon(Math.min(LONGEST, 1000 * 2 ** Math.min(tries, 5)) * (0.75 + Math.random() / 2));
  }
  async function ask(url, options) {
    const ending = new AbortController(), late = setTimeout(() => ending.abort(), PATIENCE);
    try {
      return await fetch(url, Object.assign({ credentials: "same-origin", cache: "no-store", signal: ending.signal }, options,
        { headers: Object.assign({ Accept: "application/json" }, options && options.headers) }));
    } finally { clearTimeout(late); }
  }
  /** A token for a session that began after this page was made. */
  async function renew() {
    const page = new DOMParser().parseFromString(await (await ask(form.dataset.rules, { headers: { Accept: "text/html" } })).text(), "text/html");
    const fresh = page.querySelector("input[name=csrf_token]");
    if (fresh) form.elements.csrf_token.value = fresh.value;
    return Boolean(fresh);
  }
  /** What an answer of the server means for this page: true when it can go on. */
  async function heard(answer) {
    if (answer.status === 401) { show("offline"); state.textContent = words.sign_in; soon(LONGEST); return false; }
    if ([404, 409, 410].includes(answer.status)) { halt((await answer.json().catch(() => ({}))).message || words.over, answer.status); return false; }
    if (!answer.ok) throw new Error(String(answer.status));
    const said = await answer.json();
    if (typeof said.left === "number") learn(said.left);
    for (const one of said.kept || []) if (kept.waiting[one.at] && kept.waiting[one.at].seq <= one.seq) delete kept.waiting[one.at];
    store.write(attempt, kept);
    tries = 0;
    return true;
  }
  async function flush() {
    if (busy || over) return false;
    busy = true;
    clearTimeout(timer);
    try {
      while (count()) {
        show("saving");
        const answers = Object.entries(kept.waiting).map(([at, one]) => Object.assign({ at: Number(at) }, one));
        const send = () => ask(form.dataset.save, { method: "POST", body: JSON.stringify({ attempt, answers }),
          headers: { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrf_token.value } });
        let answer = await send();
        if (answer.status === 400 && await renew()) answer = await send();
        if (!await heard(answer)) return false;
      }
      show("saved");
      return true;
    } catch (error) { again(error instanceof TypeError || error.name === "AbortError"); return false; } finally { busy = false; }
  }
  /** The attempt goes on elsewhere, or not at all: nothing more can be answered here. */
  function halt(message, status) {
    over = true;
    clearTimeout(timer);
    if (status === 410) { leaving = true; store.forget(attempt); location.href = form.dataset.result; return; }
    stop.querySelector("p").textContent = message;
    stop.hidden = false;
    bar.hidden = true;
    for (const one of form.querySelectorAll("fieldset, button")) one.disabled = true;
    stop.scrollIntoView({ block: "center" });
  }

  // -- handing in ------------------------------------------------------------------------------------------
  let sure = false, clicked = form.querySelector("button[name=do]");
  form.addEventListener("click", (event) => { clicked = event.target.closest("button[name=do]") || clicked; });
  form.addEventListener("submit", async (event) => {
    if (sure) return;
    event.preventDefault();
    if (over || leaving) return;
    clearTimeout(typing);
    const pressed = event.submitter || clicked;
    for (const question of questions.filter((one) => one.dataset.kind === "line")) {
      const before = "last" in question.dataset ? question.dataset.last : fields(question)[0].defaultValue;
      if ((valueOf(question) || "") !== before) { question.dataset.last = valueOf(question); answered(question); }
    }
    while (busy) await new Promise((done) => { setTimeout(done, 50); });
    if (!await flush() || !await look()) {
      if (!over) { state.textContent = words.nothing_sent; bar.dataset.state = "offline"; }
      return;
    }
    nothingMore(true);
    sure = leaving = true;
    press(pressed.value);
  });

  // -- the clock -------------------------------------------------------------------------------------------
  let left = Number(form.dataset.left), since = performance.now(), told = "", ending = false;
  function learn(seconds) { left = seconds; since = performance.now(); tick(); }
  function tick() {
    const rest = Math.max(0, Math.ceil(left - (performance.now() - since) / 1000));
    const two = (n) => String(n).padStart(2, "0"), hours = Math.floor(rest / 3600);
    const time = `${hours ? `${hours}:` : ""}${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
    clock.textContent = rest ? say("left", time) : words.over;
    const key = rest <= 60 ? "one" : rest <= 300 ? "five" : "";
    if (rest && key && told !== key) { told = key; state.textContent = words[key]; }
    if (!rest && !ending && !over) { ending = true; finish(); }
  }
  /** All is saved: the form brings no answers, which in another tab may have been given anew since this page was opened. */
  function nothingMore(is) { for (const place of form.querySelectorAll("input[name=at]")) place.disabled = is; }
  /** The time is over: hand in what there is, within the grace. */
  async function finish() {
    clearTimeout(typing);
    while (!over) {
      if (await flush()) { sure = leaving = true; nothingMore(true); press("submit"); return; }
      await new Promise((done) => { setTimeout(done, 2000); });
    }
  }
  /** Send the form as if the button with this value was pressed, also where a browser cannot press one. */
  function press(value) {
    const act = form.querySelector("input[name=do]") || Object.assign(document.createElement("input"), { type: "hidden", name: "do" });
    act.value = value;
    form.append(act);
    form.submit();
  }
  /** Ask for the time: it tells also whether this device may still answer. */
  async function look() {
    if (over) return false;
    try { return await heard(await ask(form.dataset.clock)); } catch (error) { return false; }
  }
  async function refresh() {
    if (over || leaving || busy) return;
    if (count()) { flush(); return; }
    if (await look()) { if (!count()) show("saved"); }  // something may have been answered meanwhile
    else if (!over && bar.dataset.state !== "offline") show("offline");
  }
  setInterval(tick, 1000);
  setInterval(() => { if (!document.hidden) refresh(); }, LOOK);
  window.addEventListener("online", () => { tries = 0; refresh(); });
  window.addEventListener("offline", () => { if (!over) show("offline"); });
  window.addEventListener("pageshow", (event) => { sure = leaving = false; nothingMore(false); if (event.persisted) refresh(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  const plainly = document.getElementById("saved-plainly");
  if (plainly) plainly.remove();
  document.getElementById("save-plainly").hidden = true;
  tick();
  // What was answered before this ran has told nobody.
  const untouched = (field) => field.type === "radio" || field.type === "checkbox" ? field.checked === field.defaultChecked
    : field.value === (field.matches("select") ? ([...field.options].find((one) => one.defaultSelected) || field.options[0]).value : field.defaultValue);
  for (const question of questions) if (!kept.waiting[question.dataset.at] && !fields(question).every(untouched)) answered(question);
  if (count()) flush(); else show("saved");
})();
