// Searches on the phone, in the files that the service worker keeps: the same words, the same order as the server finds
// (portal/guides/search). Without this script, or before its files are there, the form asks the server.
(function () {
  "use strict";
  var CHINESE = "\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
  var RUN = new RegExp("[" + CHINESE + "]+|[a-z0-9]+", "gu"), IS = new RegExp("^[" + CHINESE + "]", "u");
  var AROUND = /怎么办|怎么做|怎么|怎样|如何|什么|哪里|哪儿|哪些|应该|请问|的时候|时候|[吗呢么了的]/g;
  var SMALL = " a an the of in on at to for and or is are do does i my we me what how when where should can if with during after before ";
  var WEIGHTS = [6, 4, 1], GUIDES_FIRST = 1.5, WHOLE = 8, MOST = 10, BEFORE = 24, LONGEST = 60, MOST_RUNS = 8;

  function fold(text) {
    return Array.from(text).map(function (c) {
      var point = c.codePointAt(0);
      if (point >= 0xff01 && point <= 0xff5e) c = String.fromCodePoint(point - 0xfee0);
      var lower = c.toLowerCase();
      return lower.length === c.length ? lower : c;
    }).join("");
  }
  function isChinese(run) { return IS.test(run); }
  function runs(folded) { return folded.match(RUN) || []; }
  function grams(run) {
    var all = Array.from(run);
    if (!isChinese(run) || all.length === 1) return [run];
    return all.slice(1).map(function (c, n) { return all[n] + c; });
  }
  function asked(query) {
    var folded = fold(Array.from(query).slice(0, LONGEST).join(""));
    var found = runs(folded.replace(AROUND, " ")).filter(function (run) { return SMALL.indexOf(" " + run + " ") < 0; });
    return Array.from(new Set(found.length ? found : runs(folded))).slice(0, MOST_RUNS);
  }
  function stemOf(word) { return word.length > 3 && word.slice(-1) === "s" ? word.slice(0, -1) : word; }

  function makeIndex(documents) {
    var postings = new Map(), folded = documents.map(function (d) { return [fold(d.title), fold(d.keywords), fold(d.text)]; });
    folded.forEach(function (fields, number) {
      fields.forEach(function (text, field) {
        runs(text).forEach(function (run) {
          grams(run).forEach(function (gram) {
            var own = postings.get(gram);
            if (!own) postings.set(gram, own = new Map());
            own.set(number, Math.max(own.get(number) || 0, WEIGHTS[field]));
          });
        });
      });
    });
    function scored(gram) {
      var own = postings.get(gram) || new Map(), rare = Math.log(1 + documents.length / Math.max(1, own.size)), found = new Map();
      own.forEach(function (weight, number) { found.set(number, rare * weight); });
      return found;
    }
    function beginning(word) {
      if (word.length < 3) return postings.has(word) ? [word] : [];
      return Array.from(postings.keys()).filter(function (one) { return !isChinese(one) && one.indexOf(word) === 0; });
    }
    function ofWord(word) {
      var scores = new Map(), stem = stemOf(word);
      beginning(stem).forEach(function (one) {
        scored(one).forEach(function (score, number) { scores.set(number, Math.max(scores.get(number) || 0, score)); });
      });
      scores.forEach(function (score, number) {
        if (runs(folded[number][0]).map(stemOf).indexOf(stem) >= 0) scores.set(number, score + WHOLE);
      });
      return scores;
    }
    function ofRun(run) {
      if (!isChinese(run)) return ofWord(run);
      var scores = new Map();
      if (Array.from(run).length === 1) {
        folded.forEach(function (fields, number) {
          var weight = Math.max.apply(null, fields.map(function (text, n) { return text.indexOf(run) >= 0 ? WEIGHTS[n] : 0; }));
          if (weight) scores.set(number, weight);
        });
        return scores;
      }
      var pairs = grams(run), count = new Map(), need = Math.floor((pairs.length + 1) / 2);
      pairs.forEach(function (pair) {
        scored(pair).forEach(function (score, number) {
          count.set(number, (count.get(number) || 0) + 1);
          scores.set(number, (scores.get(number) || 0) + score);
        });
      });
      Array.from(scores.keys()).forEach(function (number) {
        if (count.get(number) < need) scores.delete(number);
        else if (folded[number][0].indexOf(run) >= 0) scores.set(number, scores.get(number) + WHOLE);
      });
      return scores;
    }
    return function (query) {
      var scores = new Map(), matched = new Map(), most = 0;
      asked(query).forEach(function (run) {
        ofRun(run).forEach(function (score, number) {
          scores.set(number, (scores.get(number) || 0) + score);
          matched.set(number, (matched.get(number) || 0) + 1);
          most = Math.max(most, matched.get(number));
        });
      });
      return Array.from(scores.keys()).filter(function (n) { return matched.get(n) === most; }).map(function (n) {
        var score = scores.get(n) * (documents[n].kind === "guide" ? GUIDES_FIRST : 1);
        return { document: documents[n], number: n, score: Math.round(score * 1e6) / 1e6 };  // the last digits differ between machines
      }).sort(function (a, b) { return b.score - a.score || a.number - b.number; });  // older browsers leave no order among equals
    };
  }

  function spans(folded, words) {
    var found = [];
    words.forEach(function (run) {
      if (isChinese(run)) {
        (folded.indexOf(run) >= 0 ? [run] : grams(run)).forEach(function (part) {
          for (var at = folded.indexOf(part); at >= 0; at = folded.indexOf(part, at + part.length)) found.push([at, at + part.length]);
        });
      } else {
        var stem = stemOf(run);
        var word = new RegExp("(^|[^a-z0-9])(" + stem + (run.length < 3 ? "" : "[a-z0-9]*") + ")(?![a-z0-9])", "g"), match;
        while ((match = word.exec(folded))) {
          found.push([match.index + match[1].length, match.index + match[0].length]);
        }
      }
    });
    found.sort(function (a, b) { return a[0] - b[0] || a[1] - b[1]; });
    return found.reduce(function (joined, span) {
      var last = joined[joined.length - 1];
      if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
      else joined.push(span);
      return joined;
    }, []);
  }
  function marked(text, words) {
    var pieces = [], at = 0;
    spans(fold(text), words).forEach(function (span) {
      if (span[0] > at) pieces.push([text.slice(at, span[0]), false]);
      pieces.push([text.slice(span[0], span[1]), true]);
      at = span[1];
    });
    if (at < text.length) pieces.push([text.slice(at), false]);
    return pieces;
  }
  // Counted in characters, of which a rare one is two units of the string and must not be cut.
  function excerpt(text, words, language) {
    var all = Array.from(text), first = spans(fold(text), words)[0];
    var start = first ? Math.max(0, Array.from(text.slice(0, first[0])).length - BEFORE) : 0;
    if (start && language === "en") {
      var space = all.slice(start, start + BEFORE).indexOf(" ");
      if (space >= 0) start += space + 1;
    }
    var end = start + (language === "en" ? 180 : 90), pieces = marked(all.slice(start, end).join("").trim(), words);
    return (start ? [["…", false]] : []).concat(pieces, end < all.length ? [["…", false]] : []);
  }
  function documentsOf(said) {
    return said.documents.map(function (row) { return { kind: said.kinds[row[0]], path: row[1], title: row[2], keywords: row[3], text: row[4] }; });
  }
  if (typeof module !== "undefined") module.exports = { asked: asked, makeIndex: makeIndex, excerpt: excerpt, marked: marked, documentsOf: documentsOf };
  if (typeof document === "undefined") return;

  var box = document.getElementById("found"), input = document.getElementById("q"), find = null, wait = 0;
  if (!box || !input || !window.fetch) return;
  var language = box.dataset.language, nothing = document.getElementById("nothing"), advice = document.getElementById("advice");

  function element(name, className) { var made = document.createElement(name); if (className) made.className = className; return made; }
  function write(into, pieces) {
    pieces.forEach(function (piece) {
      var part = piece[1] ? element("mark") : null, text = document.createTextNode(piece[0]);
      if (part) part.appendChild(text);
      into.appendChild(part || text);
    });
    return into;
  }
  function group(kind, documents, words) {
    var section = element("section"), heading = element("h2"), list = element("ul", "rows results");
    heading.id = "f-" + kind;
    heading.textContent = box.dataset[kind];
    section.setAttribute("aria-labelledby", heading.id);
    section.appendChild(heading);
    documents.slice(0, MOST).forEach(function (d) {
      var row = element("li"), link = element("a");
      link.href = d.path;
      row.appendChild(write(link, marked(d.title, words)));
      row.appendChild(document.createTextNode(" "));
      row.appendChild(write(element("span", "soft"), excerpt(d.text, words, language)));
      list.appendChild(row);
    });
    section.appendChild(list);
    if (documents.length > MOST) {
      var more = element("p", "soft");
      more.textContent = box.dataset.more.replace("#", documents.length - MOST);
      section.appendChild(more);
    }
    return section;
  }
  function show(query) {
    var hits = query ? find(query) : [], words = asked(query), groups = new Map();
    hits.forEach(function (hit) {
      var kind = hit.document.kind;
      groups.set(kind, (groups.get(kind) || []).concat(hit.document));
    });
    box.textContent = "";
    if (hits.length) {
      var status = element("p");
      status.setAttribute("role", "status");
      status.textContent = box.dataset.count.replace("#", hits.length);
      box.appendChild(status);
    }
    groups.forEach(function (documents, kind) { box.appendChild(group(kind, documents, words)); });
    nothing.hidden = !query || hits.length > 0;
    advice.hidden = hits.length > 0;
  }
  function load() {
    function one(url) { return fetch(url).then(function (answer) { if (!answer.ok) throw new Error(url); return answer.json(); }).then(documentsOf); }
    return Promise.all([one("/search/" + language + ".json"), one("/search/lessons-" + language + ".json").catch(function () { return []; })])
      .then(function (both) { find = makeIndex(both[0].concat(both[1])); });
  }
  var first = new URLSearchParams(location.search).get("q") || "";
  if (!box.hasAttribute("data-served")) input.value = first;
  load().then(function () {
    if (first && !box.hasAttribute("data-served")) show(first.trim());
    input.addEventListener("input", function () {
      clearTimeout(wait);
      wait = setTimeout(function () { show(input.value.trim()); }, 150);
    });
    input.form.addEventListener("submit", function (event) {
      event.preventDefault();
      clearTimeout(wait);
      show(input.value.trim());
      history.replaceState(null, "", "?q=" + encodeURIComponent(input.value.trim()));
    });
    document.documentElement.setAttribute("data-search", "ready");
  }).catch(function () { return undefined; });  // the form asks the server
})();
