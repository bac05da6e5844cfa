"use strict";
const live = document.getElementById("live");
const link = document.getElementById("link");
// The hub says UTC; an operator's clock on the wall does not. Swedish writes times like the hub: 2026-01-31 09:05:07.
const local = () => {
  for (const time of document.querySelectorAll("time")) {
    time.title = time.textContent;
    time.textContent = new Date(time.dateTime).toLocaleString("sv-SE");
  }
};
local();
const source = new EventSource("/events" + location.search);
source.onmessage = (event) => { link.textContent = ""; live.innerHTML = event.data; local(); };
source.onerror = () => { link.textContent = link.dataset.lost; };
