// The timeline of ranks: its own layers, in the charts' style.
const ROW = 46;
function filledRanks(chart) {
  const { layer, encoding, ...style } = specification.lines;
  const spec = { ...style, ...structuredClone(specification.ranks), height: ROW * chart.ranks.length + 40 };
  spec.datasets = { spans: chart.spans, waits: chart.waits, words: chart.words };
  spec.layer = spec.layer.filter(({ data }) => spec.datasets[data.name].length); // Vega warns of layers without data
  spec.encoding.y.scale = { domain: chart.ranks };
  spec.encoding.x.scale = { domain: chart.domain, nice: false, zero: false };
  spec.layer.filter(({ mark }) => mark.type !== "text").forEach(({ mark }) => { mark.clip = true; });
  return spec;
}
