"use strict";
// Assessing with or without a network: the list and its checklists are on the phone, what is filled in is kept first and sent
// when there is contact. Without this file the pages are plain forms.
(() => {
  const kept = window.AnlanAssessments, words = JSON.parse(document.getElementById("words").textContent), $ = (id) => document.getElementById(id);
  const session = words.session || (/\/sessions\/([0-9a-f-]{36})\/assess\//.exec(location.pathname) || [])[1];
  if (!kept || !kept.possible || !session) return;
  const CACHE = "anlan-assess-1", EVERY = 20e3, SOON = 5e3, nil = "00000000-0000-0000-0000-000000000000";
  let list = kept.list(session), busy = false, alone = false;
  const say = (text, values = {}) => Object.entries(values).reduce((t, [k, v]) => t.split(`{${k}}`).join(v), text);
  const at = (url) => url.replace(nil, session);
  const clock = (ms) => new Intl.DateTimeFormat(document.documentElement.lang === "en" ? "en-GB" : "zh-CN", {month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23"}).format(ms);
  const waiting = () => kept.out().filter((one) => one.state !== "refused");
  const mine = (one) => Boolean(list) && one.account === list.account;

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") node.addEventListener("click", value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== ""));
    return node;
  }
  function show(place, ...children) { while (place.firstChild) place.firstChild.remove(); place.append(...children); }
  const person = (id) => list.people.find((one) => one.id === id), skill = (id) => list.skills.find((one) => one.id === id);
  const called = (one) => (one ? one.name || `${words.nameless} ${say(words.tail, {tail: one.tail})}` : words.somebody);
  const draftKey = (learner, name) => `${list.account}/${session}/${learner}/${name}`;
  const last = (learner, name) => kept.out().filter((one) => one.session === session && one.learner === learner && one.skill === name && one.state !== "refused" && mine(one)).pop();

  // -- the list ---------------------------------------------------------------------------------------------
  function skillButton(one, item) {
    const here = one.skills[item.id] || {state: "unseen", mine: null}, unsent = last(one.id, item.id);
    const verdict = unsent ? (unsent.passed ? words.passed : words.not_yet) : here.mine ? (here.mine.passed ? words.passed : words.not_yet) : "";
    return make("li", {}, make("a", {class: "assess-skill", href: `#${one.id}/${item.id}`},
      make("span", {}, item.title), make("span", {class: `mark mark-${words.marks[here.state]}`}, words.states[here.state]),
      verdict ? make("small", unsent ? {class: "assess-unsent"} : {}, say(words.you, {v: verdict}), unsent ? ` · ${words.unsent}` : "") : null));
  }
  function drawList() {
    $("app-title").textContent = words.assess;
    const links = make("nav", {class: "row assess-tabs"}, words.page_url ? make("a", {class: "button button-quiet", href: at(words.page_url)}, words.page) : null, make("a", {class: "button button-quiet", href: at(words.attendance_url)}, words.attendance), make("a", {class: "button button-quiet", href: words.disputes_url}, words.disputes));
    const rows = (some) => make("ul", {class: "plain assess-people"}, ...some.map(row)), there = list.people.filter((one) => one.present || one.gone), rest = list.people.filter((one) => !one.present && !one.gone);
    const row = (one) => make("li", {id: `p-${one.id}`}, make("p", {class: "flush"}, make("strong", {}, one.name || words.nameless), " ", make("span", {class: "muted small"}, say(words.tail, {tail: one.tail})), one.gone ? make("span", {class: "muted small"}, ` · ${words.gone}`) : null),
      make("ul", {class: "plain assess-skills"}, ...list.skills.map((item) => skillButton(one, item))));
    const held = document.activeElement ? document.activeElement.getAttribute("href") : null;
    show($("view"), links, there.length ? rows(there) : make("p", {}, words.nobody),
      ...(rest.length ? [make("h2", {}, words.expected), make("p", {class: "muted"}, words.expected_hint), rows(rest)] : []));
    const again = held && held.startsWith("#") ? $("view").querySelector(`a[href="${held}"]`) : null;
    if (again) again.focus({preventScroll: true});
  }

  // -- one checklist ----------------------------------------------------------------------------------------
  function drawChecklist(one, item) {
    const key = draftKey(one.id, item.id), before = kept.draft(key) || last(one.id, item.id) || (one.skills[item.id] || {}).mine || {steps: {}, note: ""};
    const mark = (id) => (id in before.steps ? before.steps[id] : null);
    $("app-title").textContent = item.title;
    const steps = item.steps.map((step, n) => make("fieldset", {class: "assess-step", "data-required": step.required},
      make("legend", {}, `${n + 1}. ${step.words}`, step.required ? " " : null, step.required ? make("span", {class: "assess-must"}, words.must) : null), step.hint ? make("p", {class: "hint"}, step.hint) : null,
      make("div", {class: "assess-three"}, ...[["yes", true], ["no", false], ["unseen", null]].map(([name, value]) => make("label", {class: `assess-pick assess-${name}`},
        make("input", {type: "radio", name: `s-${step.id}`, value: name, checked: mark(step.id) === value}), make("span", {}, words.saw[name]))))));
    const note = make("textarea", {id: "note", maxlength: "500", rows: "3"});
    note.value = before.note || "";
    const form = make("form", {class: "assess-form", "data-needed": item.needed},
      make("nav", {class: "assess-back"}, make("a", {href: "#"}, `← ${words.back}`)), make("p", {class: "lead"}, make("strong", {}, called(one))), ...steps,
      make("div", {class: "field"}, make("label", {for: "note"}, words.note), make("p", {class: "hint"}, words.note_hint), note),
      make("div", {class: "assess-bar"}, make("p", {class: "assess-result", role: "status"}), make("button", {class: "assess-big"}, words.save)));
    show($("view"), form);
    const passed = window.AnlanRunning(form, words);
    function filled() {
      const steps = {};
      for (const step of item.steps) {
        const said = form.elements[`s-${step.id}`].value;
        steps[step.id] = said === "yes" ? true : said === "no" ? false : null;
      }
      return {steps, note: note.value};
    }
    form.addEventListener("input", () => kept.keepDraft(key, filled()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const marks = filled();
      if (Object.values(marks.steps).every((mark) => mark === null)) { tell(words.nothing, true); return; }
      if (!kept.add(Object.assign({ref: kept.ref(), account: list.account, session, learner: one.id, skill: item.id, version: list.version, at: Date.now(), passed: passed()}, marks))) { tell(words.full, true); return; }
      kept.keepDraft(key, null);
      tell(words.saved);
      location.hash = "";
      sync();
    });
  }

  function tell(text, bad = false) { const place = $("said"); place.hidden = !text; place.textContent = text; place.className = `notice ${bad ? "notice-problem" : "notice-good"}`; if (bad) place.scrollIntoView({block: "center"}); }
  let drawn = null;
  function draw(force = false) {
    if (!list) return;
    const [learner, name] = location.hash.slice(1).split("/"), one = person(Number(learner)), item = skill(name || ""), view = one && item ? location.hash : "";
    show($("plain")); $("app").hidden = false;
    $("app-where").textContent = `${list.title} · ${list.place} · ${clock(list.starts)}`;
    $("kept").textContent = say(words.kept, {time: clock(list.taken), until: clock(list.expires)});
    $("app").classList.toggle("assess-one", Boolean(view));
    drawState();
    if (view && view === drawn && !force) return; // somebody is filling it in
    if (view) { if (drawn !== null) { tell(""); } drawChecklist(one, item); } else drawList();
    if (drawn !== null && drawn !== view) { $("app-title").focus({preventScroll: true}); window.scrollTo(0, 0); }
    drawn = view;
  }
  function drawState(contact = "") {
    const items = kept.out(), n = items.filter((one) => one.state !== "refused").length;
    $("waiting").textContent = n ? say(words.waiting, {n}) : words.all_sent;
    if (contact) $("contact").textContent = contact;
    const refused = items.filter((one) => one.state === "refused" && mine(one));
    $("refused-box").hidden = !refused.length;
    const title = (id) => (skill(id) ? skill(id).title : id);
    show($("refused"), ...refused.map((one) => make("li", {}, make("p", {class: "flush"}, make("strong", {}, one.session === session ? `${called(person(one.learner))} · ${title(one.skill)}` : words.other_session), ` · ${clock(one.at)}`), make("p", {class: "flush"}, one.message),
      make("p", {class: "row flush"}, one.session === session && person(one.learner) ? make("button", {type: "button", class: "button-quiet", onclick: () => { kept.keepDraft(draftKey(one.learner, one.skill), {steps: one.steps, note: one.note}); kept.drop([one.ref]); location.hash = `${one.learner}/${one.skill}`; draw(); }}, words.again) : null,
        make("button", {type: "button", class: "button-quiet", onclick: () => { if (window.confirm(words.discard_sure)) { kept.drop([one.ref]); draw(); } }}, words.discard)))));
  }

  // -- contact ----------------------------------------------------------------------------------------------
  async function take(csrf) {
    const answer = await fetch(at(words.take_url), {method: "POST", headers: {"X-CSRFToken": csrf}, redirect: "error"});
    if (answer.status === 404) { kept.dropList(session); list = null; location.reload(); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    list = await answer.json();
    kept.keepList(list);
  }
  async function sync(all = false) {
    if (busy) return;
    busy = true;
    try {
      const who = await fetch(words.session_url, {cache: "no-store", redirect: "error"});
      if (who.status === 401) { signIn(words.signed_out); return; }
      if (!who.ok) throw new Error(String(who.status));
      const {account, csrf} = await who.json();
      if (list && account !== list.account) { kept.forget(); list = null; all = true; }
      $("sign-in").hidden = true;
      const sent = waiting().filter((one) => one.account === account).slice(0, alone ? 1 : words.most);
      if (sent.length || !all) {
        const body = {session, sent: Date.now(), seen: sent.map(({ref, session: where, learner, skill: name, version, steps, note, at: moment}) => ({ref, session: where, learner, skill: name, version, steps, note, at: moment}))};
        const answer = await fetch(words.sync_url, {method: "POST", redirect: "error", headers: {"Content-Type": "application/json", "X-CSRFToken": csrf}, body: JSON.stringify(body)});
        if (answer.status === 401) { signIn(words.signed_out); return; }
        if (answer.status === 400 && sent.length) { // one of them cannot be read: each by itself, so that it holds up no other
          if (alone) kept.change(sent[0].ref, {state: "refused", message: (await answer.json().catch(() => ({}))).message || "400"});
          alone = true;
          setTimeout(sync, 200);
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        alone = false;
        all = taken(await answer.json(), sent) || all;
      }
      if (all || !list) await take(csrf);
      const foreign = waiting().some((one) => one.account !== account);
      drawn = location.hash.length > 1 ? drawn : null;
      draw();
      drawState(foreign ? words.other : say(words.contact, {time: clock(Date.now())}));
      if (waiting().some((one) => one.account === account)) setTimeout(sync, 200);
    } catch (error) {
      draw();
      drawState(words.no_contact);
      if (navigator.onLine && waiting().length) setTimeout(sync, SOON);
    } finally { busy = false; }
  }
  // Whether somebody is there whose name this phone does not know.
  function taken(answer, sent) {
    const notes = [];
    for (const {ref, outcome, message} of answer.results) {
      if (outcome === "refused") kept.change(ref, {state: "refused", message});
      else { kept.drop([ref]); notes.push(message); }
    }
    if (notes.length) tell(notes[notes.length - 1]);
    if (!answer.people || !list) return true;
    const now = new Map(answer.people.map((one) => [one.id, one]));
    for (const one of list.people) { one.gone = !now.has(one.id); if (!one.gone) ({skills: one.skills, present: one.present} = now.get(one.id)); }
    kept.keepList(list);
    return answer.people.some((one) => !person(one.id));
  }
  function signIn(text) { $("sign-in").hidden = false; $("sign-in").querySelector("a").href = `/desk/sign-in?next=${encodeURIComponent(location.pathname)}`; draw(); drawState(text); }

  async function keepPage() {
    if (!("serviceWorker" in navigator)) return;
    try {
      await navigator.serviceWorker.register(words.worker_url, {scope: words.scope});
      const answer = await fetch(words.offline_url, {cache: "no-store", redirect: "error"});
      if (!answer.ok) return;
      const cache = await caches.open(CACHE), text = await answer.clone().text();
      const files = new Set();
      text.replace(/(?:href|src)="(\/[^"#]+\.(?:css|js|svg)(?:\?[^"]*)?)"/g, (whole, url) => files.add(url.replace(/&amp;/g, "&")));
      await cache.addAll([...files]);
      await cache.put(words.offline_url, answer);
      await navigator.serviceWorker.ready;
      document.documentElement.dataset.kept = "1";
    } catch (error) { /* without it the page works as long as it stays open */ }
  }

  $("send").addEventListener("click", () => sync(true));
  window.addEventListener("hashchange", () => draw(true));
  window.addEventListener("online", () => sync());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) sync(); });
  setInterval(() => { if (list && Date.now() >= list.expires) { kept.sweep(); location.reload(); } else if (!document.hidden && (waiting().length || drawn === "")) sync(); }, EVERY);
  draw();
  sync(true).then(() => { if (words.session) keepPage(); });
})();
