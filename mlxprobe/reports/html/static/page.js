// Links into the page, the keyboard, light and dark, and paper.
function follow() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.closest("[hidden]")) form.reset();
  setTimeout(() => {
    if (target.matches("details")) target.open = true;
    target.scrollIntoView();
    (target.matches("details") ? target.querySelector("summary") : target).focus({ preventScroll: true });
  });
}
addEventListener("hashchange", follow);
follow();

function step(by) {
  const sections = [...document.querySelectorAll("section.scenario:not([hidden])")];
  const top = (one) => one.getBoundingClientRect().top - parseFloat(getComputedStyle(one).scrollMarginTop);
  const next = by > 0 ? sections.find((one) => top(one) > 2) : sections.reverse().find((one) => top(one) < -2);
  if (!next) return;
  next.scrollIntoView();
  next.focus({ preventScroll: true });
}

function toggle(details) {
  const open = !details.every((one) => one.open);
  details.forEach((one) => { one.open = open; });
}

function current() {
  const focused = document.activeElement.closest("section.scenario");
  const sections = [...document.querySelectorAll("section.scenario:not([hidden])")];
  return focused ?? sections.find((one) => one.getBoundingClientRect().bottom > innerHeight / 3);
}

const keys = {
  "/": () => { find.focus(); find.select(); },
  j: () => step(1),
  k: () => step(-1),
  o: () => toggle([...(current()?.querySelectorAll("details.program:not([hidden])") ?? [])]),
  Escape: () => form.reset(),
};
addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=search], select");
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key] || (typing && event.key !== "Escape")) return;
  event.preventDefault();
  keys[event.key]();
});

document.getElementById("open").addEventListener("click", (event) => {
  toggle(programs.filter((one) => !one.hidden));
  event.target.textContent = programs.some((one) => one.open) ? "Close all" : "Open all";
});
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme === "dark"
    || (!root.style.colorScheme && matchMedia("(prefers-color-scheme: dark)").matches);
  root.style.colorScheme = dark ? "light" : "dark";
});

let closed = [];
addEventListener("beforeprint", () => {
  drawAll();
  closed = programs.filter((one) => !one.open && !one.hidden);
  closed.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
