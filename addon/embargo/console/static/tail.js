// The live tail. New rows wait behind a button while the pointer or the focus is on the table, or while it is paused:
// no row ever moves under the pointer.
import { localTimes } from "./display.js";

const MOST = 500; // rows on the page; the oldest go
const panel = document.querySelector("[data-tail]");
const body = document.querySelector("[data-rows] tbody");
const say = (text) => {
  document.getElementById("announcements").textContent = text;
};

if (panel && body && "EventSource" in window) {
  panel.hidden = false;
  const toggle = panel.querySelector("[data-tail-toggle]");
  const more = panel.querySelector("[data-tail-more]");
  const state = panel.querySelector("[data-tail-state]");
  const table = body.closest("table");
  let source = null;
  let paused = false;
  let waiting = []; // texts of rows, the oldest first

  const busy = () =>
    paused || table.matches(":hover") || (table.contains(document.activeElement) && document.activeElement !== document.body);

  function tell() {
    more.hidden = waiting.length === 0;
    more.textContent = `${waiting.length} new`;
    state.textContent = source === null ? "" : paused ? "paused" : waiting.length ? "waiting while you read" : "live";
  }

  function flush() {
    for (const text of waiting) {
      const holder = document.createElement("template");
      holder.innerHTML = text;
      localTimes(holder.content);
      for (const row of holder.content.querySelectorAll("tr")) row.classList.add("fresh");
      body.prepend(holder.content);
    }
    if (waiting.length) say(`${waiting.length} new rows`);
    waiting = [];
    while (body.rows.length > MOST) body.lastElementChild.remove();
    document.querySelector("[data-tail-table]").hidden = body.rows.length === 0;
    document.querySelector("[data-tail-empty]")?.toggleAttribute("hidden", body.rows.length > 0);
    tell();
  }

  function take(event) {
    waiting.push(...JSON.parse(event.data).rows);
    if (waiting.length > MOST) waiting = waiting.slice(-MOST);
    if (busy()) tell();
    else flush();
  }

  function start() {
    source = new EventSource(panel.dataset.tail);
    source.addEventListener("rows", take);
    source.addEventListener("error", () => {
      state.textContent = source?.readyState === EventSource.CLOSED ? "the connection is closed; start it again" : "connecting again";
    });
    source.addEventListener("refused", (event) => {
      source.close();
      source = null;
      paused = false;
      toggle.textContent = "Start live tail";
      state.textContent = JSON.parse(event.data).message;
    });
    paused = false;
    toggle.textContent = "Pause";
    tell();
  }

  toggle.addEventListener("click", () => {
    if (source === null || source.readyState === EventSource.CLOSED) return start();
    paused = !paused;
    toggle.textContent = paused ? "Go on" : "Pause";
    if (!paused && !busy()) flush();
    tell();
  });
  more.addEventListener("click", flush);
  window.addEventListener("pagehide", () => source?.close());
  if (panel.dataset.start === "yes") start();
}
