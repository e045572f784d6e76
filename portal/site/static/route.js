// The page of the way: from a place to the best shelter for a danger, in words first, on the map second. The place comes from
// the device, from a typed name, from a community or from a tap on the map, and never leaves the device. The ways are read
// from the community's file of the field, which a phone may have kept: then the page says how old it is.
(function () {
  "use strict";
  var here = window.AnlanHere, field = window.AnlanField, language = here.language;
  var ask = document.querySelector("[data-ask]"), said = document.querySelector("[data-here]");
  var answer = document.querySelector("[data-answer]"), nowhere = document.querySelector("[data-nowhere]");
  var address = document.getElementById("address"), matches = document.querySelector("[data-matches]");
  var community = document.getElementById("community"), family = document.getElementById("family");
  var start = null, files = {}, map = null, asked = 0, drawn = null;

  function say(text) { said.textContent = text; }
  function one(root, selector) { return root.querySelector(selector); }
  function profile() { return document.querySelector("[name=profile]:checked").value; }

  // The file of one community, decoded once: {field, kept}.
  function file(code) {
    files[code] = files[code] || here.load("/fields/" + code + ".json").then(function (got) {
      return { field: field.decode(got.data), made: got.data.made, kept: got.kept };
    }).catch(function (error) { delete files[code]; throw error; });
    return files[code];
  }
  function list(root, lines) {
    root.textContent = "";
    lines.forEach(function (line) {
      var row = document.createElement("li");
      row.textContent = line;
      root.appendChild(row);
    });
  }
  function aged(root, got) {
    var words = here.words("asof", window.AnlanOffline.clock(new Date(got.made)));
    if (got.kept || navigator.onLine === false) words += " · " + here.words("offline");
    one(root, "[data-as-of]").textContent = words;
  }
  function hide() { answer.hidden = nowhere.hidden = true; }
  function without(lines, got) {
    answer.hidden = true;
    nowhere.hidden = false;
    list(one(nowhere, "[data-instead]"), lines);
    if (got) aged(nowhere, got); else one(nowhere, "[data-as-of]").textContent = "";
    if (map) map.way(null);
  }
  function links(target) {
    var part = one(answer, "[data-links]"), rows = one(answer, "[data-link-list]"), found = target.lon === null ? {} : field.links(target.lon, target.lat, target.name);
    rows.textContent = "";
    Array.prototype.forEach.call(document.querySelectorAll("[data-services] li"), function (service) {
      var href = found[service.getAttribute("data-key")];
      if (!href) return;
      var row = document.createElement("li"), link = document.createElement("a");
      link.href = href;
      link.rel = "noopener noreferrer";
      link.textContent = service.textContent;
      row.appendChild(link);
      rows.appendChild(row);
    });
    part.hidden = !rows.childNodes.length;
  }
  function show(way, got) {
    nowhere.hidden = true;
    answer.hidden = false;
    var basis = one(answer, "[data-basis]"), words = way.words.slice();
    basis.hidden = way.basis === "open";
    if (!basis.hidden) basis.textContent = words.shift();
    one(answer, "[data-title]").textContent = way.shelter.name;
    one(answer, "[data-sum]").textContent = words.shift();
    list(one(answer, "[data-steps]"), words);
    aged(answer, got);
    links(way.shelter);
    if (map) map.way(way.line);
  }
  // The pieces of street that the file knows: each node's links.
  function pieces(known) {
    var found = [], to = known.file.to;
    for (var node = 0; node < known.lon.length; node++) {
      for (var link = known.first[node]; link < known.first[node + 1]; link++) {
        found.push([[known.lon[node], known.lat[node]], [known.lon[node - to[link]], known.lat[node - to[link]]]]);
      }
    }
    return found;
  }
  function find() {
    if (!start) return;
    var turn = ++asked, layer = family.value + "." + profile();
    if (map) map.start(start.lon, start.lat);
    here.communityAt(start.lon, start.lat).then(function (found) {
      var code = found ? found.code : start.code;
      if (!code) { say(here.words("outside")); hide(); return undefined; }
      return file(code).then(function (got) {
        if (turn !== asked) return;
        if (map && got !== drawn) { map.streets(pieces(got.field)); drawn = got; }
        var way = got.field.route(start.lon, start.lat, layer, language);
        if (way.ok) show(way, got); else without(way.words, got);
      });
    }).catch(function () {
      if (turn !== asked) return;
      hide();
      say(here.words("nodata"));
    });
  }
  function from(lon, lat, name, code) {
    start = { lon: lon, lat: lat, code: code || "" };
    if (name !== undefined) say(name);
    find();
  }

  one(ask, "[data-near]").addEventListener("click", function () {
    say(here.words("looking"));
    here.locate().then(function (at) {
      if (at.rough) { start = null; hide(); say(here.words("rough", at.accuracy)); return; }
      from(at.lon, at.lat, here.words("accuracy", at.accuracy));
    }, function (why) { say(here.words(why)); });
  });
  address.addEventListener("input", function () {
    var text = address.value;
    if (text.trim().length < 2) { matches.hidden = true; return; }
    here.match(text).then(function (found) {
      if (address.value !== text) return;
      matches.textContent = "";
      found.forEach(function (hit) {
        var row = document.createElement("li"), button = document.createElement("button");
        button.type = "button";
        button.textContent = hit.name + (hit.note ? " · " + hit.note : "");
        button.addEventListener("click", function () {
          address.value = hit.name;
          matches.hidden = true;
          from(hit.lon, hit.lat, button.textContent, hit.code);
        });
        row.appendChild(button);
        matches.appendChild(row);
      });
      matches.hidden = !found.length;
      say(found.length ? "" : here.words("nothing"));
    }, function () { say(here.words("nodata")); });
  });
  community.addEventListener("change", function () {
    if (!community.value) return;
    here.places().then(function (data) {
      data.communities.forEach(function (c) {
        if (c.code !== community.value || !c.middle) return;
        from(c.middle[0], c.middle[1], c[language], c.code);
      });
    }, function () { say(here.words("nodata")); });
  });
  family.addEventListener("change", function () { window.history.replaceState(null, "", "#" + family.value); signs(); find(); });
  Array.prototype.forEach.call(document.querySelectorAll("[name=profile]"), function (box) { box.addEventListener("change", find); });
  one(answer, "[data-print]").addEventListener("click", function () { window.print(); });
  ask.addEventListener("submit", function (event) { event.preventDefault(); });

  function signs() {
    if (!map) return;
    here.shelters().then(function (got) {
      var keys = got.data.families.map(function (f) { return f.key; });
      map.shelters(got.data.shelters, keys.indexOf(family.value), language);
    }, function () { return undefined; });
  }
  function draw() {
    if (!window.L || !window.AnlanMap) return;
    document.querySelector("[data-map-part]").hidden = false;
    map = window.AnlanMap.make(document.getElementById("way-map"), function (lon, lat) { from(lon, lat, ""); });
    here.places().then(function (data) { map.ground(data.communities, language); }, function () { return undefined; });
    signs();
  }
  var wanted = window.location.hash.slice(1);
  Array.prototype.forEach.call(family.options, function (option) { if (option.value === wanted) family.value = wanted; });
  if (!wanted) {
    here.shelters().then(function (got) {  // the danger of a warning in force is the first guess
      if (start || !got.data.needed.length) return;
      family.value = got.data.needed[0];
      signs();
    }, function () { return undefined; });
  }
  ask.hidden = false;
  document.querySelector("[data-plain]").hidden = true;
  draw();
})();
