"use strict";
// Charts are Vega-Lite's: the specification in charts.json (of ranks: ranks.json), filled with a chart's figures when it
// comes into view.
const specification = JSON.parse(document.getElementById("spec").textContent);
const figures = JSON.parse(document.getElementById("data").textContent);
const LINES = 8; // as many as style.css has
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 2], [1, 3], [10, 3], [6, 2, 1, 2]];
const lines = (of) => [...Array(LINES).keys()].map(of);

function rows(chart, names) {
  return chart.series.flatMap(({ x, y }, n) => {
    const dots = chart.order || x.length <= 3;
    return x.map((at, k) => ({ n: n % LINES, x: at, y: y[k], name: names[n], dot: dots }));
  });
}

function marks(chart, names) {
  const most = Math.max(...chart.series.flatMap(({ x }) => x.map(Number)));
  return chart.marks.map(({ n, x, what }, k) => ({
    n: n % LINES, x, what, name: names[n], left: x > most / 2, row: 2 + 12 * (k % 9),
  }));
}

function filled(chart, names) {
  const spec = structuredClone(specification.lines);
  const points = rows(chart, names);
  const [rule, line, dots, words] = spec.layer;
  spec.datasets = { points, marks: marks(chart, names) };
  const scale = chart.scale === "log" ? { type: "log" } : { type: chart.scale, zero: chart.zero };
  const axis = { format: chart.y === "operations" ? "~s" : ".4~g", grid: chart.scale === "linear" };
  for (const layer of [line, dots]) Object.assign(layer.encoding.y, { title: chart.y, scale, axis });
  line.encoding.strokeDash.scale = { domain: lines((n) => n), range: DASHES };
  spec.encoding.color.scale = { domain: lines((n) => n), range: lines((n) => `var(--line-${n})`) };
  spec.encoding.x.title = chart.x;
  const marked = chart.marks.length > 0; // Vega warns of layers without data
  spec.layer = [marked && rule, line, points.some(({ dot }) => dot) && dots, marked && words].filter(Boolean);
  if (chart.order) {
    spec.encoding.x = { field: "x", type: "ordinal", sort: chart.order, title: null, scale: { domain: chart.order } };
    spec.encoding.x.axis = { labelAngle: chart.order.length > 5 ? -45 : 0, labelOverlap: true };
  }
  return spec;
}

async function draw(figure) {
  if (figure.dataset.drawn) return;
  figure.dataset.drawn = "begun";
  const { section, chart } = figure.dataset;
  const names = [...document.getElementById(section).querySelectorAll("details.program h3")].map((one) => one.textContent);
  const options = { actions: false, renderer: "svg", ast: true, defaultStyle: false };
  try {
    const plot = figure.querySelector(".plot"); // it has the words for those who cannot see the drawing
    const shown = figures[section][chart];
    await vegaEmbed(plot, shown.key === "ranks" ? filledRanks(shown) : filled(shown, names), options);
    plot.querySelector("svg").setAttribute("aria-hidden", "true");
    figure.dataset.drawn = "done";
  } catch (error) {
    figure.dataset.drawn = "failed";
    figure.querySelector(".plot").textContent = `This chart could not be drawn: ${error.message}`;
    console.error(error);
  }
}

function drawAll() {
  return Promise.all([...document.querySelectorAll("figure.chart")].map(draw));
}

const inView = new IntersectionObserver(
  (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => { inView.unobserve(one.target); draw(one.target); }),
  { rootMargin: "400px" },
);
document.querySelectorAll("figure.chart").forEach((figure) => inView.observe(figure));
