"use strict";
// The taken list: opened with its holder's code, changed without a network, sent when there is contact.
(() => {
  const copy = window.AnlanCopy, words = JSON.parse(document.getElementById("words").textContent), $ = (id) => document.getElementById(id);
  let key = null, list = null, waiting = [], busy = false, again = false, hiddenAt = 0, show = "open";
  const drawn = new Map(); // by person: the card that stands, and what it says
  const say = (text, values = {}) => Object.entries(values).reduce((t, [name, value]) => t.replaceAll(`{${name}}`, value), text);
  const clock = (ms) => new Intl.DateTimeFormat(document.documentElement.lang, {month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit"}).format(ms);

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
  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "t-icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `#i-${name}`);
    svg.append(use);
    return svg;
  }
  function view(name) {
    for (const part of ["none", "locked", "list"]) $(`view-${part}`).hidden = part !== name;
    document.body.classList.toggle("is-drill", name === "list" && Boolean(list.round?.exercise));
  }
  async function begin() {
    if (!copy.possible) { $("why-none").textContent = words.impossible; view("none"); return; }
    await copy.sweep();
    const about = await copy.about();
    if (!about) {
      if (window.location.href.split("#")[0] !== new URL(words.offline_url, window.location).href) $("why-none").textContent = words.no_network;
      view("none");
      return;
    }
    $("locked-about").textContent = say(words.locked, {time: clock(about.taken), until: clock(about.expires)});
    view("locked");
    $("pin").focus();
  }
  $("unlock").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button");
    button.disabled = true;
    $("pin-error").textContent = "";
    const found = await copy.unlock($("pin").value);
    button.disabled = false;
    $("pin").value = "";
    if (!found) {
      const about = await copy.about();
      if (!about) { $("why-none").textContent = words.wiped; view("none"); return; }
      $("pin-error").textContent = say(words.wrong, {n: copy.wrong - about.wrong});
      $("pin").focus();
      return;
    }
    ({key, list} = found);
    waiting = await copy.events(key);
    for (const event of waiting) take(event);
    draw();
    view("list");
    sync();
  });
  // -- the list ---------------------------------------------------------------------------------------------
  const person = (id) => list.people.find((one) => one.id === id);
  function take(event) {
    const one = person(event.person);
    if (one && list.round && event.round === list.round.id) one.state = event.state;
  }
  const done = (one) => !one.state || words.ends.includes(one.state);
  function shown() {
    const text = $("search").value.trim().toLowerCase();
    return list.people.filter((one) => (show === "all" || !list.round || text || !done(one))
      && (!text || [one.initials, one.code, one.name].some((t) => t.toLowerCase().includes(text))));
  }
  function draw() {
    $("list-name").textContent = list.name;
    $("list-about").textContent = say(words.kept, {time: clock(list.taken), until: clock(list.expires)});
    const round = list.round;
    $("list-round").textContent = !round ? words.no_round : [round.exercise ? words.drill : "", round.family,
      round.deadline ? say(words.until, {time: clock(round.deadline)}) : ""].filter(Boolean).join(" · ");
    const open = list.people.filter((one) => !done(one)).length;
    $("show-open").textContent = say(words.show_open, {n: open});
    $("show-all").textContent = say(words.show_all, {n: list.people.length});
    $("show-open").setAttribute("aria-pressed", String(show === "open"));
    $("show-all").setAttribute("aria-pressed", String(show === "all"));
    const left = list.left_out ? [make("p", {class: "bad"}, say(words.left_out, {n: list.left_out}))] : [];
    const cards = shown().map(stand);
    place(cards);
    $("list-empty").replaceChildren(...left, ...(cards.length ? [] : [make("p", {class: "muted"}, words.nobody)]));
    $("notices").replaceChildren(...(list.notices ?? []).map((n) => make("li", {}, `${n.code}: ${words.states[n.state] ?? n.state} – ${n.message}`)));
    $("notices-box").hidden = !(list.notices ?? []).length;
    drawWaiting();
  }
  function drawWaiting(text = "") {
    $("waiting").textContent = waiting.length ? say(words.waiting, {n: waiting.length}) : words.all_sent;
    if (text) $("contact").textContent = text;
  }
  // What is open and half written in a card stays: a step sent elsewhere, or an answer that comes, must not take it away.
  function stand(one) {
    const pending = waiting.some((event) => event.person === one.id), before = drawn.get(one.id);
    const says = JSON.stringify([one, pending, list.round?.id, list.round?.exercise]);
    if (before?.says === says) return before.node;
    const node = card(one, pending), half = before?.node.querySelector("input"), field = node.querySelector("input");
    if (half?.value && field) {
      field.value = half.value;
      field.closest("details").open = true;
    }
    drawn.set(one.id, {says, node, typing: field && half === document.activeElement ? field : null});
    return node;
  }
  function place(cards) {
    const people = $("people"), stay = new Set(cards);
    for (const node of [...people.children]) if (!stay.has(node)) node.remove();
    cards.forEach((node, n) => { if (people.children[n] !== node) people.insertBefore(node, people.children[n] ?? null); });
    for (const kept of drawn.values()) {
      kept.typing?.focus({preventScroll: true});
      kept.typing = null;
    }
  }
  function card(one, pending) {
    const id = `p-${one.id}`;
    return make("li", {class: `card t-person${list.round?.exercise ? " drill-card" : ""}`, id},
      make("div", {class: "row spread t-head"}, make("h2", {}, one.name || one.initials, " ", make("span", {class: "muted small mono"}, one.code)),
        one.state ? make("span", {class: `t-state t-${one.state}`}, icon(one.state), ` ${words.states[one.state]}`)
          : list.round ? make("span", {class: "state"}, words.not_concerned) : ""),
      pending ? make("p", {class: "flush t-mind"}, words.not_sent) : "",
      make("p", {class: "flush"}, [say(words.people, {n: one.people}), words.means[one.means], one.helper ? say(words.helper, {who: one.helper}) : "",
        one.address].filter(Boolean).join(" · ")),
      one.needs.length ? make("ul", {class: "t-needs"}, ...one.needs.map((need) => make("li", {}, icon(need), ` ${words.needs[need] ?? need}`))) : "",
      one.note ? make("p", {class: "flush"}, one.note) : "",
      call(one.phone, words.call, ""), call(one.helper_phone, words.call_helper, " button-quiet"),
      way(one),
      one.conflict ? make("p", {class: "notice notice-note t-conflict"}, words.conflict) : "",
      one.state && list.round ? buttons(one) : "");
  }
  function call(number, label, quiet) {
    return number ? make("p", {class: "t-calls"}, make("a", {class: `button t-call${quiet}`, href: `tel:${number}`}, icon("contacted"), ` ${say(label, {number})}`)) : "";
  }
  function way(one) {
    const goal = [one.goal ? say(words.to, {name: one.goal}) : "", one.minutes ? say(words.minutes, {n: one.minutes}) : "", one.why].filter(Boolean).join(" · ");
    if (!one.way.length) return make("p", {class: "flush"}, goal);
    return make("details", {class: "t-told"}, make("summary", {}, goal || words.way), make("ol", {class: "t-way"}, ...one.way.map((line) => make("li", {}, line))));
  }
  function button(one, after, note) {
    return make("button", {type: "button", class: after === "arrived" ? "t-main" : "button-quiet", "data-state": after,
      "aria-label": `${words.acts[after]}: ${one.initials}`, onclick: () => press(one, after, note)}, make("span", {}, icon(after), ` ${words.states[after]}`));
  }
  function buttons(one) {
    const told = words.table[one.state].filter((after) => words.note_for.includes(`${one.state}>${after}`));
    const free = words.table[one.state].filter((after) => !told.includes(after)), field = `note-${one.id}`;
    const note = make("input", {type: "text", id: field, maxlength: "300", autocomplete: "off", "aria-describedby": `error-${one.id}`});
    return make("div", {class: "t-steps"}, free.length ? make("div", {class: "t-buttons"}, ...free.map((after) => button(one, after, null))) : "",
      told.length ? make("details", {class: "t-told"}, make("summary", {}, one.state === "arrived" ? words.mistake : words.explain),
        make("label", {for: field}, words.why), make("p", {class: "field-error", id: `error-${one.id}`, role: "alert"}), note, make("p", {class: "hint"}, words.note_hint),
        make("div", {class: "t-buttons"}, ...told.map((after) => button(one, after, note)))) : "");
  }
  async function press(one, after, note) {
    const text = note ? note.value.trim() : "";
    if (note && !text) { $(`error-${one.id}`).textContent = words.say_why; note.focus(); return; }
    const event = {ref: crypto.randomUUID(), person: one.id, round: list.round.id, state: after, seen: one.state, note: text, at: Date.now()};
    await copy.add(key, event); // first kept, then shown: what is seen is never lost
    waiting.push(event);
    one.state = after;
    if (note) note.value = "";
    draw();
    $("said").textContent = `${one.initials}: ${words.states[after]}`;
    if (!(document.activeElement instanceof HTMLInputElement)) // who already writes elsewhere writes on
      ($(`p-${one.id}`)?.querySelector("button, a") ?? $("search")).focus({preventScroll: true});
    sync();
  }
  // -- sending ----------------------------------------------------------------------------------------------
  async function sync(asked = false) {
    if (!key || (!asked && !waiting.length)) return;
    if (busy) { again = true; return; } // what was pressed meanwhile goes next
    busy = true;
    try {
      const who = await fetch(words.session_url, {cache: "no-store", redirect: "error"});
      if (who.status === 401) { signIn(words.signed_out); return; }
      const {account, csrf} = await who.json();
      if (account !== list.account) { signIn(words.other_account); return; }
      $("sign-in").hidden = true;
      const sent = waiting.slice(0, words.most);
      const answer = await fetch(words.sync_url, {method: "POST", redirect: "error", headers: {"Content-Type": "application/json", "X-CSRFToken": csrf},
        body: JSON.stringify({region: list.region, sent: Date.now(), events: sent})});
      if (answer.status === 401) { signIn(words.signed_out); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      await taken(await answer.json());
      drawWaiting(say(words.contact, {time: clock(Date.now())}));
    } catch {
      drawWaiting(words.no_contact);
    } finally {
      busy = false;
      const next = again;
      again = false;
      if (next) sync(true);
    }
  }
  function signIn(text) { $("sign-in").hidden = false; drawWaiting(text); }
  async function taken(answer) {
    const byRef = new Map(waiting.map((event) => [event.ref, event]));
    for (const {ref, outcome, message} of answer.results) {
      const event = byRef.get(ref);
      if (event && (outcome === "refused" || outcome === "over"))
        list.notices = [...(list.notices ?? []), {code: person(event.person)?.code ?? "", state: event.state, message}].slice(-50);
    }
    const refs = answer.results.map((result) => result.ref);
    waiting = waiting.filter((event) => !refs.includes(event.ref));
    if ("round" in answer) {
      list.round = answer.round;
      const now = new Map(answer.people.map((one) => [one.id, one]));
      for (const one of list.people) {
        const known = now.get(one.id);
        one.state = known ? known.state : "";
        one.conflict = Boolean(known?.conflict);
      }
      for (const event of waiting) take(event);
    }
    await copy.save(key, list);
    await copy.drop(refs); // only now: a page that ends in between sends them again, which changes nothing
    draw();
    view("list");
  }
  $("send").addEventListener("click", () => sync(true));
  $("lock").addEventListener("click", () => window.location.reload());
  $("wipe").addEventListener("click", async () => {
    if (!window.confirm(waiting.length ? say(words.wipe_unsent, {n: waiting.length}) : words.wipe_sure)) return;
    await copy.wipe();
    key = list = null;
    drawn.clear();
    $("people").replaceChildren();
    $("why-none").textContent = words.gone;
    view("none");
  });
  $("search").addEventListener("input", draw);
  $("show-open").addEventListener("click", () => { show = "open"; draw(); });
  $("show-all").addEventListener("click", () => { show = "all"; draw(); });
  window.addEventListener("online", () => sync());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (key && Date.now() - hiddenAt > 15 * 60e3) window.location.reload(); // put away for long: ask for the code again
    else sync();
  });
  setInterval(async () => {
    if (list && Date.now() >= list.expires) { await copy.wipe(); window.location.reload(); }
    else sync();
  }, 20e3);
  begin().catch(() => { $("why-none").textContent = words.impossible; view("none"); });
})();
