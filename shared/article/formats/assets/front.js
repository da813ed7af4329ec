// Latest News. What this builds is what the templates build.
const list = byId("coverages");
const first = byId("front").dataset.page === "1";
const killed = new Set();
let cursor = "";

const closed = () => false;
const liveUrl = () => `/live${cursor && `?since=${cursor}`}`;
const askUrl = () => "/latest.json";
const catchUp = () => fetch(askUrl()).then(judge).catch(() => {});
// A stream that begins nowhere does not tell what came before it.
const passed = () => {};
const joined = () => cursor || catchUp();
const timeOf = (element) => new Date(element.querySelector("time").dateTime);

function make(tag, facts, ...children) {
  const element = document.createElement(tag);
  for (const name in facts) element.setAttribute(name, facts[name]);
  element.append(...children.flat().filter(Boolean));
  return element;
}

// CLDR's short date, but with all of the year, and its time with seconds.
function moment(stamp, { locale, timezone: timeZone }) {
  const when = new Date(stamp);
  const year = when.toLocaleString("en", { timeZone, year: "numeric" });
  const shown = (form) =>
    new Intl.DateTimeFormat(`${locale}-u-ca-gregory-nu-latn`, { timeZone, ...form })
      .formatToParts(when)
      .map(({ type, value }) => (type === "year" ? year : value))
      .join("")
      .replace(/[\u202f\u00a0]/g, " ");
  const [day, time] = [shown({ dateStyle: "short" }), shown({ timeStyle: "medium" })];
  return make("time", { datetime: stamp }, `${day}, ${time}`);
}

const ago = () => make("span", { class: "ago" });

function item(head) {
  const word = head.status === "closed" ? "Ended" : "Live";
  return make(
    "li", { id: `a-${head.article}`, class: head.status, "data-version": head.version },
    make("a", { href: `/articles/${head.article}`, dir: "auto" }, head.headline),
    make(
      "p", { class: "meta", lang: "en" },
      make("span", { class: `state ${word.toLowerCase()}` }, word),
      ` ${plural(head.update_count, "update")} · `, moment(head.updated_at, head), " ", ago(),
    ),
  );
}

// The last updated stands first. Further pages only keep what they have as it is now.
function show(head) {
  const old = byId(`a-${head.article}`);
  if (head.status === "killed") return old?.remove(killed.add(head.article));
  const one = item(head);
  if (!first) return old?.replaceWith(one);
  old?.remove();
  list.insertBefore(one, [...list.children].find((other) => timeOf(other) <= timeOf(one)) || null);
  if (document.querySelector(".pages")) list.children[50]?.remove();
  if (!old) set("news", `New: ${head.headline}`);
}

// A list may have been made before what the stream has told since it was asked for.
function showAll(heads) {
  const newest = (head) => {
    const old = byId(`a-${head.article}`);
    return old?.dataset.version > head.version ? old : item(head);
  };
  list.replaceChildren(...heads.filter(({ article }) => !killed.has(article)).map(newest));
}

function look() {
  document.querySelector(".none").hidden = list.children.length > 0;
}

function take(news, frame) {
  const id = /^id: (.*)/m.exec(frame);
  if (id) cursor = id[1];
  if (paused) return;
  keepPlace(() => {
    if (news.head) show(news.head);
    else if (news.articles && first) showAll(news.articles);
  });
  if (news.reset) catchUp();
  tick();
  look();
}

tick();
follow();
