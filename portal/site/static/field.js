// The way to a shelter from one community's file, without a network. The numbers and the sentences are those of the portal
// (portal/shelters/field/steps.py, community_file.py and maps_links.py say why they are so); a test compares the two.
(function (root) {
  "use strict";
  var RAD = Math.PI / 180, AXIS = 6378137, E2 = (2 - 1 / 298.257223563) / 298.257223563;
  var OUTSIDE = 500, TRIED = 8, FARTHER = 60, last = null;

  // ---- measuring
  function distance(lon1, lat1, lon2, lat2) {
    var sine = Math.sin((lat1 + lat2) / 2 * RAD), w2 = 1 - E2 * sine * sine, w = Math.sqrt(w2);
    var x = (lon2 - lon1) * (RAD * AXIS / w * Math.sqrt(1 - sine * sine));
    var y = (lat2 - lat1) * (RAD * AXIS * (1 - E2) / (w2 * w));
    return Math.sqrt(x * x + y * y);
  }
  function bearing(a, b) {
    var east = (b[0] - a[0]) * Math.cos((a[1] + b[1]) / 2 * RAD);
    return (Math.atan2(east, b[1] - a[1]) / RAD + 360) % 360;
  }
  function turn(before, after) { return (after - before + 540) % 360 - 180; }
  function compass(towards) { return Math.floor((towards + 22.5) / 45) % 8; }

  // ---- the file
  function summed(deltas) {
    var ring = [], x = 0, y = 0;
    for (var i = 0; i < deltas.length; i += 2) ring.push([(x += deltas[i]) / 1e6, (y += deltas[i + 1]) / 1e6]);
    return ring;
  }
  function decode(json) {
    var file = typeof json === "string" ? JSON.parse(json) : json, count = file.n.length;
    if (file.form !== 1) throw new Error("this script does not know the form of this file");
    var x = [], y = [], first = [0], i, base;
    for (i = 0; i < count; i++) {
      first.push(first[i] + Number(file.n.charAt(i)));
      base = file.n.charAt(i) !== "0" && file.to[first[i]] > 0 ? i - file.to[first[i]] : i - 1;
      x.push(file.x[i] + (base >= 0 ? x[base] : 0));
      y.push(file.y[i] + (base >= 0 ? y[base] : 0));
    }
    var field = {
      file: file, first: first, lon: x.map(function (v) { return v / 1e6; }), lat: y.map(function (v) { return v / 1e6; }),
      cuts: file.cuts.map(function (ground) { return ground.map(function (rings) { return rings.map(summed); }); }),
      version: file.version, made: file.made, layers: file.layers
    };
    field.nearestNode = function (lon, lat, layer) { return nearest(field, lon, lat, layer, 1)[0] || null; };
    field.route = function (lon, lat, layer, lang) { return route(field, lon, lat, layer, lang); };
    return (last = field);
  }
  function state(field, node, layer) { return field.file.trees[field.layers[layer].tree].charAt(node); }
  function nearest(field, lon, lat, layer, count) {
    var found = [], metres, i;
    for (i = 0; i < field.lon.length; i++) {
      if (layer && state(field, i, layer) === "?") continue;
      metres = distance(lon, lat, field.lon[i], field.lat[i]);
      if (metres > OUTSIDE || (found.length === count && metres >= found[count - 1].metres)) continue;
      found.push({ node: i, metres: metres });
      found.sort(function (a, b) { return a.metres - b.metres || a.node - b.node; });
      found.length = Math.min(count, found.length);
    }
    return found;
  }

  // ---- ground on which nobody walks
  function side(a, b, p) { return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]); }
  function meet(a, b, c, d) {
    if (Math.max(a[0], b[0]) < Math.min(c[0], d[0]) || Math.max(c[0], d[0]) < Math.min(a[0], b[0]) ||
        Math.max(a[1], b[1]) < Math.min(c[1], d[1]) || Math.max(c[1], d[1]) < Math.min(a[1], b[1])) return false;
    return side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0;
  }
  function holds(rings, p) {
    var inside = false;
    rings.forEach(function (ring) {
      for (var i = 0, j = ring.length - 1; i < ring.length; j = i++) {
        if ((ring[i][1] > p[1]) !== (ring[j][1] > p[1]) &&
            p[0] < (ring[j][0] - ring[i][0]) * (p[1] - ring[i][1]) / (ring[j][1] - ring[i][1]) + ring[i][0]) inside = !inside;
      }
    });
    return inside;
  }
  function blocks(ground, a, b) {
    return ground.some(function (rings) {
      return holds(rings, a) || rings.some(function (ring) {
        for (var i = 1; i < ring.length; i++) if (meet(a, b, ring[i - 1], ring[i])) return true;
        return false;
      });
    });
  }

  // ---- the way
  function route(field, lon, lat, layer, lang) {
    var near = nearest(field, lon, lat, layer, TRIED), say = field.file.words[lang] || field.file.words.zh;
    if (!near.length) return without(field, lon, lat, layer, lang, say, "outside");
    var ground = field.cuts[field.layers[layer].ground], here = [lon, lat], i, node;
    for (i = 0; i < near.length && near[i].metres <= near[0].metres + FARTHER; i++) {
      node = near[i].node;
      if (state(field, node, layer) === "-" || blocks(ground, here, [field.lon[node], field.lat[node]])) continue;
      return walk(field, here, near[i], layer, lang, say);
    }
    if (ground.some(function (rings) { return holds(rings, here); })) {
      return without(field, lon, lat, layer, lang, say, "obstruction");
    }
    return without(field, lon, lat, layer, lang, say, field.layers[layer]["else"]);
  }
  function walk(field, here, start, layer, lang, say) {
    var file = field.file, speed = file.speed[layer.split(".")[1]], slow = file.slow[field.layers[layer].ground];
    var node = start.node, line = [here, [field.lon[node], field.lat[node]]], ways = [], slowed = [];
    var time = 0, hop, link, far, way, tight = ((file.tight || [])[field.layers[layer].tree] || "").charAt(node) === "1";
    while ((hop = state(field, node, layer)) >= "0" && hop <= "9") {
      link = field.first[node] + Number(hop);
      way = file.ways[file.way[link]];
      far = distance(field.lon[node], field.lat[node], field.lon[node - file.to[link]], field.lat[node - file.to[link]]);
      time += Math.max(far, 0.1) / speed * (way[3] ? file.steps : 1) * (slow[link] || 1);
      ways.push(way);
      slowed.push(slow[link] > 1);
      node -= file.to[link];
      line.push([field.lon[node], field.lat[node]]);
    }
    var door = file.doors[hop.charCodeAt(0) - 192], place = file.places[door[0]];
    time += Math.max(distance(door[1], door[2], field.lon[node], field.lat[node]) / speed, 0.01);
    line.push([door[1], door[2]]);
    var seconds = Math.floor(time + 0.5) + Math.round(start.metres / speed), metres = 0;
    for (var i = 1; i < line.length; i++) metres += distance(line[i - 1][0], line[i - 1][1], line[i][0], line[i][1]);
    var minutes = Math.max(1, Math.ceil(seconds / 60)), zh = lang !== "en";
    return {
      ok: true, layer: layer, basis: field.layers[layer].basis, seconds: seconds, minutes: minutes, metres: metres, line: line,
      tight: tight, shelter: {
        code: place[0], name: named(place[1], place[2], zh), lon: place[3], lat: place[4], status: place[5], at: place[6]
      },
      entrance: named(door[3], door[4], zh), words: words(field, layer, line, ways, slowed, place, door, metres, minutes, zh, say, tight)
    };
  }
  function without(field, lon, lat, layer, lang, say, reason) {
    var best = null, why = say[reason];
    if (reason === "no_room") {
      field.layers[layer].suit.forEach(function (number) {
        var place = field.file.places[number], far = distance(lon, lat, place[3], place[4]);
        if (!best || far < best.far) best = { far: far, place: place };
      });
      why = best ? why.replace("{shelter}", named(best.place[1], best.place[2], lang !== "en")) : say.no_room_plain;
    }
    return { ok: false, reason: reason, words: [say.no_safe_route, why.replace("{far}", said(OUTSIDE, say))] };
  }

  // ---- the words
  function named(zh, en, chinese) { return chinese ? zh : en || zh; }
  function said(metres, say) {
    var grain = metres < 95 ? 10 : 50, whole = Math.max(10, Math.floor(metres / grain + 0.5) * grain);
    if (whole < 1000) return say.metres.replace("{n}", whole);
    return say.kilometres.replace("{n}", (Math.floor(metres / 100 + 0.5) / 10).toFixed(1));
  }
  function same(a, b) {
    if (a[0] !== b[0] || a[1] !== b[1] || (a[2] === "steps") !== (b[2] === "steps")) return false;
    return a[0] || a[1] ? true : a[2] === b[2];
  }
  function goesOn(before, piece) {
    return same(before.way, piece.way) && Math.abs(turn(before.last, piece.first)) < (piece.way[0] || piece.way[1] ? 70 : 45);
  }
  function longer(stretch, piece, towards) { stretch.metres += piece.metres; stretch.slow += piece.slow; stretch.last = towards; }
  function stretches(points, ways, slowed) {
    var found = [], joined = [];
    ways.forEach(function (way, i) {
      var far = distance(points[i][0], points[i][1], points[i + 1][0], points[i + 1][1]), before = found[found.length - 1];
      var towards = far >= 1.5 || !before ? bearing(points[i], points[i + 1]) : before.last;
      var piece = { way: way, metres: far, slow: slowed[i] ? far : 0, first: towards, last: towards };
      if (before && goesOn(before, piece)) longer(before, piece, piece.last); else found.push(piece);
    });
    found.forEach(function (piece) {
      var before = joined[joined.length - 1];
      if (before && !(piece.way[0] || piece.way[1]) && piece.way[2] !== "steps" && piece.metres < 30) {
        longer(before, piece, before.last);
      } else if (before && goesOn(before, piece)) longer(before, piece, piece.last);
      else joined.push(piece);
    });
    return joined;
  }
  function kind(before, piece) {
    var steps = piece.way[2] === "steps";
    if (!before) return steps ? "steps_go" : "go";
    var angle = turn(before.last, piece.first), to = Math.abs(angle) < 40 ? "straight" : angle > 0 ? "right" : "left";
    if (steps) return "steps_" + to;
    return same(before.way, piece.way) && to !== "straight" && (piece.way[0] || piece.way[1]) ? "same_" + to : to;
  }
  function words(field, layer, line, ways, slowed, place, door, metres, minutes, zh, say, tight) {
    var told = [], before = null, count = line.length;
    var name = named(place[1], place[2], zh), entrance = named(door[3], door[4], zh);
    function tell(key, far, towards, street) {
      told.push(say[key].replace("{far}", said(far, say)).replace("{compass}", say.compass[towards || 0])
        .replace("{street}", street || "").replace("{shelter}", name).replace("{minutes}", minutes).replace("{door}", entrance));
    }
    if (field.layers[layer].basis === "plan") told.push(say.plan);
    if (tight) told.push(say.tight);
    tell("total", metres);
    var far = distance(line[0][0], line[0][1], line[1][0], line[1][1]);
    if (far >= 15) tell("begin", far, compass(bearing(line[0], line[1])));
    stretches(line.slice(1, -1), ways, slowed).forEach(function (piece) {
      var own = zh ? piece.way[0] || piece.way[1] : piece.way[1] || piece.way[0];
      tell(kind(before, piece), piece.metres, compass(piece.first), own || say.ways[piece.way[2]]);
      if (piece.slow > 0) tell("slow", piece.slow);
      before = piece;
    });
    far = distance(line[count - 2][0], line[count - 2][1], line[count - 1][0], line[count - 1][1]);
    if (far >= 15) tell("end", far);
    tell(entrance ? "arrive" : "arrive_plain", 0);
    if (door[5]) told.push(say.hours.replace("{hours}", door[5]));
    if (layer.split(".")[1] === "step_free") told.push(say.step_free);
    return told;
  }

  // ---- other maps
  function inChina(lon, lat) { return lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271; }
  function toGcj02(lon, lat) {
    if (!inChina(lon, lat)) return [lon, lat];
    var sin = Math.sin, PI = Math.PI, x = lon - 105, y = lat - 35, wave = (20 * sin(6 * x * PI) + 20 * sin(2 * x * PI)) * 2 / 3;
    var north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + wave;
    north += (20 * sin(y * PI) + 40 * sin(y / 3 * PI)) * 2 / 3 + (160 * sin(y / 12 * PI) + 320 * sin(y * PI / 30)) * 2 / 3;
    var east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + wave;
    east += (20 * sin(x * PI) + 40 * sin(x / 3 * PI)) * 2 / 3 + (150 * sin(x / 12 * PI) + 300 * sin(x / 30 * PI)) * 2 / 3;
    var e2 = 0.006693421622965943, a = 6378245, phi = lat / 180 * PI, w2 = 1 - e2 * sin(phi) * sin(phi), w = Math.sqrt(w2);
    return [lon + east * 180 / (a / w * Math.cos(phi) * PI), lat + north * 180 / (a * (1 - e2) / (w2 * w) * PI)];
  }
  function toBd09(lon, lat) {
    if (!inChina(lon, lat)) return [lon, lat];
    var p = toGcj02(lon, lat), k = Math.PI * 3000 / 180;
    var z = Math.sqrt(p[0] * p[0] + p[1] * p[1]) + 0.00002 * Math.sin(p[1] * k);
    var angle = Math.atan2(p[1], p[0]) + 0.000003 * Math.cos(p[0] * k);
    return [z * Math.cos(angle) + 0.0065, z * Math.sin(angle) + 0.006];
  }
  function links(lon, lat, name) {
    var g = toGcj02(lon, lat), b = toBd09(lon, lat), called = encodeURIComponent(name), shifted = inChina(lon, lat);
    var x = g[0].toFixed(6), y = g[1].toFixed(6);
    return {
      amap: "https://uri.amap.com/navigation?to=" + x + "," + y + "," + called + "&mode=walk&src=anlan&coordinate=" +
        (shifted ? "gaode" : "wgs84") + "&callnative=1",
      baidu: "https://api.map.baidu.com/direction?origin=" + encodeURIComponent("我的位置") + "&destination=latlng:" +
        b[1].toFixed(6) + "," + b[0].toFixed(6) + "%7Cname:" + called + "&mode=walking&coord_type=" + (shifted ? "bd09ll" : "wgs84") +
        "&output=html&src=anlan",
      apple: "https://maps.apple.com/?daddr=" + y + "," + x + "&dirflg=w&q=" + called,
      google: "https://www.google.com/maps/dir/?api=1&destination=" + y + "%2C" + x + "&travelmode=walking"
    };
  }

  root.AnlanField = {
    decode: decode, links: links, distance: distance,
    nearestNode: function (lon, lat, layer) { return last && last.nearestNode(lon, lat, layer); },
    route: function (lon, lat, layer, lang) { return last && last.route(lon, lat, layer, lang); }
  };
})(typeof window === "undefined" ? globalThis : window);
