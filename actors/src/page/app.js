// Swaps in sections that the server rendered, and says when none come any more. It computes no figure.
"use strict";
(() => {
  const STALE_MS = 3000; // three times the period of a picture; the server knows the same
  const RETRY_MS = 5000; // a refused stream is asked for again
  const POLL_MS = 2000; // without a stream, whole pages are asked for
  const note = document.getElementById("stream");
  let taken = takenOf(document);
  let heard = document.body.classList.contains("stale") ? -Infinity : performance.now();
  let polls = null;

  function takenOf(root) {
    const banner = root.getElementById("banner");
    return banner ? Number(banner.dataset.taken) : 0;
  }

  // Only a newer picture counts as news.
  function swap(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const at = takenOf(fresh);
    if (!(at > taken)) return;
    taken = at;
    heard = performance.now();
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.getElementById(part.id);
      if (old && old.outerHTML !== part.outerHTML) old.replaceWith(document.adoptNode(part));
    }
    judge();
  }

  function judge() {
    const age = performance.now() - heard;
    const stale = age > STALE_MS;
    document.body.classList.toggle("stale", stale);
    const since = Number.isFinite(age) ? `${Math.floor(age / 1000)} s` : "a while";
    const text = stale ? `STALE: nothing newer for ${since}` : "newer figures every second";
    if (note.textContent !== text) note.textContent = text;
    const word = document.getElementById("banner").dataset.title;
    document.title = `${stale ? "STALE " : ""}${word} · btcbot`;
  }

  function poll() {
    fetch("/", { cache: "no-store" }).then((answer) => answer.text()).then(swap, () => {});
  }

  function listen() {
    const stream = new EventSource("/events");
    stream.addEventListener("picture", (event) => {
      clearInterval(polls);
      polls = null;
      swap(event.data);
    });
    stream.addEventListener("error", () => {
      if (stream.readyState !== EventSource.CLOSED) return; // it asks again by itself
      polls ??= setInterval(poll, POLL_MS);
      setTimeout(listen, RETRY_MS);
    });
  }

  setInterval(judge, 500);
  judge();
  listen();
})();
