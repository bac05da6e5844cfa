// The page's half of the kiosk: shows what the daemon sends, sends what is touched. Keeps nothing.
"use strict";

const screenBox = document.getElementById("screen");
const goneBox = document.getElementById("gone");
const assets = document.body.dataset.assets;
const QUIET_MS = 15000; // three beats missed: the daemon is gone
const AGAIN_MS = 1500;
const LATE_MS = 30000;

let shown = null; // { session, revision }
let typed = "";
let lastSign = 0;
let goneSince = 0;
let follower = null;

function gone() {
  const out = screenBox.querySelector("[data-out]"); // said by the daemon before it went
  if (goneSince === 0) goneSince = performance.now() - (out ? LATE_MS + 1 : 0);
  shown = null;
  typed = "";
  screenBox.replaceChildren();
  goneBox.hidden = false;
  goneBox.classList.toggle("is-late", performance.now() - goneSince > LATE_MS);
}

function follow() {
  if (follower) follower.close();
  lastSign = performance.now();
  follower = new EventSource("/events");
  follower.addEventListener("beat", () => { lastSign = performance.now(); });
  follower.addEventListener("screen", (message) => { lastSign = performance.now(); show(JSON.parse(message.data)); });
  follower.onerror = () => { follower.close(); gone(); setTimeout(follow, AGAIN_MS); };
}

function show(frame) {
  if (frame.assets !== assets) { location.reload(); return; }
  const sameSession = shown && shown.session === frame.session;
  const sheet = sameSession && openSheet();
  shown = { session: frame.session, revision: frame.revision };
  typed = "";
  goneSince = 0;
  goneBox.hidden = true;
  screenBox.innerHTML = frame.html; // escaped by the daemon; the content policy allows no script in it
  for (const part of screenBox.querySelectorAll("[data-left]")) {
    part.ends = performance.now() + Number(part.dataset.left) * 1000;
  }
  const box = pad();
  if (box && box.dataset.wait) box.ends = performance.now() + Number(box.dataset.wait) * 1000;
  if (sheet && document.getElementById(sheet)) reveal(sheet); // another language, the same place
  draw();
  below();
  sound();
}

// What does not fit is said to go on below, and a touch on that goes there.
function below() {
  for (const part of screenBox.querySelectorAll(".scroll")) {
    const sign = document.createElement("button");
    sign.type = "button";
    sign.className = "below";
    sign.textContent = "▾";
    const look = () => {
      const rest = part.scrollHeight - part.clientHeight - part.scrollTop > 8;
      part.classList.toggle("more", rest);
      sign.hidden = !rest;
    };
    sign.addEventListener("click", () => part.scrollBy({ top: part.clientHeight * 0.8, behavior: "smooth" }));
    part.addEventListener("scroll", look);
    screenBox.querySelector(".main").append(sign);
    look();
  }
}

// The page is drawn for 1280 x 800; another window shows all of it, smaller or larger.
function fit() {
  const scale = Math.min(window.innerWidth / 1280, window.innerHeight / 800);
  screenBox.style.zoom = scale;
  screenBox.style.width = `${window.innerWidth / scale}px`;
  screenBox.style.height = `${window.innerHeight / scale}px`;
}

function openSheet() {
  const sheet = screenBox.querySelector(".sheet:not([hidden])");
  return sheet && sheet.id.startsWith("stage-") ? sheet.id : null;
}

function send(action) {
  if (!shown) return;
  const body = `{"session":${shown.session},"revision":${shown.revision},"action":${action}}`;
  screenBox.classList.add("sent");
  setTimeout(() => screenBox.classList.remove("sent"), 400);
  fetch("/tap", { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(gone);
}

function reveal(id) {
  const part = document.getElementById(id);
  if (!part) return;
  if (part.dataset.group) {
    for (const other of screenBox.querySelectorAll(`[data-group="${part.dataset.group}"]`)) other.hidden = other !== part;
    for (const tab of screenBox.querySelectorAll(".tab")) {
      const pressed = tab.dataset.show === id;
      tab.classList.toggle("pressed", pressed);
      tab.setAttribute("aria-pressed", String(pressed));
    }
  }
  part.hidden = false;
}

function pad() { return screenBox.querySelector("[data-pad]"); }

function press(key) {
  const box = pad();
  if (!box || box.ends > performance.now()) return;
  if (key === "clear") typed = "";
  else if (key === "erase") typed = typed.slice(0, -1);
  else if (key === "send") {
    if (typed.length < Number(box.dataset.min)) return;
    send(JSON.stringify({ do: box.dataset.pad, [box.dataset.pad]: typed }));
  } else if (typed.length < Number(box.dataset.max)) typed += key;
  draw();
}

// The cells of what is typed, in groups as people read them. How long a hidden number is, is nobody's business: it gets one cell more
// than it has digits.
function draw() {
  const box = pad();
  if (!box) return;
  const cells = box.querySelector(".cells");
  cells.replaceChildren();
  let place = 0;
  const hidden = "masked" in box.dataset;
  const open = Math.min(Number(box.dataset.max), Math.max(Number(box.dataset.min), typed.length + 1));
  const fours = Array.from({ length: Math.ceil(open / 4) }, (_, group) => Math.min(4, open - 4 * group));
  const groups = hidden ? fours : box.dataset.groups.split("-").map(Number);
  for (const size of groups) {
    const group = document.createElement("span");
    group.className = "group";
    for (let i = 0; i < size; i += 1, place += 1) {
      const cell = document.createElement("span");
      cell.className = "cell";
      const digit = typed[place];
      cell.textContent = digit === undefined ? "" : hidden ? "●" : digit;
      if (place === typed.length) cell.classList.add("next");
      group.append(cell);
    }
    cells.append(group);
  }
  const waiting = box.ends > performance.now();
  for (const key of screenBox.querySelectorAll("[data-key]")) key.disabled = waiting;
  const confirm = screenBox.querySelector("[data-key=send]");
  if (confirm) confirm.disabled = waiting || typed.length < Number(box.dataset.min);
}

// At an open door, a reminder that can be heard, but not at night.
function sound() {
  const alarm = screenBox.querySelector("[data-alarm]");
  const level = alarm ? Number(alarm.dataset.alarm) : 0;
  const hour = new Date().getHours();
  if (level === 0 || hour >= 22 || hour < 7 || !window.AudioContext) return;
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  volume.gain.value = level > 1 ? 0.5 : 0.15;
  tone.frequency.value = level > 1 ? 988 : 740;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + (level > 1 ? 0.9 : 0.3));
  tone.onended = () => audio.close();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || button.disabled) return;
  const { tap, key, show: opens, hide } = button.dataset;
  if (tap) send(tap);
  else if (key) press(key);
  else if (opens) reveal(opens);
  else if (hide) document.getElementById(hide).hidden = true;
});
document.addEventListener("keydown", (event) => {
  if (/^[0-9]$/.test(event.key)) press(event.key);
  else if (event.key === "Backspace") press("erase");
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") press("send");
});
document.addEventListener("contextmenu", (event) => event.preventDefault());

setInterval(() => {
  const now = performance.now();
  for (const part of screenBox.querySelectorAll("[data-left]")) {
    const left = Math.max(0, Math.ceil((part.ends - now) / 1000));
    if (part.textContent !== String(left)) part.textContent = String(left);
    if (left === 0 && part.parentElement.classList.contains("waiting")) { part.parentElement.hidden = true; draw(); }
  }
  if (goneSince > 0) gone();
  if (now - lastSign > QUIET_MS) { gone(); follow(); }
}, 250);
window.addEventListener("resize", fit);
fit();
follow();
