// What pages that change by themselves have in common: building, keeping one's place, following.
// They are complete without it. Each page gets this and one of `article.js` and `front.js`, as one
// file; those say what is at `liveUrl` and `askUrl`, how to `take` it, what to do on having `joined`
// the stream, what to `look` after, and of what else the hour is to be seen to (`passed`).
const byId = (id) => document.getElementById(id);
const set = (id, ...children) => byId(id)?.replaceChildren(...children);
const topOf = (element) => element.getBoundingClientRect().top;
const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function tick() {
  for (const span of document.querySelectorAll(".ago")) {
    const when = new Date(span.parentNode.querySelector("time").dateTime);
    const minutes = Math.trunc((Date.now() - when) / 60000);
    span.textContent = minutes > 59 ? "" : minutes > 0 ? `${minutes}\u00a0min\u00a0ago` : "just\u00a0now";
  }
  passed();
}

// Change the page, and leave what is a third down the screen where it is. Only a reader who has not
// scrolled, and sees the list there, is shown what is new in it.
function keepPlace(change) {
  const blocks = [...document.querySelectorAll("h1, #body > *, .update, li[id]")]
    .filter((element) => element.getBoundingClientRect().bottom > innerHeight / 3)
    .map((element) => [element, topOf(element)]);
  const now = ([element]) => (element.isConnected ? element : byId(element.id));
  const focus = document.activeElement;
  const home = focus.closest("[id]");
  change();
  const kept = blocks.find(now);
  if (kept && (scrollY || kept[0].closest("#body"))) scrollBy(0, topOf(now(kept)) - kept[1]);
  if (!focus.isConnected) byId(home?.id)?.querySelector("a")?.focus({ preventScroll: true });
}

let over, paused, line, nap, hurry, heard;
let failures = 0;
let wake = () => {};

const pause = (seconds) =>
  new Promise((done) => {
    wake = done;
    setTimeout(done, hurry ? 0 : seconds * (500 + Math.random() * 1000));
    hurry = false;
  });

// Begin the next round of `follow` at once.
function again() {
  hurry = true;
  line.abort();
  wake();
}

// Fetch and *read*; false where nothing comes through for a while.
async function call(url, read) {
  const own = (line = new AbortController());
  let timer;
  const patience = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(), seconds * 1000);
  };
  patience(15);
  try {
    return await read(await fetch(url, own), patience);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function judge(answer) {
  const known = answer.ok || answer.status === 410;
  if (known && answer.status !== 204) take(await answer.json());
  return known;
}

// Read changes until the stream ends. True: it was of use, and did not break off or fall silent,
// although the server says something every fifteen seconds.
async function hear(answer, patience) {
  if (!answer.ok) return judge(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return heard;
    if (!heard) joined(connected((heard = true)));
    patience(40);
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const data = /^data: (.*)/m.exec(frame);
      if (data) take(JSON.parse(data[1]), frame);
    }
  }
}

function connected(yes) {
  failures = yes ? 0 : failures + 1;
  showState();
}

function showState() {
  if (over) return;
  const word = paused ? "Paused" : failures > 1 ? "Offline" : closed() ? "Ended" : "Live";
  byId("state").className = `state ${word.toLowerCase()}`;
  set("state", word);
}

// Stream; where that comes to nothing or breaks off, ask. A hidden tab, and a coverage that has ended
// and whose stream has, only ask now and then.
async function follow() {
  for (let first = true; !over; first = false) {
    const resting = document.hidden || (!first && closed());
    heard = false;
    const ended = !resting && (await call(liveUrl(), hear));
    const answered = ended || over || (await call(askUrl(), judge));
    connected(answered);
    await pause(!answered ? Math.min(2 ** failures, 20) : resting ? 300 : heard ? 2 : 15);
  }
}

// A line that was open while nobody looked, or that another network held, may be dead and not know.
function back() {
  failures = 0;
  again();
  tick();
  look();
}

document.onvisibilitychange = () => {
  clearTimeout(nap);
  document.hidden ? (nap = setTimeout(again, 60000)) : back();
};
window.ononline = back;
window.onpageshow = ({ persisted }) => persisted && back();
window.onoffline = window.onpagehide = () => line.abort();
byId("pause").onclick = () => {
  paused = !paused;
  set("pause", paused ? "Resume" : "Pause");
  showState();
  if (!paused) again();
};
setInterval(tick, 20000);
