// Keeps an open card page up to date. Without this script the page is whole, and stands still.
const COUNT_MS = 700;
const AGAIN_MS = 30_000;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const live = document.getElementById("live");
const liveText = document.getElementById("live-text");
const news = document.getElementById("news");
const main = () => document.getElementById("page");

function tell(isLive) {
  live.hidden = false;
  live.classList.toggle("waiting", !isLive);
  liveText.textContent = isLive ? "live" : "reconnecting";
}

// Writes each number between the old one and the new one; the server's own text comes last.
function count(element, from, locale) {
  const to = Number(element.dataset.count), text = element.textContent;
  if (from === to || still.matches) return;
  const started = performance.now(), number = new Intl.NumberFormat(locale);
  const step = (now) => {
    const part = Math.min(1, (now - started) / COUNT_MS), eased = 1 - (1 - part) ** 3;
    element.textContent = part < 1 ? number.format(Math.round(from + (to - from) * eased)) : text;
    if (part < 1) requestAnimationFrame(step);
  };
  element.classList.add("changed");
  requestAnimationFrame(step);
}

async function refresh() {
  const answer = await fetch(location.pathname, { cache: "no-store" });
  if (answer.status === 404) return location.reload();
  if (!answer.ok) return again(Number(answer.headers.get("Retry-After")) * 1_000 || AGAIN_MS);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("page");
  const old = main(), before = old.querySelector("[data-count]");
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  const added = page.querySelectorAll("details").length - open.length;
  old.replaceWith(document.adoptNode(page));
  page.querySelectorAll("details").forEach((one, index) => { one.open = Boolean(open[index - added]); });
  const after = page.querySelector("[data-count]");
  if (before && after) count(after, Number(before.dataset.count), page.dataset.locale);
  news.textContent = page.querySelector("h1").textContent;
}

let refreshing = Promise.resolve();

function again(after) {
  tell(false);
  setTimeout(() => refresh().then(() => tell(true), () => again(AGAIN_MS)), after);
}

function listen() {
  const stream = new EventSource(main().dataset.live);
  stream.addEventListener("card", (event) => {
    tell(true);
    refreshing = refreshing.then(() => event.data === main().dataset.state || refresh()).catch(() => tell(false));
  });
  stream.addEventListener("error", () => {
    tell(false);
    if (stream.readyState !== EventSource.CLOSED) return;
    refresh().catch(() => {});
    setTimeout(listen, AGAIN_MS);
  });
}

listen();
