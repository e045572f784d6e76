// The archive's search on the device: words, tier, hazard, area, month, over one small file. Without this script the links by
// tier, hazard, area and month lead to everything.
(function () {
  "use strict";
  var form = document.querySelector("[data-past-search]"), MOST = 100, data = null, last = null;
  if (!form) return;
  var said = document.querySelector("[data-past-said]"), list = document.querySelector("[data-past-found]");
  var all = document.querySelector("[data-past-all]"), language = document.documentElement.lang.slice(0, 2);
  function plain(text) { return text.toLowerCase().normalize("NFKC").replace(/[\s·,，.。\-]+/g, ""); }
  function option(select, value, text) {
    var item = document.createElement("option");
    item.value = value;
    item.textContent = text;
    form.elements[select].appendChild(item);
  }
  function line(className, text) {
    var part = document.createElement("span");
    part.className = className;
    part.textContent = text;
    return part;
  }
  function fill() {
    var months = {};
    data.rows.forEach(function (row) { months[row[3].slice(0, 7)] = true; row.hay = plain(row[0] + row[5]); });
    Object.keys(data.tiers).forEach(function (key) {
      if (data.rows.some(function (row) { return row[1] === key; })) option("tier", key, data.tiers[key]);
    });
    Object.keys(data.hazards).sort().forEach(function (key) { option("hazard", key, data.hazards[key]); });
    data.regions.forEach(function (region, at) { option("region", at, region[1]); });
    Object.keys(months).sort().reverse().forEach(function (month) { option("month", month, month); });
  }
  function wanted(name) { return form.elements[name].value; }
  function look() {
    // Leaving a field says "changed" again: a list made anew just then would take the link away from under the finger.
    var question = String(new URLSearchParams(new FormData(form)));
    if (question === last) return;
    last = question;
    var words = wanted("q").split(/\s+/).map(plain).filter(Boolean), area = wanted("region");
    var asked = words.length || area !== "" || ["tier", "hazard", "month"].some(wanted);
    all.hidden = Boolean(asked);
    said.hidden = list.hidden = !asked;
    if (!asked) return;
    var found = data.rows.filter(function (row) {
      return (!wanted("tier") || row[1] === wanted("tier")) && (!wanted("hazard") || row[2] === wanted("hazard")) &&
        (!wanted("month") || row[3].indexOf(wanted("month")) === 0) && (area === "" || row[6].indexOf(Number(area)) >= 0) &&
        words.every(function (word) { return row.hay.indexOf(word) >= 0; });
    });
    list.textContent = "";
    found.slice(0, MOST).forEach(function (row) {
      var item = document.createElement("li"), link = document.createElement("a");
      link.href = "/" + language + "/warnings/" + row[0] + "/";
      link.textContent = row[5];
      item.appendChild(link);
      item.appendChild(line("soft", data.tiers[row[1]] + " · " + data.hazards[row[2]]));
      var state = line("soft", row[3] + " ");
      state.appendChild(line("over", said.getAttribute(row[4] ? "data-lifted" : "data-expired")));
      item.appendChild(state);
      list.appendChild(item);
    });
    said.textContent = !found.length ? said.getAttribute("data-none")
      : said.getAttribute(found.length > MOST ? "data-most" : "data-found").replace("#", found.length).replace("@", MOST);
    if (data.all > data.rows.length) said.textContent += " " + said.getAttribute("data-older");
    // The question is in the address, so that going back from a warning finds the same list.
    var query = new URLSearchParams(new FormData(form)), kept = new URLSearchParams();
    query.forEach(function (value, key) { if (value) kept.set(key, value); });
    history.replaceState(null, "", location.pathname + (String(kept) ? "#" + kept : ""));
  }
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  fetch(form.getAttribute("data-past-search"), { credentials: "same-origin" }).then(function (response) {
    if (!response.ok) throw new Error("no index");
    return response.json();
  }).then(function (got) {
    data = got;
    fill();
    form.hidden = false;
    new URLSearchParams(location.hash.slice(1)).forEach(function (value, key) { if (form.elements[key]) form.elements[key].value = value; });
    form.addEventListener("input", look);
    form.addEventListener("change", look);
    look();
  }).catch(function () {
    said.hidden = false;
    said.textContent = said.getAttribute("data-broken");
  });
})();
