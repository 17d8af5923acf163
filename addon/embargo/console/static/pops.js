// Menus made of <details>: one open at a time, closed by Esc (the focus goes back) and by a click elsewhere.
const menus = "details.pop, details.cell";

document.addEventListener(
  "toggle",
  (event) => {
    if (!(event.target instanceof HTMLDetailsElement) || !event.target.matches(menus) || !event.target.open) return;
    for (const other of document.querySelectorAll(menus)) {
      if (other !== event.target && !other.contains(event.target)) other.open = false;
    }
    within(event.target);
  },
  true,
);

// Keeps the sheet on the screen: one near the right edge opens to the left.
function within(menu) {
  const sheet = menu.querySelector(".sheet");
  if (!sheet) return;
  sheet.classList.remove("flip");
  if (sheet.getBoundingClientRect().right > document.documentElement.clientWidth - 4) sheet.classList.add("flip");
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(menus)) {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  }
});

export function closeMenus() {
  let closed = false;
  for (const menu of document.querySelectorAll(menus)) {
    if (!menu.open) continue;
    const focused = menu.contains(document.activeElement);
    menu.open = false;
    if (focused) menu.querySelector("summary").focus();
    closed = true;
  }
  return closed;
}
