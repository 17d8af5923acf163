// Completion of the word at the end of the search box, from the server's lists, through the box's own <datalist>.
const box = document.querySelector("[data-complete]");
const list = box && document.getElementById(box.getAttribute("list"));
let asked = 0;
let timer;

async function ask() {
  const number = ++asked;
  const url = new URL(box.dataset.complete, location.href);
  url.searchParams.set("q", box.value);
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok || number !== asked) return;
    const found = await answer.json();
    list.replaceChildren(
      ...found.completions.map((text) => {
        const option = document.createElement("option");
        option.value = text;
        return option;
      }),
    );
  } catch {
    // completion is a convenience: without it the box works as before
  }
}

if (box && list) {
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
  box.addEventListener("focus", ask, { once: true });
}
