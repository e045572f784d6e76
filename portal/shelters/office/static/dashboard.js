// People in shelters over time, as a line. The table below it says the same without this file.
(() => {
  "use strict";
  const place = document.getElementById("occupancy");
  if (!place || typeof uPlot === "undefined") return;
  const series = JSON.parse(place.dataset.series);
  if (series.at.length < 2) { place.hidden = true; return; }
  const size = () => ({width: Math.max(260, place.clientWidth), height: 260});
  const ink = "#0b5876", soft = "#4a5866", line = "#d5dbe1", font = "13px system-ui, sans-serif";
  const axis = {stroke: soft, font, grid: {stroke: line, width: 1}, ticks: {stroke: line, width: 1}};
  const chart = new uPlot({
    ...size(), cursor: {drag: {x: false, y: false}}, legend: {live: true},
    scales: {x: {time: false}, y: {range: (_u, _min, max) => [0, Math.max(10, max * 1.1)]}},
    axes: [{...axis, space: 90, values: (_u, ticks) => ticks.map((at) => nearest(at).slice(6))}, {...axis, size: 60}],
    series: [{label: place.dataset.time, value: (_u, at) => (at === null ? "—" : nearest(at))}, {label: place.dataset.label, stroke: ink, width: 2, fill: "rgba(11, 88, 118, .12)", points: {show: false}}],
  }, [series.at, series.people], place);
  // The words of a moment were written on the server, in the district's zone.
  function nearest(at) {
    let best = 0;
    for (let i = 1; i < series.at.length; i += 1) if (Math.abs(series.at[i] - at) < Math.abs(series.at[best] - at)) best = i;
    return series.words[best];
  }
  addEventListener("resize", () => chart.setSize(size()));
})();
