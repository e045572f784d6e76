// The maps of obstructions and shelters: our own regions and roads below, what cuts the ways above, and drawing in forms.
// Without this file the lists, and the field of coordinates in the form, do the same.
(() => {
  "use strict";
  const place = document.getElementById("office-map");
  if (!place || typeof L === "undefined") return;
  const COLOURS = {cuts: "#a3121c", slows: "#6b4a00", coming: "#4a5866", land: "#ffffff", line: "#8794a1", road: "#aab4be", open: "#17663a"};
  const card = place.closest("figure"), closer = card.querySelector("[data-closer]");
  const field = document.getElementById("geometry"), radius = document.getElementById("radius");
  const text = (value) => Object.assign(document.createElement("span"), {textContent: value}); // names come out of imported files
  const get = async (url) => {
    const response = await fetch(url, {headers: {Accept: "application/json"}, signal: AbortSignal.timeout(15000)});
    if (!response.ok) throw new Error(String(response.status));
    return response.json();
  };
  const drawingMode = place.dataset.mode === "draw" || place.dataset.mode === "shelter";
  let map, roads;

  // -- what is there ------------------------------------------------------------------------------------------
  function styleOf(properties) {
    const coming = properties.state === "coming", colour = coming ? COLOURS.coming : COLOURS[properties.effect];
    return {color: colour, weight: 3, fillColor: colour, fillOpacity: coming ? 0.05 : 0.3, dashArray: coming || properties.effect === "slows" ? "6 5" : null};
  }
  function obstacle(feature) {
    const style = styleOf(feature.properties);
    const layer = L.geoJSON(feature, {
      style: () => style,
      pointToLayer: (_f, at) => L.layerGroup([L.circle(at, {...style, radius: feature.properties.radius}), L.circleMarker(at, {...style, radius: 5, fillOpacity: 0.9})]),
    });
    const url = feature.properties.url;
    layer.eachLayer((part) => {
      for (const one of part.eachLayer && !part.bindTooltip ? part.getLayers() : part.getLayers ? part.getLayers() : [part]) {
        one.bindTooltip(() => text(`${feature.properties.name} · ${feature.properties.kind}`), {sticky: true});
        if (!drawingMode) one.on("click", () => { location.href = url; });
      }
    });
    return layer;
  }
  async function drawRoads() {
    if (map.getZoom() < 14) {
      roads.clearLayers();
      closer.hidden = false;
      return;
    }
    const box = map.getBounds().pad(0.1);
    const numbers = [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()].map((n) => n.toFixed(5)).join(",");
    try {
      const answer = await get(`${place.dataset.roads}?box=${numbers}`);
      roads.clearLayers();
      closer.hidden = !answer.too_many;
      const lines = answer.pieces.map(([x1, y1, x2, y2]) => [[y1, x1], [y2, x2]]);
      if (lines.length) roads.addLayer(L.polyline(lines, {color: COLOURS.road, weight: 2, interactive: false}));
    } catch { /* the map without roads still shows where things are */ }
  }
  async function make() {
    const regions = await get(place.dataset.regions);
    card.hidden = false;
    map = L.map(place, {attributionControl: false, zoomSnap: 0.5, scrollWheelZoom: false, preferCanvas: false});
    place.setAttribute("role", "region");
    place.setAttribute("aria-label", place.dataset.label);
    const land = L.geoJSON(regions, {interactive: false, pmIgnore: true, style: () => ({color: COLOURS.line, weight: 1, fillColor: COLOURS.land, fillOpacity: 0.9})}).addTo(map);
    const canvas = L.canvas();
    roads = L.layerGroup([], {renderer: canvas}).addTo(map);
    const [west, south, east, north] = (place.dataset.box || "").split(",").map(Number);
    if (north) map.fitBounds([[south, west], [north, east]]);
    else if (land.getLayers().length) map.fitBounds(land.getBounds());
    else map.setView([22.69, 114.35], 12);
    map.on("moveend", drawRoads);
    drawRoads();
    get(place.dataset.shelters).then((found) => found.forEach((s) => {
      const sign = L.circleMarker([s.at[1], s.at[0]], {radius: 5, color: COLOURS.open, weight: 2, fillColor: s.open ? COLOURS.open : "#ffffff", fillOpacity: 1, pmIgnore: true}).addTo(map);
      sign.bindTooltip(() => text(`${s.name} · ${s.status}`));
      if (!drawingMode) sign.on("click", () => { location.href = s.url; });
    })).catch(() => {});
    get(place.dataset.obstructions).then((found) => found.features.forEach((feature) => {
      const layer = obstacle(feature).addTo(map);
      if (place.dataset.one === feature.id) map.fitBounds(layer.getBounds ? layer.getBounds().pad(2) : map.getBounds(), {maxZoom: 16});
    })).catch(() => {});
    if (drawingMode) hush();
    if (place.dataset.mode === "draw") drawing();
    if (place.dataset.mode === "shelter") shelterDrawing();
  }

  // Handles of corners serve the mouse only: the field of coordinates does the same by the keyboard.
  function hush() {
    const pane = map.getPanes().markerPane;
    const quiet = () => {
      for (const handle of pane.querySelectorAll(".marker-icon:not([aria-hidden])")) {
        handle.setAttribute("aria-hidden", "true");
        handle.removeAttribute("role");
        handle.tabIndex = -1;
      }
    };
    new MutationObserver(quiet).observe(pane, {childList: true});
    quiet();
  }

  // -- drawing ------------------------------------------------------------------------------------------------
  let drawn = null;
  const round = (n) => Number(n.toFixed(6));
  const shapes = () => [...document.querySelectorAll("[name=shape]")];
  function read() {
    const typed = field.value.trim();
    try {
      if (typed.startsWith("{")) return L.geoJSON(JSON.parse(typed)).getLayers()[0] || null;
    } catch { return null; } // the server says what is wrong
    const points = typed.split(/[\n;；]+/).map((line) => line.trim().split(/[,，\s]+/).map(Number)).filter((p) => p.length >= 2);
    if (!points.length || points.flat().some(Number.isNaN) || points.some(([lon, lat]) => Math.abs(lat) > 90 || Math.abs(lon) > 180)) return null;
    const ways = points.map(([lon, lat]) => [lat, lon]), shape = (shapes().find((s) => s.checked) || {}).value;
    if (shape === "area" && ways.length > 2) return L.polygon(ways);
    if (shape === "line" && ways.length > 1) return L.polyline(ways);
    return L.marker(ways[0], {icon: L.divIcon({className: "office-pin"})});
  }
  function show() {
    if (drawn) drawn.remove();
    drawn = read();
    if (!drawn) return;
    const metres = Number(radius && radius.value) || 0;
    if (drawn.getLatLng && !drawn.getRadius) drawn = L.circleMarker(drawn.getLatLng(), {radius: 8});
    drawn.setStyle({color: "#0b5876", weight: 4, fillColor: "#0b5876", fillOpacity: 0.2});
    drawn.addTo(map);
    if (metres && drawn.getLatLng) drawn.bindTooltip(`${metres} m`);
    if (drawn.pm && !drawn.getLatLng) {
      drawn.pm.enable({allowSelfIntersection: true});
      drawn.on("pm:edit", () => write(drawn));
    }
  }
  function write(layer) {
    const line = (p) => `${round(p.lng)}, ${round(p.lat)}`;
    let kind = "point", lines;
    if (layer instanceof L.Polygon) {
      const rings = layer.getLatLngs();
      if (Array.isArray(rings[0][0])) { field.value = JSON.stringify(layer.toGeoJSON(6).geometry); return; }
      [kind, lines] = ["area", rings[0].map(line)];
    } else if (layer instanceof L.Polyline) [kind, lines] = ["line", layer.getLatLngs().map(line)];
    else lines = [line(layer.getLatLng())];
    field.value = lines.join("\n");
    for (const box of shapes()) box.checked = box.value === kind;
  }
  function drawing() {
    show();
    if (drawn) map.fitBounds(drawn.getBounds ? drawn.getBounds().pad(1) : L.latLngBounds([drawn.getLatLng()]), {maxZoom: 16});
    field.addEventListener("change", show);
    for (const box of shapes()) box.addEventListener("change", show);
    if (!map.pm) return;
    map.pm.setLang(place.dataset.language);
    map.pm.setGlobalOptions({allowSelfIntersection: true});
    map.on("pm:create", ({layer}) => { layer.remove(); write(layer); show(); });
    for (const button of document.querySelectorAll("[data-draw]")) button.addEventListener("click", () => {
      map.pm.disableDraw();
      if (button.dataset.draw === "clear") { field.value = ""; show(); } else map.pm.enableDraw(button.dataset.draw);
    });
  }
  // A shelter: its place into two fields, its outline into a third.
  function shelterDrawing() {
    const [lon, lat, outline] = ["longitude", "latitude", "boundary"].map((name) => document.getElementById(name));
    let spot = null, ground = null;
    const style = {color: "#0b5876", weight: 4, fillColor: "#0b5876", fillOpacity: 0.2};
    function again() {
      for (const layer of [spot, ground]) if (layer) layer.remove();
      spot = ground = null;
      if (lon.value && lat.value && !Number.isNaN(Number(lon.value) + Number(lat.value))) spot = L.circleMarker([Number(lat.value), Number(lon.value)], {...style, radius: 8}).addTo(map);
      try {
        if (outline.value.trim().startsWith("{")) ground = L.geoJSON(JSON.parse(outline.value), {style: () => style}).addTo(map);
      } catch { /* the server says what is wrong */ }
    }
    again();
    if (ground) map.fitBounds(ground.getBounds().pad(1));
    else if (spot) map.setView(spot.getLatLng(), 16);
    for (const one of [lon, lat, outline]) one.addEventListener("change", again);
    if (!map.pm) return;
    map.pm.setLang(place.dataset.language);
    map.on("pm:create", ({layer}) => {
      layer.remove();
      if (layer instanceof L.Polygon) {
        outline.value = JSON.stringify(layer.toGeoJSON(6).geometry);
        outline.closest("details").open = true;
      } else {
        lon.value = round(layer.getLatLng().lng);
        lat.value = round(layer.getLatLng().lat);
      }
      again();
    });
    for (const button of document.querySelectorAll("[data-draw]")) button.addEventListener("click", () => {
      map.pm.disableDraw();
      if (button.dataset.draw === "clear") { outline.value = ""; again(); } else map.pm.enableDraw(button.dataset.draw);
    });
  }
  make().catch(() => { card.hidden = true; });
})();
