// The theme as soon as it is chosen, and times in the browser's own zone.
const root = document.documentElement;

for (const form of document.querySelectorAll("form[data-display]")) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "theme") root.dataset.theme = event.target.value;
  });
}

const two = (number, width = 2) => String(number).padStart(width, "0");

function offset(time) {
  const minutes = -time.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(size / 60))}:${two(size % 60)}`;
}

function local(element) {
  const time = new Date(element.dateTime);
  if (Number.isNaN(time.getTime())) return;
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  element.textContent =
    "precise" in element.dataset ? `${day} ${clock}.${two(time.getMilliseconds(), 3)} ${offset(time)}` : `${day} ${clock}`;
}

export function localTimes(within) {
  if (root.dataset.zone !== "browser") return;
  within.querySelectorAll("time[datetime]").forEach(local);
}

localTimes(document);
