// What is shown: programs by outcome, finding and text; sections, tiles and rows follow their programs.
const programs = [...document.querySelectorAll("details.program")];
const form = document.querySelector(".filters");
const find = document.getElementById("find");
const code = document.getElementById("code");
const surprising = document.getElementById("surprising");
const changing = document.getElementById("changing");
const texts = new Map();

function text(program) {
  if (!texts.has(program)) {
    const section = program.closest("section.scenario");
    const around = [...section.querySelectorAll(":scope > h2, :scope > .guide")].map((one) => one.textContent).join(" ");
    texts.set(program, `${program.id} ${around} ${program.textContent}`.toLowerCase());
  }
  return texts.get(program);
}

function wanted(program, outcomes, words) {
  const { outcome, codes } = program.dataset;
  return (!outcomes.length || outcomes.includes(outcome))
    && (!code.value || codes.split(" ").includes(code.value))
    && (!surprising.checked || "surprising" in program.dataset)
    && words.every((word) => text(program).includes(word));
}

function applyFilters() {
  const outcomes = [...form.querySelectorAll("[name=outcome]:checked")].map((one) => one.value);
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = new Set();
  for (const program of programs) {
    program.hidden = !wanted(program, outcomes, words);
    if (!program.hidden) shown.add(program.id);
  }
  document.querySelectorAll("[data-program]").forEach((one) => {
    one.hidden = !shown.has(one.dataset.program) || (changing?.checked && one.matches("tr.same"));
  });
  document.querySelectorAll("section.scenario").forEach((one) => {
    one.hidden = !one.querySelector("details.program:not([hidden])");
  });
  document.querySelectorAll("tr[data-section]").forEach((one) => {
    one.hidden = document.getElementById(one.dataset.section).hidden;
  });
  const all = programs.length;
  document.getElementById("shown").textContent = shown.size === all ? `${all} programs` : `${shown.size} of ${all} programs`;
}

form.addEventListener("input", applyFilters);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => { if (changing) changing.checked = false; setTimeout(applyFilters); });
changing?.addEventListener("input", applyFilters);
