// The map of the way: outlines, shelters and one line, drawn from our own data. It follows the words, never leads them.
(function () {
  "use strict";
  // Canvas-free: SVG paths with classes would need styles in attributes, which Leaflet sets by script and the policy allows.
  function make(element, tapped) {
    var map = window.L.map(element, { attributionControl: false, zoomControl: false, zoomSnap: 0.25, minZoom: 9, maxZoom: 19 });
    var ground = window.L.featureGroup().addTo(map), signs = window.L.featureGroup().addTo(map), way = window.L.featureGroup().addTo(map);
    var start = null, streets = null;
    window.L.control.zoom({ zoomInTitle: element.getAttribute("data-nearer"), zoomOutTitle: element.getAttribute("data-farther") }).addTo(map);
    map.setView([22.69, 114.35], 12);
    map.on("click", function (event) { tapped(event.latlng.lng, event.latlng.lat); });
    function flip(point) { return [point[1], point[0]]; }
    return {
      ground: function (communities, language) {
        ground.clearLayers();
        communities.forEach(function (one) {
          one.rings.forEach(function (ring) {
            window.L.polygon(ring.map(flip), { color: "#8794a1", weight: 1, fillColor: "#dde3e8", fillOpacity: 0.6, interactive: false }).addTo(ground);
          });
        });
        if (ground.getLayers().length) map.fitBounds(ground.getBounds(), { animate: false });
      },
      shelters: function (list, family, language) {
        signs.clearLayers();
        list.forEach(function (one) {
          if (!one.at || one.suits[family] !== "y") return;
          var open = one.open && !one.stale;
          window.L.circleMarker(flip(one.at), { radius: open ? 7 : 6, color: open ? "#17663a" : "#15202b", weight: 2,
            fillColor: open ? "#17663a" : "#ffffff", fillOpacity: 1 }).bindTooltip(one[language] || one.zh).addTo(signs);
        });
      },
      // The ways of a community's file: [[lon, lat], [lon, lat]] each.
      streets: function (pieces) {
        if (streets) streets.remove();
        streets = window.L.polyline(pieces.map(function (piece) { return piece.map(flip); }),
          { color: "#ffffff", weight: 4, opacity: 1, interactive: false }).addTo(map);
        streets.bringToBack();
        ground.bringToBack();
      },
      start: function (lon, lat) {
        if (start) start.remove();
        start = window.L.circleMarker([lat, lon], { radius: 8, color: "#0b5876", weight: 4, fillColor: "#ffffff", fillOpacity: 1, interactive: false }).addTo(map);
      },
      way: function (line) {
        way.clearLayers();
        if (!line || line.length < 2) return;
        window.L.polyline(line.map(flip), { color: "#ffffff", weight: 9, opacity: 1, interactive: false }).addTo(way);
        window.L.polyline(line.map(flip), { color: "#0b5876", weight: 5, opacity: 1, interactive: false }).addTo(way);
        var door = flip(line[line.length - 1]);
        window.L.circleMarker(door, { radius: 7, color: "#ffffff", weight: 2, fillColor: "#0b5876", fillOpacity: 1, interactive: false }).addTo(way);
        map.fitBounds(way.getBounds(), { padding: [30, 30], animate: false, maxZoom: 17 });
      },
      resized: function () { map.invalidateSize(); }
    };
  }
  window.AnlanMap = { make: make };
})();
