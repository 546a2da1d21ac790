"use strict";

const byId = (id) => document.getElementById(id);
const lines = byId("lines");
const linesMax = 500;
let socket = null;
let wanted = null; // {nick, room}: entered again after a lost connection
let pause = 500; // milliseconds before the next attempt

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/live`);
  socket.onopen = () => {
    pause = 500;
    showState("connected");
    if (wanted) enter(wanted);
  };
  socket.onmessage = (event) => {
    for (const line of event.data.split("\n")) if (line) show(line);
  };
  socket.onclose = () => {
    showState("not connected; trying again…");
    allowTalk(false);
    setTimeout(connect, pause);
    pause = Math.min(pause * 2, 10000);
  };
}

function enter({ nick, room }) {
  wanted = { nick, room };
  lines.replaceChildren();
  socket.send(`/nick ${nick}`);
  socket.send(`/join ${room}`);
  showState(`in ${room} as ${nick}`);
  allowTalk(true);
  showRooms();
}

// "* what the server says", "~ what was said before", "NICK: what is said"
function show(line) {
  const item = document.createElement("li");
  const isNotice = line.startsWith("* ");
  const isOld = line.startsWith("~ ");
  const text = isNotice || isOld ? line.slice(2) : line;
  item.className = isNotice ? "notice" : isOld ? "old" : "said";
  const colon = text.indexOf(": ");
  if (!isNotice && colon > 0) {
    const nick = document.createElement("b");
    nick.textContent = text.slice(0, colon);
    if (wanted && nick.textContent === wanted.nick) item.classList.add("mine");
    item.append(nick, document.createTextNode(text.slice(colon + 2)));
  } else {
    item.textContent = text;
  }
  const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 60;
  lines.append(item);
  if (lines.children.length > linesMax) lines.firstChild.remove();
  if (atEnd) lines.scrollTop = lines.scrollHeight;
}

async function showRooms() {
  const answer = await fetch("/rooms").catch(() => null);
  if (!answer || !answer.ok) return;
  const items = (await answer.text()).split("\n").filter(Boolean).map((line) => {
    const [name, members] = line.slice(2).split(/:(.*)/s);
    const item = document.createElement("li");
    const count = members.trim().split(" ").filter(Boolean).length;
    item.textContent = name;
    item.dataset.count = count;
    item.classList.toggle("here", wanted !== null && name === wanted.room);
    item.onclick = () => {
      byId("room").value = name;
      byId("enter").requestSubmit();
    };
    return item;
  });
  byId("rooms").replaceChildren(...items);
}

function showState(text) {
  byId("state").textContent = text;
}

function allowTalk(on) {
  for (const each of byId("say").elements) each.disabled = !on;
}

byId("enter").onsubmit = (event) => {
  event.preventDefault();
  enter({ nick: byId("nick").value.trim(), room: byId("room").value.trim() });
  byId("line").focus();
};
byId("say").onsubmit = (event) => {
  event.preventDefault();
  socket.send(byId("line").value);
  byId("line").value = "";
};

connect();
showRooms();
setInterval(showRooms, 1000);
