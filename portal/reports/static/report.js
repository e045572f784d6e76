// The form with a script: the phone's place, a map to tap, smaller photos, and a way through the outbox, so that a report is kept
// where there is no network. Without this file the form is sent as it is.
"use strict";
(() => {
  const SOONEST = 2000, LATEST = 60000, PATIENCE = 15000, panel = document.getElementById("outbox"), box = window.AnlanReports;
  if (!panel || !box) return;
  const words = JSON.parse(panel.dataset.words), urls = { token: panel.dataset.token, send: panel.dataset.send };
  const say = (key, values = {}) => Object.entries(values).reduce((text, [k, v]) => text.replaceAll(`{${k}}`, v), words[key]);
  const make = (tag, text = "", attributes = {}) => Object.assign(document.createElement(tag), { textContent: text }, attributes);
  const form = document.getElementById("report-form");

  // -- what waits ------------------------------------------------------------------------------------------
  const told = (item) => item.state === "sent" ? say("sent", { code: item.code }) + (item.without ? ` ${words.without}` : "")
    : item.state === "refused" ? say("refused", { why: item.refused.map((one) => one.message).join(" ") })
      : item.state === "later" ? words.later : words.waiting;
  function button(text, act) {
    const one = make("button", text, { type: "button", className: "button-quiet" });
    one.addEventListener("click", act);
    return one;
  }
  function line(item) {
    const li = make("li"), acts = make("div", "", { className: "row" });
    li.append(make("strong", item.label), " ", make("span", told(item), { className: `report-${item.state === "later" ? "waiting" : item.state}` }));
    if (item.state === "sent") acts.append(make("a", words.look, { href: panel.dataset.mine, className: "button button-quiet" }));
    if (item.state === "refused" && form) acts.append(button(words.again, () => back(item)));
    acts.append(button(words.drop, async () => { await box.drop(item.ref); show(); }));
    li.append(acts);
    return li;
  }
  async function show(busy = "") {
    let items = [];
    try { items = await box.all(); } catch { /* a browser that keeps nothing has nothing to show */ }
    // What this page shows already need not stand on it twice.
    if (!form) for (const item of items.filter((one) => one.state === "sent" && document.querySelector("main").textContent.includes(one.code))) {
      await box.drop(item.ref);
      items = items.filter((one) => one !== item);
    }
    panel.hidden = !items.length && !busy;
    document.getElementById("outbox-list").replaceChildren(...items.reverse().map(line), ...(busy ? [make("li", busy)] : []));
    panel.setAttribute("aria-live", "polite");
  }
  let again = 0, pause = SOONEST;
  async function flush() {
    clearTimeout(again);
    const outcome = await box.flush(urls, () => show()).catch(() => "offline");
    if (outcome === "later") again = setTimeout(flush, 600000);
    if (outcome === "offline") {  // a network that has just come back often carries nothing yet
      again = setTimeout(flush, pause);
      pause = Math.min(2 * pause, LATEST);
    } else pause = SOONEST;
    await show();
    return outcome;
  }
  async function back(item) {  // what was refused stands in the form again
    for (const [name, value] of Object.entries(item.fields)) {
      const field = form.elements[name];
      if (field) field.value = value;
    }
    photos = item.photos;
    list();
    await box.drop(item.ref);
    await show();
    document.getElementById("words").focus();
  }

  // -- photos ----------------------------------------------------------------------------------------------
  let photos = [];
  async function shrunk(file) {
    const image = await createImageBitmap(file), scale = Math.min(1, 1600 / Math.max(image.width, image.height));
    const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    return await new Promise((done) => { canvas.toBlob(done, "image/jpeg", 0.85); });
  }
  async function smaller(file) {  // a report waits for it, so it has an end
    try {
      const blob = await Promise.race([shrunk(file), new Promise((done) => { setTimeout(done, PATIENCE); })]);
      if (blob) return blob;
    } catch { /* what this browser cannot read, the server may */ }
    return file.size <= Number(form.dataset.large) ? file : null;
  }
  function list() {
    const place = document.getElementById("photo-list");
    place.replaceChildren(...photos.map((photo, n) => {
      const li = make("li"), reader = new FileReader(), image = make("img", "", { alt: "" });
      reader.onload = () => { image.src = reader.result; };  // as data:, which the page's rules allow
      reader.readAsDataURL(photo);
      li.append(image, button(words.remove, () => { photos.splice(n, 1); list(); }));
      return li;
    }));
  }
  let reading = Promise.resolve();  // what was chosen is made smaller one after the other, and a report waits for its photos
  function take(input) {
    const files = [...input.files];
    input.value = "";
    reading = reading.then(() => choose(files));
  }
  async function choose(files) {
    const most = Number(form.dataset.most), state = document.getElementById("photos-hint");
    const before = state.dataset.before = state.dataset.before || state.textContent;
    state.textContent = words.reading;
    let problem = photos.length + files.length > most ? say("most", { n: most }) : "";
    for (const file of files.slice(0, most - photos.length)) {
      const blob = await smaller(file);
      if (blob) photos.push(blob); else problem = words.large;
    }
    state.textContent = problem || before;
    list();
  }

  // -- the place -------------------------------------------------------------------------------------------
  let map = null, sign = null;
  function point(lon, lat, text) {
    document.getElementById("point").value = lon === null ? "" : `${lon.toFixed(6)},${lat.toFixed(6)}`;
    document.getElementById("here-state").textContent = text;
    if (!map) return;
    if (sign) sign.remove();
    sign = lon === null ? null : window.L.circleMarker([lat, lon], { radius: 10, color: "#a3121c", fillOpacity: 0.6 }).addTo(map);
    if (sign) map.setView([lat, lon], Math.max(map.getZoom(), 15));
  }
  function locate() {
    const state = document.getElementById("here-state");
    state.textContent = words.locating;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => point(coords.longitude, coords.latitude, say("located", { metres: Math.round(coords.accuracy) })),
      () => { state.textContent = words.nowhere; }, { enableHighAccuracy: true, timeout: 20000, maximumAge: 60000 });
  }
  function loaded(place) {
    return window.L ? Promise.resolve() : new Promise((done, fail) => {
      document.head.append(make("link", "", { rel: "stylesheet", href: place.dataset.style }));
      document.head.append(make("script", "", { src: place.dataset.script, onload: done, onerror: fail }));
    });
  }
  const named = (layer, text) => layer.bindTooltip(text, { sticky: true });  // a node: Leaflet takes a string for HTML
  async function openMap(event) {
    const place = document.getElementById("map"), opener = event.currentTarget;
    place.hidden = !place.hidden;
    opener.textContent = place.hidden ? words.map : words.shut;
    if (map || place.hidden) return;
    try { await loaded(place); } catch { place.hidden = true; document.getElementById("here-state").textContent = words.nowhere; return; }
    const [west, south, east, north] = place.dataset.box.split(",").map(Number);
    map = window.L.map(place, { attributionControl: false, zoomSnap: 0.5 }).fitBounds([[south, west], [north, east]]);
    map.getContainer().setAttribute("aria-label", place.dataset.label);
    map.on("click", ({ latlng }) => point(latlng.lng, latlng.lat, words.picked));
    const answer = await fetch(place.dataset.regions).catch(() => null);
    if (answer?.ok) window.L.geoJSON(await answer.json(), {
      style: { color: "#4a5866", weight: 1, fillColor: "#ffffff", fillOpacity: 0.6 },
      onEachFeature: (one, layer) => named(layer, document.createTextNode(one.properties.name)) }).addTo(map);
    const chosen = document.getElementById("point").value.split(",").map(Number);
    if (chosen.length === 2) point(chosen[0], chosen[1], document.getElementById("here-state").textContent);
  }

  // -- sending ---------------------------------------------------------------------------------------------
  const begun = Date.now();
  let ref = newRef();  // not the page's own: a page that was kept would give the same to every report
  async function submit(event) {
    event.preventDefault();
    const sender = document.getElementById("send");
    if (sender.disabled) return;
    const fields = {};
    for (const [name, value] of new FormData(form)) if (typeof value === "string" && !["csrf_token", "ref", "opened"].includes(name)) fields[name] = value;
    fields.seconds = String(Math.round((Date.now() - begun) / 1000));
    const label = form.querySelector("input[name=kind]:checked")?.closest("label").querySelector("strong").textContent || "";
    sender.disabled = true;
    try {
      await reading;
      const item = { ref, label, fields, photos };
      const kept = await box.add(item);
      if (kept === "full") { await show(words.full); panel.scrollIntoView(); return; }
      if (kept === "failed") {  // as without a script
        const files = new DataTransfer();
        photos.forEach((photo, n) => files.items.add(new File([photo], `${n}.jpg`, { type: photo.type })));
        form.elements.photos.files = files.files;
        form.elements.ref.value = ref;
        form.submit();
        return;
      }
      await show(words.sending);
      panel.scrollIntoView();
      const outcome = await flush(), mine = (await box.all()).find((one) => one.ref === item.ref);
      if (mine?.state === "refused") { await back(mine); await refuse(mine); return; }
      form.reset();
      document.getElementById("point").value = "";
      ref = newRef();
      photos = [];
      list();
      if (mine?.state === "sent" && outcome !== "offline") location.href = panel.dataset.mine;
    } finally { sender.disabled = false; }
  }
  /** What the server found wrong, at the top of the form, with links to the fields; and the places that were meant, to choose from. */
  function refuse(item) {
    document.getElementById("problems")?.remove();
    const notice = make("div", "", { className: "notice notice-problem", id: "problems", tabIndex: -1 }), ul = make("ul");
    notice.setAttribute("role", "alert");
    for (const one of item.refused) {
      const li = make("li");
      li.append(one.field ? make("a", one.message, { href: `#${one.field}` }) : one.message);
      ul.append(li);
    }
    const acts = (item.offered || []).map(([code, name]) => button(name, () => { form.elements.community.value = name; notice.remove(); document.getElementById("send").focus(); }));
    notice.append(ul, ...acts);
    form.before(notice);
    notice.focus();
  }
  function newRef() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64; bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  // -- beginning -------------------------------------------------------------------------------------------
  if (form && "indexedDB" in window) {
    document.getElementById("report-here").hidden = false;
    document.getElementById("here").hidden = !("geolocation" in navigator);
    document.getElementById("here").addEventListener("click", locate);
    document.getElementById("map-open").addEventListener("click", openMap);
    document.getElementById("photos").addEventListener("change", ({ target }) => take(target));
    if (document.getElementById("photos").files.length) take(document.getElementById("photos"));  // chosen before this ran
    form.addEventListener("submit", submit);
  }
  window.addEventListener("online", () => { pause = SOONEST; flush(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });
  if ("serviceWorker" in navigator && window.isSecureContext) {
    navigator.serviceWorker.register(panel.dataset.worker, { scope: panel.dataset.scope }).then(async () => {
      await navigator.serviceWorker.ready;
      const known = await caches.open("anlan-report-1");  // the first visit is kept as well: the worker came after it
      const parts = [...document.querySelectorAll("link[rel=stylesheet], script[src]")].map((one) => one.href || one.src);
      const place = document.getElementById("map");
      const wanted = form ? [panel.dataset.scope, ...parts, ...(place ? [place.dataset.script, place.dataset.style, place.dataset.regions] : [])] : parts;
      for (const url of wanted) {
        const { pathname, search } = new URL(url, location.href);
        if (!(await known.match(pathname + search))) await fetch(url).then((got) => got.ok && known.put(pathname + search, got)).catch(() => undefined);
      }
      document.documentElement.dataset.kept = "1";
    }).catch(() => undefined);
  }
  show().then(flush);
})();
