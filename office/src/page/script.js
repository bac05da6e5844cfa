"use strict";
const live = document.getElementById("live");
const link = document.getElementById("link");
const source = new EventSource("/events" + location.search);
source.onmessage = (event) => { link.textContent = ""; live.innerHTML = event.data; };
source.onerror = () => { link.textContent = link.dataset.lost; };
