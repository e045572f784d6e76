// Where the reader is: by the device, by a typed address, by a chosen community. Nothing of it leaves the device: streets,
// places and outlines come as one file, and the search is done here.
(function () {
  "use strict";
  var ROUGH = 500, MOST = 8, index = null, states = null;
  var language = document.documentElement.lang.slice(0, 2);

  function load(path) {
    return fetch(path, { credentials: "same-origin" }).then(function (response) {
      if (!response.ok) throw new Error(path);
      var kept = response.headers.get("x-anlan-kept");
      return response.json().then(function (data) { return { data: data, kept: kept ? new Date(kept) : null }; });
    });
  }
  function places() {
    index = index || load("/fields/index.json").catch(function (error) { index = null; throw error; });
    return index.then(function (got) { return got.data; });
  }
  function shelters() {
    states = states || load("/fields/shelters.json").catch(function (error) { states = null; throw error; });
    return states;
  }
  function inside(ring, lon, lat) {
    var hit = false;
    for (var i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      if ((ring[i][1] > lat) !== (ring[j][1] > lat) &&
        lon < (ring[j][0] - ring[i][0]) * (lat - ring[i][1]) / (ring[j][1] - ring[i][1]) + ring[i][0]) hit = !hit;
    }
    return hit;
  }
  function metres(lon1, lat1, lon2, lat2) {
    var x = (lon2 - lon1) * Math.cos((lat1 + lat2) * Math.PI / 360), y = lat2 - lat1;
    return Math.sqrt(x * x + y * y) * 111195;
  }
  // The community of a point: the one around it, else the one whose edge is nearest within 300 m (outlines are simplified).
  function communityAt(lon, lat) {
    return places().then(function (data) {
      var best = null, least = 300;
      for (var i = 0; i < data.communities.length; i++) {
        var rings = data.communities[i].rings;
        for (var r = 0; r < rings.length; r++) {
          if (inside(rings[r], lon, lat)) return data.communities[i];
          rings[r].forEach(function (point) {
            var away = metres(lon, lat, point[0], point[1]);
            if (away < least) { least = away; best = data.communities[i]; }
          });
        }
      }
      return best;
    });
  }
  // {lon, lat, accuracy, rough}; refused with a word of: refused, unavailable, late, none.
  function locate() {
    return new Promise(function (done, refused) {
      if (!navigator.geolocation || !window.isSecureContext) { refused("none"); return; }
      navigator.geolocation.getCurrentPosition(function (position) {
        var at = position.coords;
        done({ lon: at.longitude, lat: at.latitude, accuracy: Math.round(at.accuracy), rough: !(at.accuracy <= ROUGH) });
      }, function (error) {
        refused(error.code === 1 ? "refused" : error.code === 3 ? "late" : "unavailable");
      }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 60000 });
    });
  }
  function plain(text) {
    return text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/[\s'’·,，.。\-]+/g, "");
  }
  function squeezed(text) { return plain(text).replace(/(road|street|avenue|lane|roads|rd|st|ave)$/, ""); }
  // Names that a text may mean, best first: {name, note, lon, lat, code, shelter}.
  function match(text) {
    // The house number does not count: the street is found, and people see on the map where they are in it.
    var wanted = plain(text.replace(/[0-9]+\s*(?:号|號|栋|幢|弄|室|楼).*$/, "").replace(/^\s*(?:no\.?\s*)?[0-9]+[a-z]?\s+(?=\S)/i, ""));
    if (wanted.length < 1) return Promise.resolve([]);
    return Promise.all([places(), shelters().catch(function () { return { data: { shelters: [] } }; })]).then(function (both) {
      var data = both[0], names = {}, found = [];
      data.communities.forEach(function (c) { names[c.code] = language === "zh" ? c.zh : c.en; });
      function consider(list, entry) {
        var best = 9;
        list.forEach(function (name) {
          var own = plain(name || "");
          if (!own) return;
          var at = own.indexOf(wanted), back = wanted.length > 2 && own.length > 1 ? wanted.indexOf(squeezed(name)) : -1;
          var rank = own === wanted ? 0 : at === 0 ? 1 : at > 0 ? 2 : back >= 0 && squeezed(name).length > 1 ? 3 : 9;
          if (rank < best) best = rank;
        });
        if (best < 9) { entry.rank = best; found.push(entry); }
      }
      both[1].data.shelters.forEach(function (s) {
        if (s.at) consider([s.zh, s.en, s.pinyin], { name: language === "zh" ? s.zh : s.en || s.zh, note: names[s.community] || "",
          lon: s.at[0], lat: s.at[1], code: s.community, shelter: s.id });
      });
      data.places.forEach(function (p) {
        consider([p[0], p[1]], { name: language === "zh" ? p[0] : p[1] || p[0], note: names[p[4]] || "", lon: p[2], lat: p[3], code: p[4] });
      });
      data.communities.forEach(function (c) {
        if (!c.middle) return;
        consider([c.zh, c.en, c.pinyin], { name: names[c.code], note: "", lon: c.middle[0], lat: c.middle[1], code: c.code, community: true });
      });
      found.sort(function (a, b) { return a.rank - b.rank || a.name.length - b.name.length; });
      return found.slice(0, MOST);
    });
  }
  function words(key, fill) {
    var text = document.getElementById("words").getAttribute("data-" + key) || "";
    return String(fill === undefined ? text : text.replace("#", fill));
  }
  window.AnlanHere = { load: load, places: places, shelters: shelters, communityAt: communityAt, locate: locate, match: match,
    metres: metres, words: words, language: language };
})();
