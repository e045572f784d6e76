// On the lists of shelters: typing narrows the list, the nearest come first on wish, and the number shown is said.
// Without this script the list, its filters and the anchors by community work as they are.
(function () {
  "use strict";
  var here = window.AnlanHere, find = document.querySelector("[data-find]"), said = document.querySelector("[data-here]");
  var typed = document.getElementById("typed"), matches = document.querySelector("[data-matches]"), count = document.querySelector("[data-count]");
  var items = Array.prototype.slice.call(document.querySelectorAll(".place")), groups = document.querySelectorAll(".group");
  function plain(text) { return text.toLowerCase().replace(/[\s'’·]+/g, ""); }
  var boxes = Array.prototype.slice.call(document.querySelectorAll(".filters input"));
  // As the style sheet filters, also for what lies in a closed group.
  function visible(item) {
    return !item.hidden && boxes.every(function (box) { return !box.checked || item.classList.contains("has-" + box.id.slice(2)); });
  }
  items.forEach(function (item) {
    var group = item.parentNode.parentNode.querySelector("h3");
    item.hay = plain(item.getAttribute("data-q") + " " + (group ? group.textContent : ""));
  });

  function narrow() {
    var wanted = plain(typed.value), shown = 0, chosen = document.querySelector(".filters input:checked");
    items.forEach(function (item) {
      item.hidden = wanted !== "" && item.hay.indexOf(wanted) < 0;
      if (visible(item)) shown++;
    });
    Array.prototype.forEach.call(groups, function (group) {
      group.hidden = false;
      group.hidden = !Array.prototype.some.call(group.querySelectorAll(".place"), visible);
      if (wanted || chosen) group.open = true;
    });
    count.hidden = shown === items.length;
    count.textContent = count.getAttribute("data-words").replace("#", shown);
    return shown;
  }
  function offer() {
    var text = typed.value;
    if (text.trim().length < 2) { matches.hidden = true; return; }
    here.match(text).then(function (found) {
      if (typed.value !== text) return;
      matches.textContent = "";
      found.filter(function (one) { return !one.shelter; }).forEach(function (one) {
        var row = document.createElement("li"), button = document.createElement("button");
        button.type = "button";
        button.textContent = one.name + (one.note ? " · " + one.note : "");
        button.addEventListener("click", function () { typed.value = ""; matches.hidden = true; narrow(); sort(one.lon, one.lat, one.name); });
        row.appendChild(button);
        matches.appendChild(row);
      });
      matches.hidden = !matches.childNodes.length;
    }, function () { matches.hidden = true; });
  }
  // The nearest first within each list, with the distance said; streets are walked on the page of the way.
  function sort(lon, lat, name) {
    items.forEach(function (item) {
      var at = (item.getAttribute("data-at") || "").split(",").map(Number), far = item.querySelector("[data-far]");
      item.away = at.length === 2 ? here.metres(lon, lat, at[0], at[1]) : Infinity;
      far.textContent = isFinite(item.away) ? here.words("straight", Math.round(item.away / 10) * 10) : "";
    });
    var by = function (a, b) { return a.away - b.away; }, parts = [];
    Array.prototype.forEach.call(document.querySelectorAll(".places"), function (list) {
      var own = Array.prototype.slice.call(list.children).sort(by);
      own.forEach(function (item) { list.appendChild(item); });
      if (parts.indexOf(list.parentNode.parentNode) < 0) parts.push(list.parentNode.parentNode);
    });
    parts.forEach(function (part) {
      Array.prototype.slice.call(part.querySelectorAll(":scope > .group")).sort(function (a, b) {
        return by(a.querySelector(".place"), b.querySelector(".place"));
      }).forEach(function (group, at) { part.appendChild(group); if (at < 3) group.open = true; });
    });
    if (name) say(name);
  }
  function say(text, instead) {
    said.hidden = false;
    said.textContent = text;
    if (!instead) return;
    var link = document.createElement("a");
    link.href = "/" + here.language + "/communities/";
    link.className = "button quiet";
    link.textContent = here.words("choose");
    said.appendChild(document.createElement("br"));
    said.appendChild(link);
  }
  find.hidden = false;
  typed.addEventListener("input", function () { narrow(); offer(); });
  boxes.forEach(function (box) { box.addEventListener("change", narrow); });
  document.querySelector("[data-near]").addEventListener("click", function () {
    say(here.words("looking"));
    here.locate().then(function (at) {
      if (at.rough) { say(here.words("rough", at.accuracy), true); return; }
      sort(at.lon, at.lat, "");
      say(here.words("accuracy", at.accuracy));
    }, function (why) { say(here.words(why), true); });
  });
  narrow();
})();
