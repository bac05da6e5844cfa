// The hands' page: asks what the doors look like, and does what is clicked.
"use strict";

const LOOK_EVERY_MS = 400;
const WORDS = {
  open: ["开着", "open"], closed: ["关着", "closed"], inside: ["有信包", "envelope inside"], empty: ["空", "empty"],
  put: ["放入", "Put in"], take: ["取出", "Take out"], close: ["关门", "Close"], force: ["撬开", "Force"], jam: ["卡住", "Jam"], repair: ["修好", "Repair"], jammed: ["卡住了", "jammed"],
  "drop-off-pass": ["交件凭证", "Drop-off pass"], badge: ["揽收员工牌", "Courier's badge"], permit: ["待存证照", "Permit to place"],
  pin: ["密码", "PIN"], scan: ["扫描", "Scan"], code: ["取件码", "Pickup code"], spare: ["备用", "spare"],
  none: ["还没有。存件完成后,取件码会发到这里。", "None yet. When a permit has been placed, its pickup code comes here."],
  gone: ["演示已停止", "The demo has stopped"], door: ["号格口", "door"],
};
let english = !navigator.language.startsWith("zh");
let shown = "";
let troubleUntil = 0; // what went wrong stays to be read

const say = (word) => WORDS[word][english ? 1 : 0];
const box = (id) => document.getElementById(id);

function part(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(word, action, name) {
  const made = part("button", name, say(word));
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });
  troubleUntil = answer.ok ? 0 : performance.now() + 6000;
  if (!answer.ok) trouble(await answer.text());
  await look();
}

function trouble(text) {
  box("trouble").hidden = !text;
  box("trouble").textContent = text || "";
}

function doorPart(door) {
  const made = part("div", `door ${door.size}${door.open ? " open" : ""}${door.jammed ? " jammed" : ""}`);
  made.dataset.occupied = door.occupied;
  const top = part("div", "top");
  top.append(part("span", "number", door.number));
  top.append(part("span", "state", `${say(door.open ? "open" : door.jammed ? "jammed" : "closed")} · ${say(door.occupied ? "inside" : "empty")}`));
  made.append(top);
  const deeds = part("div", "deeds");
  const deed = (word, name) => deeds.append(button(word, () => post(`/doors/${door.number}/${word}`), name));
  if (door.open) {
    deed(door.occupied ? "take" : "put", "item");
    deed("close", "main");
  } else if (box("mischief").checked) {
    deed(door.jammed ? "repair" : "jam");
    deed("force");
  }
  made.append(deeds);
  return made;
}

function card(kind, lines, text) {
  const made = part("div", "card");
  made.dataset.kind = kind;
  const words = part("div");
  for (const [name, line] of lines) words.append(part("p", name, line));
  made.append(words, button("scan", () => post("/scan", { text })));
  return made;
}

function thingPart(thing) {
  const badge = typeof thing.kind === "object" ? thing.kind.badge : null;
  const kind = badge ? "badge" : thing.kind;
  const lines = [["", `${say(kind)} · ${thing.name}`]];
  if (badge) lines.push(["", `${say("pin")} ${badge.pin}`]);
  return card(kind, lines, thing.text);
}

function messagePart(message) {
  const digits = `${message.digits.slice(0, 4)} ${message.digits.slice(4)}`;
  return card("message", [["", `${say("code")} · ${message.consignment} · ${english ? `${say("door")} ${message.door}` : `${message.door} ${say("door")}`}`],
    ["digits", digits], ["", `${say("spare")} ${message.spare}`]], message.qr);
}

function draw(state) {
  box("kiosk").href = state.kiosk;
  box("office").href = state.office;
  box("doors").replaceChildren(...state.doors.map(doorPart));
  box("things").replaceChildren(...state.things.map(thingPart));
  const messages = state.messages.map(messagePart).reverse();
  box("messages").replaceChildren(...(messages.length ? messages : [part("p", "hint", say("none"))]));
  for (const fixed of document.querySelectorAll("[data-zh]")) fixed.textContent = english ? fixed.dataset.en : fixed.dataset.zh;
  for (const field of document.querySelectorAll("[data-zh-hint]")) field.placeholder = english ? field.dataset.enHint : field.dataset.zhHint;
  document.documentElement.lang = english ? "en" : "zh-CN";
}

async function look() {
  try {
    const answer = await fetch("/state");
    const text = await answer.text();
    if (!answer.ok) return trouble(text);
    if (performance.now() > troubleUntil) trouble("");
    if (text !== shown) { shown = text; draw(JSON.parse(text)); }
  } catch { trouble(say("gone")); }
}

box("language").addEventListener("click", () => { english = !english; shown = ""; look(); });
box("mischief").addEventListener("change", () => { shown = ""; look(); });
box("typed").addEventListener("submit", (event) => {
  event.preventDefault();
  post("/scan", { text: event.target.elements.text.value });
  event.target.reset();
});
for (const more of document.querySelectorAll("[data-get]")) more.addEventListener("click", () => post(`/things/${more.dataset.get}`));
setInterval(look, LOOK_EVERY_MS);
look();
