"use strict";
// What the page does by itself where there is a script: it looks up tiers, reach, words and lengths after each change,
// searches the tree, and offers a map. Everything works without it by the buttons of the form.
(() => {
  const form = document.getElementById("compose");
  if (!form) return;
  document.body.classList.add("has-script");
  const byId = (id) => document.getElementById(id);
  const SETTLE = 350;

  // -- looking up ---------------------------------------------------------------------------------------------
  let timer, flight, pending = "words";
  const soon = (because) => {
    if (because === "facts") pending = "facts";
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE);
  };
  async function look() {
    if (flight) flight.abort();
    flight = new AbortController();
    const because = pending, sent = new FormData(form);
    sent.set("do", "look");
    sent.set("because", because);
    let answer;
    try {
      const response = await fetch(location.pathname, {
        method: "POST", body: sent, signal: flight.signal, headers: {"HX-Request": "true"}});
      if (!response.ok) {
        const to = response.headers.get("HX-Redirect");
        // Signed out meanwhile: what was typed stays on the screen, and saving tells about it.
        byId("reach").textContent = to ? form.dataset.signedOut : form.dataset.noAnswer;
        return;
      }
      answer = await response.json();
    } catch (error) {
      if (error.name !== "AbortError") byId("reach").textContent = form.dataset.noAnswer;
      return;
    }
    pending = "words";
    if (byId("tiers")) putTiers(answer.tiers);
    if (byId("where-title")) byId("reach").innerHTML = answer.reach;
    for (const [place, text] of Object.entries(answer.words)) putWords(place, text, sent, answer);
    for (const [place, count] of Object.entries(answer.counts)) {
      const shown = byId(`count.${place}`);
      shown.textContent = count.text;
      shown.classList.toggle("count-over", count.over);
    }
    if (because === "facts") byId("kept").textContent = answer.kept.length ? `${form.dataset.kept} ${answer.kept.join("; ")}` : "";
  }
  function putTiers(html) {
    const focused = document.activeElement && document.activeElement.name === "tier" && document.activeElement.value;
    const shown = byId("tiers");
    if (shown.innerHTML.trim() === html.trim()) return;
    shown.innerHTML = html;
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
    if (event.target.name === "target.regions") { spread(event.target); draw(); }
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
    const item = box.closest("li");
    for (const below of item.querySelectorAll(":scope > details input")) {
      below.checked = box.checked;
      below.disabled = box.checked;
    }
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
    if (box.disabled) { // within a chosen region: open that one up into its parts without this
      const above = box.parentElement.closest("li").parentElement.closest("li").querySelector("input");
      if (above.disabled) return;
      above.checked = false;
      for (const sister of above.closest("li").querySelectorAll(":scope > details > ul > li > .choice > input")) {
        sister.disabled = false;
        sister.checked = sister !== box;
        spread(sister);
      }
    } else {
      box.checked = !box.checked;
      spread(box);
    }
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
      layer.bindTooltip(feature.properties[place.dataset.language], {sticky: true});
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
    for (const box of boxes()) if (box.checked && !box.disabled) spread(box);
    makeMap();
  }
  const problems = byId("problems");
  if (problems) problems.focus();
  look();
})();
