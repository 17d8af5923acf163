// Keys: j k Enter / e ? Esc. The single letters can be turned off (WCAG 2.1.4), Esc cannot.
import { closeMenus } from "./pops.js";

const help = document.getElementById("keys-help");
const on = document.documentElement.dataset.keys !== "off";
let at = -1;

const rows = () => [...document.querySelectorAll("[data-rows] tbody tr[data-open]")];

function move(step) {
  const all = rows();
  if (!all.length) return;
  const before = all[at];
  at = Math.min(all.length - 1, Math.max(0, at + step));
  before?.classList.remove("at");
  all[at].classList.add("at");
  all[at].querySelector("a.open")?.focus({ preventScroll: true });
  all[at].scrollIntoView({ block: "nearest" });
}

function writing(target) {
  return target instanceof HTMLElement && target.closest("input, select, textarea, [contenteditable]");
}

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("tr[data-open]");
  if (!row) return;
  const all = rows();
  all[at]?.classList.remove("at");
  at = all.indexOf(row);
  row.classList.add("at");
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (closeMenus()) event.preventDefault();
    else if (writing(event.target)) event.target.blur();
    return;
  }
  if (!on || event.ctrlKey || event.altKey || event.metaKey || writing(event.target) || help?.open) return;
  const act = {
    j: () => move(1),
    k: () => move(-1),
    "/": () => document.querySelector("[data-search]")?.focus(),
    e: () => document.querySelector("[data-export]")?.focus(),
    "?": () => help?.showModal(),
    Enter: () => {
      if (event.target !== document.body) return false;
      const link = rows()[at]?.querySelector("a.open");
      if (link) link.click();
      return Boolean(link);
    },
  }[event.key];
  if (act && act() !== false) event.preventDefault();
});
