"use strict";
// What the page does by itself where there is a script: it looks up tiers, reach, words and lengths after each change,
// searches the tree, and offers a map. Everything works without it by the buttons of the form.
(() => {
  const form = document.getElementById("compose");
  if (!form) return;
  document.body.classList.add("has-script");
  const byId = (id) => document.getElementById(id);
  const SETTLE = 350;

  // -- keeping what is typed, until it is saved ----------------------------------------------------------------
  const store = window.anlanKept, SKIP = new Set(["csrf_token", "version", "copy", "do", "find"]);
  const copyField = form.elements.copy;
  if (!copyField.value) copyField.value = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
  const fields = () => [...new FormData(form)].filter(([name]) => !SKIP.has(name));
  const clean = "sent" in form.dataset ? "" : JSON.stringify(fields());
  const dirty = () => JSON.stringify(fields()) !== clean;
  let leaving = false, checked = false, busy = false, keeper;
  function persist() {
    clearTimeout(keeper);
    if (!store) return;
    if (!dirty()) return store.drop(copyField.value);
    const entry = {path: location.pathname, at: Date.now(), version: Number(form.elements.version.value), fields: fields()};
    if (!store.put(copyField.value, entry)) say(form.dataset.noStore);
  }
  const zone = {timeZone: form.dataset.zone, hourCycle: "h23"}, day = (at) => new Date(at).toLocaleDateString("en", zone);
  const hour = (at) => new Date(at).toLocaleString(document.documentElement.lang, {...zone, hour: "2-digit", minute: "2-digit",
    ...(day(at) === day(Date.now()) ? {} : {month: "short", day: "numeric"})});
  const element = (name, text, className = "") => Object.assign(document.createElement(name), {textContent: text, className});
  // What was kept is offered and never put in by itself: the page may show something newer.
  function offer() {
    const box = byId("unsaved"), now = JSON.stringify(fields());
    if (!store || "sent" in form.dataset) return;
    box.append(element("p", box.dataset.ask));
    for (const entry of store.of(location.pathname)) {
      if (JSON.stringify(entry.fields) === now) { store.drop(entry.copy); continue; }
      const row = element("div", "", "row unsaved"), first = entry.fields.find(([name, text]) => name.startsWith("words.") && text.trim());
      const back = Object.assign(element("button", box.dataset.restore.replace("{time}", hour(entry.at))), {type: "button"});
      const away = Object.assign(element("button", box.dataset.discard, "button-quiet"), {type: "button"});
      const done = () => { row.remove(); box.hidden = !box.querySelector(".unsaved"); };
      back.addEventListener("click", () => { restore(entry); done(); });
      away.addEventListener("click", () => { store.drop(entry.copy); done(); });
      row.append(back, away);
      if (first) row.append(element("span", `“${first[1].trim().slice(0, 40)}”`, "small muted"));
      if (entry.version < Number(form.elements.version.value)) row.append(element("p", box.dataset.older.replace("{n}", form.elements.version.value), "small"));
      box.append(row);
      box.hidden = false;
    }
  }
  function restore(entry) {
    const values = new Map();
    for (const [name, value] of entry.fields) values.set(name, [...(values.get(name) || []), value]);
    const tier = values.get("tier"), tiers = byId("tiers");
    if (tier && tiers && !tiers.querySelector(`[value="${CSS.escape(tier[0])}"]`)) // its radio comes with the next look
      tiers.append(Object.assign(document.createElement("input"), {type: "radio", name: "tier", value: tier[0], hidden: true}));
    for (const field of form.elements) {
      if (!field.name || SKIP.has(field.name)) continue;
      const wanted = values.get(field.name) || [];
      if (field.type === "checkbox" || field.type === "radio") field.checked = wanted.includes(field.value);
      else field.value = wanted[0] ?? "";
    }
    copyField.value = entry.copy;
    if (tree) {
      for (const box of boxes()) if (box.checked) spread(box);
      gate();
      draw();
      readArea();
    }
    soon("words");
    byId("words.zh.headline").focus();
  }
  window.addEventListener("pagehide", () => { if (!leaving) persist(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden && !leaving) persist(); });
  window.addEventListener("beforeunload", (event) => { if (!leaving && dirty()) event.preventDefault(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) leaving = checked = false; });
  // What the layout asks for by itself would lead to the sign-in page when the session has ended: not over unsaved words.
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401 || !dirty()) return;
    event.preventDefault();
    persist();
    trouble("out", form.dataset.signedOut);
  });
  for (const other of document.querySelectorAll("form.discard")) other.addEventListener("submit", () => {
    leaving = true;
    if (store) store.drop(copyField.value);
  });
  // Before the page is left for the server it is asked whether it is there: if not, nothing leaves the screen.
  form.addEventListener("submit", async (event) => {
    if (checked) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    persist();
    clearTimeout(timer);
    const answer = await look();
    busy = false;
    if (answer === "lost" || answer === "out") return;
    leaving = checked = true;
    form.requestSubmit(event.submitter);
  });

  // -- looking up ---------------------------------------------------------------------------------------------
  const LONGEST = 10000, AGAIN = 10000;
  let timer, flight, lostAt, pending = "words";
  const soon = (because) => {
    if (because === "facts") pending = "facts";
    clearTimeout(timer);
    clearTimeout(keeper);
    timer = setTimeout(look, SETTLE);
    keeper = setTimeout(persist, SETTLE / 2);
  };
  function say(text, link = false) {
    const place = byId("contact");
    if (place.textContent.startsWith(text) && text) return; // said once, not at every try
    place.textContent = text;
    place.hidden = !text;
    if (link) place.append(" ", Object.assign(element("a", form.dataset.signInLabel), {href: form.dataset.signIn, target: "_blank", rel: "noopener"}));
  }
  // Says what is wrong, and asks again after a while. Returns the state.
  function trouble(state, text) {
    lostAt = lostAt || Date.now();
    say(text.replace("{time}", hour(lostAt)), state === "out");
    clearTimeout(timer);
    timer = setTimeout(look, AGAIN);
    return state;
  }
  // The token of a session that began after this page was opened: taken from the page as it would be now.
  async function renew() {
    const response = await fetch(location.pathname, {headers: {"HX-Request": "true"}, signal: AbortSignal.timeout(LONGEST)});
    const fresh = response.ok && new DOMParser().parseFromString(await response.text(), "text/html").getElementById("compose");
    if (!fresh) return response.status === 401 ? "out" : "refused";
    if (fresh.dataset.account !== form.dataset.account) return "other";
    for (const field of document.querySelectorAll("[name=csrf_token]")) field.value = fresh.elements.csrf_token.value;
    return "ok";
  }
  // One look; its outcome: ok, slow, stopped (a newer one took over), lost, out (signed out) or refused.
  async function look(renewed = false) {
    if (flight) flight.abort();
    const mine = flight = new AbortController(), because = pending, sent = new FormData(form);
    let slow = false;
    const limit = setTimeout(() => { slow = true; mine.abort(); }, LONGEST);
    sent.set("do", "look");
    sent.set("because", because);
    let answer;
    try {
      const response = await fetch(location.pathname, {method: "POST", body: sent, signal: mine.signal, headers: {"HX-Request": "true"}});
      if (response.status === 400 && renewed !== true) {
        const state = await renew();
        if (state === "ok") return await look(true);
        if (state === "out") return trouble("out", form.dataset.signedOut);
        if (state === "other") {
          if (store) { store.drop(copyField.value); store.signedOut = true; }
          return trouble("lost", form.dataset.other);
        }
      }
      if (response.status === 401) return trouble("out", form.dataset.signedOut);
      if (!response.ok) return trouble("refused", form.dataset.refused);
      answer = await response.json();
    } catch (error) {
      if (error.name === "AbortError" && !slow) return "stopped";
      return trouble(slow || error.name === "TimeoutError" ? "slow" : "lost", form.dataset.noAnswer);
    } finally {
      clearTimeout(limit);
    }
    lostAt = 0;
    say("");
    pending = "words";
    if (byId("tiers")) putTiers(answer.tiers, sent);
    if (byId("where-title")) byId("reach").innerHTML = answer.reach;
    for (const [place, text] of Object.entries(answer.words)) putWords(place, text, sent, answer);
    for (const [place, count] of Object.entries(answer.counts)) {
      const shown = byId(`count.${place}`);
      shown.textContent = count.text;
      shown.classList.toggle("count-over", count.over);
    }
    if (because === "facts") {
      byId("kept").textContent = answer.kept.length ? `${form.dataset.kept} ${answer.kept.join("; ")}` : "";
      persist();
    }
    return "ok";
  }
  function putTiers(html, sent) {
    const chosen = form.querySelector("[name=tier]:checked");
    if (chosen && chosen.value !== sent.get("tier")) return; // chosen meanwhile: the next look brings the tiers
    const focused = document.activeElement && document.activeElement.name === "tier" && document.activeElement.value;
    const shown = byId("tiers");
    if (shown.innerHTML.trim() === html.trim()) return;
    shown.innerHTML = html;
    gate();
    const again = focused && shown.querySelector(`[value=${focused}]`);
    if (again) again.focus();
  }
  function putWords(place, text, sent, answer) {
    const area = byId(`words.${place}`), before = sent.get(`words.${place}`).replace(/\r\n/g, "\n");
    if (area.value !== before) return; // typed into meanwhile: the next look sees it as edited
    if (area.value.trim() !== text.replace(/\r\n/g, "\n").trim()) area.value = text;
    form.elements[`offered.${place}`].value = answer.offered[place] || "";
  }
  form.addEventListener("input", (event) => {
    if (event.target.id === "find") return search();
    soon(event.target.name.startsWith("words.") ? "words" : "facts");
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "target.regions") { spread(event.target); gate(); draw(); }
    if (event.target.name === "tier") gate();
    if (event.target.name === "target.area") readArea();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.id === "find") event.preventDefault();
  });

  // -- the tree -----------------------------------------------------------------------------------------------
  const tree = byId("tree");
  const boxes = () => [...tree.querySelectorAll("input")];
  const fold = (text) => text.normalize("NFKC").toLowerCase().normalize("NFD").replace(/u\u0308/g, "v").replace(/[^\p{L}\p{N}]/gu, "");
  function search() {
    const wanted = fold(byId("find").value);
    let any = false;
    const visit = (item) => {
      let shown = !wanted || item.dataset.search.split(" ").some((word) => word.includes(wanted)) || item.querySelector("input").checked;
      for (const child of item.querySelectorAll(":scope > details > ul > li")) shown = visit(child) || shown;
      item.hidden = !shown;
      if (wanted && shown) item.querySelectorAll(":scope > details").forEach((d) => { d.open = true; });
      any = any || shown;
      return shown;
    };
    for (const item of tree.children) visit(item);
    byId("none-found").hidden = any;
  }
  // A region that is ticked holds all below it: those show as ticked and cannot be ticked apart.
  function spread(box) {
    for (const below of box.closest("li").querySelectorAll(":scope > details input")) below.checked = box.checked;
  }
  // What cannot be ticked: what lies in a ticked region, and what the duty does not cover at this tier.
  function gate() {
    if (!tree) return;
    const rank = (tier) => form.dataset.tiers.split(" ").indexOf(tier), chosen = form.querySelector("[name=tier]:checked");
    const visit = (item, within) => {
      const box = item.querySelector("input");
      const beyond = Boolean(item.dataset.upTo && chosen) && rank(chosen.value) > rank(item.dataset.upTo);
      item.classList.toggle("beyond", beyond);
      box.disabled = within || (beyond && !box.checked);
      for (const child of item.querySelectorAll(":scope > details > ul > li")) visit(child, within || box.checked);
    };
    for (const item of tree.children) visit(item, false);
  }

  // -- the map ------------------------------------------------------------------------------------------------
  let shapes, drawn, map;
  const level = () => form.parentElement.querySelector("[name=map-level]:checked").value;
  function draw() {
    if (!shapes) return;
    const chosen = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
    shapes.setStyle((feature) => {
      const on = chosen.has(feature.id);
      return {color: on ? "#0b5876" : "#8794a1", weight: on ? 2 : 1, fillColor: on ? "#0b5876" : "#ffffff", fillOpacity: on ? 0.45 : 0.8};
    });
  }
  function toggle(code) {
    const box = boxes().find((b) => b.value === code);
    if (!box) return;
    if (box.disabled && !box.checked) return; // beyond the duty: the list says so
    if (box.disabled) { // within a chosen region: open that one up into its parts without this
      const above = box.parentElement.closest("li").parentElement.closest("li").querySelector("input");
      if (above.disabled) return;
      above.checked = false;
      for (const sister of above.closest("li").querySelectorAll(":scope > details > ul > li > .choice > input")) {
        sister.checked = sister !== box;
        spread(sister);
      }
    } else {
      box.checked = !box.checked;
      spread(box);
    }
    gate();
    draw();
    soon("facts");
  }
  function writeArea(layer) {
    const round = (n) => Number(n.toFixed(6));
    byId("target.area").value = layer instanceof L.Circle
      ? `${round(layer.getLatLng().lng)}, ${round(layer.getLatLng().lat)}, ${Math.round(layer.getRadius())}`
      : layer.getLatLngs()[0].map((p) => `${round(p.lng)}, ${round(p.lat)}`).join("\n");
    soon("facts");
  }
  function keep(layer) {
    if (drawn && drawn !== layer) drawn.remove();
    drawn = layer;
    layer.setStyle({color: "#a35a00", weight: 3, dashArray: "8 5", fillOpacity: 0.12});
    if (layer.pm) { layer.pm.enable({allowSelfIntersection: true}); layer.on("pm:edit", () => writeArea(layer)); }
  }
  function readArea() {
    if (!map) return;
    if (drawn) { drawn.remove(); drawn = null; }
    const lines = byId("target.area").value.trim().split(/[\n;；]+/).map((l) => l.trim().split(/[,，\s]+/).map(Number)).filter((l) => l.length > 1);
    if (!lines.length || lines.flat().some(Number.isNaN)) return;
    if (lines.some(([lon, lat]) => Math.abs(lat) > 90 || Math.abs(lon) > 180)) return; // the server says what is wrong
    if (lines.length === 1 && lines[0].length === 3) keep(L.circle([lines[0][1], lines[0][0]], {radius: lines[0][2]}).addTo(map));
    else if (lines.length > 2) keep(L.polygon(lines.map(([lon, lat]) => [lat, lon])).addTo(map));
  }
  async function makeMap() {
    const place = byId("map");
    if (!place || typeof L === "undefined") return;
    const response = await fetch(place.dataset.regions);
    if (!response.ok) return; // the list beside it does the same
    byId("map-part").hidden = false;
    map = L.map(place, {attributionControl: false, zoomSnap: 0.25, scrollWheelZoom: false, keyboard: true});
    shapes = L.geoJSON(await response.json(), {onEachFeature: (feature, layer) => {
      const name = document.createElement("span"); // Leaflet takes a string for HTML, and names come out of imported files
      name.textContent = feature.properties[place.dataset.language];
      layer.bindTooltip(name, {sticky: true});
      layer.on("click", () => {
        if (map.pm && map.pm.globalDrawModeEnabled()) return;
        toggle(level() === "street" ? feature.properties.street : feature.id);
      });
    }}).addTo(map);
    const [west, south, east, north] = (place.dataset.box || "").split(",").map(Number);
    if (north) map.fitBounds([[south, west], [north, east]]);
    else if (shapes.getLayers().length) map.fitBounds(shapes.getBounds());
    draw();
    readArea();
    if (map.pm) {
      map.pm.setLang(place.dataset.language);
      map.on("pm:create", ({layer}) => { keep(layer); writeArea(layer); });
    }
    for (const button of document.querySelectorAll("[data-draw]")) button.addEventListener("click", () => {
      if (map.pm) map.pm.disableDraw();
      if (button.dataset.draw === "clear") { byId("target.area").value = ""; readArea(); soon("facts"); }
      else map.pm.enableDraw(button.dataset.draw);
    });
  }

  if (tree) {
    for (const box of boxes()) if (box.checked) spread(box);
    gate();
    makeMap();
  }
  const problems = byId("problems");
  if (problems) problems.focus();
  offer();
  if ("sent" in form.dataset) persist();
  look();
})();
