// The public map: layers over the communities' outlines, drawn from our own files. It follows the lists, never leads them.
(function () {
  "use strict";
  var element = document.getElementById("district-map"), L = window.L, language = document.documentElement.lang.slice(0, 2);
  var part = document.querySelector("[data-layers]"), lacking = [], groups = {};
  if (!element || !L || !part) return;
  var COLOURS = { white: "#8794a1", blue: "#1559b7", yellow: "#8a7300", orange: "#b35c00", red: "#c4101b" };
  function load(path) {
    return fetch(path, { credentials: "same-origin" }).then(function (response) {
      if (!response.ok) throw new Error(path);
      return response.json();
    });
  }
  function flip(point) { return [point[1], point[0]]; }
  function sign(key, title, faint) {
    var box = document.createElement("span");
    box.appendChild(part.querySelector("[data-sign='" + key + "'] svg").cloneNode(true));
    return L.divIcon({ className: "map-sign sign-" + key + (faint ? " is-faint" : ""), html: box, iconSize: [26, 26] });
  }
  // What a sign says: lines of text, and a link.
  function told(lines, href) {
    var box = document.createElement("div");
    lines.filter(Boolean).forEach(function (line, at) {
      var row = document.createElement(at ? "div" : "strong");
      row.textContent = line;
      box.appendChild(row);
    });
    if (href) {
      var link = document.createElement("a");
      link.href = href;
      link.textContent = lines[0];
      box.replaceChild(link, box.firstChild);
    }
    return box;
  }
  function put(key, place, lines, href, faint) {
    L.marker(flip(place), { icon: sign(key, lines[0], faint), title: lines[0], alt: lines.filter(Boolean).join(", ") })
      .bindPopup(told(lines, href)).addTo(groups[key]);
  }
  element.hidden = part.hidden = false;
  var drawing = document.querySelector("[data-map-drawing]");
  if (drawing) drawing.hidden = true;
  var map = L.map(element, { attributionControl: false, zoomControl: false, zoomSnap: 0.25, minZoom: 9, maxZoom: 18 });
  L.control.zoom({ zoomInTitle: element.getAttribute("data-nearer"), zoomOutTitle: element.getAttribute("data-farther") }).addTo(map);
  map.setView([22.69, 114.35], 11);
  // Seen from afar the signs are small, so that they do not hide each other.
  function far() { element.classList.toggle("is-far", map.getZoom() < 13); }
  map.on("zoomend", far);
  far();
  var ground = L.featureGroup().addTo(map);
  Array.prototype.forEach.call(part.querySelectorAll("input"), function (box) {
    var group = groups[box.name] = L.featureGroup().addTo(map);
    box.checked = true;
    box.addEventListener("change", function () { if (box.checked) group.addTo(map); else group.remove(); });
  });
  function drawGround(data) {
    data.communities.forEach(function (one) {
      one.rings.forEach(function (ring) {
        L.polygon(ring.map(flip), { color: "#8794a1", weight: 1, fillColor: "#dde3e8", fillOpacity: 0.6, interactive: false }).addTo(ground);
      });
    });
    if (ground.getLayers().length) map.fitBounds(ground.getBounds(), { animate: false });
    ground.bringToBack();
  }
  function drawWarned(data) {
    data.features.filter(function (feature) { return feature.geometry; }).reverse().forEach(function (feature) {
      var said = feature.properties, colour = COLOURS[said.tier];
      L.geoJSON(feature.geometry, { style: { color: colour, weight: 3, fillColor: colour, fillOpacity: 0.15 } })
        .bindPopup(told([said.headline[language] || said.headline.zh], "/" + language + "/warnings/" + said.number + "/")).addTo(groups.warned);
    });
  }
  function drawShelters(data) {
    data.shelters.forEach(function (one) {
      if (!one.at) return;
      var open = one.open && !one.stale;
      put("shelters", one.at, [one[language] || one.zh, element.getAttribute(open ? "data-open" : "data-closed")],
        "/" + language + "/shelters/" + one.slug + "/", !open);
    });
  }
  function drawDangers(data) {
    data.points.forEach(function (one) {
      put(one.layer, one.at, [one[language], one.kind[language], one.note[language]], "/" + language + "/communities/" + one.region + "/");
    });
    data.cuts.forEach(function (one) {
      var lines = [one[language], one.kind[language] + " · " + one.effect[language]], shape = one.geometry;
      var look = { color: "#a3121c", weight: 5, dashArray: "8 6", fillOpacity: 0.2 };
      if (shape.type !== "Point") L.geoJSON(shape, { style: look }).bindPopup(told(lines)).addTo(groups.cuts);
      else if (one.radius > 0) L.circle(flip(shape.coordinates), L.extend({ radius: one.radius }, look)).bindPopup(told(lines)).addTo(groups.cuts);
      var middle = shape.type === "LineString" ? shape.coordinates[Math.floor(shape.coordinates.length / 2)] : shape.coordinates;
      while (Array.isArray(middle[0])) middle = middle[0];  // a part, its outline, the first point of that
      put("cuts", middle, lines);
    });
    var age = document.querySelector("[data-map-age]"), offline = window.AnlanOffline;
    age.hidden = !offline;
    if (offline) age.textContent = age.getAttribute("data-words").replace("#", offline.clock(new Date(data.made)));
  }
  // Each layer by itself: one that fails is named, and the others are there.
  function layer(path, draw, names) {
    return load(path).then(draw).catch(function () {
      names.forEach(function (name) {
        var box = part.querySelector("[name='" + name + "']");
        if (box) lacking.push(box.parentNode.textContent.trim());
      });
    });
  }
  layer("/fields/index.json", drawGround, []).then(function () {
    return Promise.all([layer("/feeds/warnings.geojson", drawWarned, ["warned"]), layer("/fields/shelters.json", drawShelters, ["shelters"]),
      layer("/fields/dangers.json", drawDangers, ["cuts", "waterlogging", "slope", "risk"])]);
  }).then(function () {
    var said = document.querySelector("[data-map-lacking]");
    said.hidden = !lacking.length;
    said.textContent = said.getAttribute("data-words").replace("#", lacking.join(", "));
    element.setAttribute("data-ready", "");
  });
})();
