// An article, a page of its updates, or the list of its corrections. What arrives is HTML that the
// templates have made; this puts it in its place.
const page = byId("article");
const whole = !page.dataset.page;
let title = document.title;

const closed = () => page.className === "closed";
const address = (what) => `/articles/${page.dataset.article}/${what}?form=html&since=${page.dataset.cursor}`;
const liveUrl = () => address("live");
const askUrl = () => address("changes");
const passed = () => keepPromise(document.querySelector("[data-overdue]"), document.querySelector("#updated time"));

function fresh(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}

// Elements that stay as they are stay where they are, and folded if they were.
function show(id, html) {
  const home = byId(id);
  const old = [...(home?.children || [])];
  const plain = (element) => element.outerHTML?.replace(' open=""', "");
  const parts = [...fresh(html).childNodes].map((part) => {
    const at = old.findIndex((each) => plain(each) === plain(part));
    return at < 0 ? part : old.splice(at, 1)[0];
  });
  set(id, ...parts);
}

// See which updates have come into view, and tell of the others.
function look() {
  const unseen = [...document.querySelectorAll("[data-new]")].filter((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    if (document.hidden || top > innerHeight - 64 || bottom < 0) return true;
    delete element.dataset.new;
  });
  const [first] = unseen;
  const toast = byId("toast");
  document.title = (first ? `(${unseen.length}) ` : "") + title;
  toast.hidden = !first;
  if (!first) return;
  toast.href = `#${first.id}`;
  toast.className = topOf(first) < 0 ? "up" : "";
  set("toast", plural(unseen.length, "new update"));
}

// Put an element among the *rest* by its number.
function insert(home, element, rest, turn) {
  const next = rest.find((each) => (each.dataset.number - element.dataset.number) * turn > 0);
  home.insertBefore(element, next || null);
}

// An article's page has its newest updates, and those it has had since it was loaded. A page of
// updates keeps those it has.
function place({ kind, html, sources = "" }, first) {
  const list = byId("updates");
  const [element, source] = [html, sources].map((each) => fresh(each).firstChild);
  const [old, oldSource] = [byId(element.id), byId(`from-${element.id.slice(2)}`)];
  const { number } = element.dataset;
  const rest = [...list.children].filter((each) => each !== old && !(whole && each.matches(".pinned")));
  const pinned = whole && element.matches(".pinned");
  const stays = whole ? pinned || number >= first || rest.some((each) => each.dataset.number < number) : old;
  if (kind !== "retracted" && (old ? old.matches("[data-new]") : kind === "added")) element.dataset.new = "";
  old?.remove();
  oldSource?.remove();
  if (!stays) return;
  if (pinned) list.prepend(element);
  else insert(list, element, rest, list.dataset.order === "newest-first" ? -1 : 1);
  if (source) insert(byId("sources"), source, [...byId("sources").children], 1);
}

function apply({ parts, updates, first, state, to, at }) {
  keepPlace(() => {
    byId("data")?.remove();
    page.className = state;
    for (const id in parts) show(id, parts[id]);
    if (byId("updates")) for (const each of updates) place(each, first);
  });
  if (parts.corrections && byId("all-corrections")) return startOver();
  if (whole) title = byId("headline").textContent;
  page.dataset.cursor = `${to}.${at}`;
  const added = updates.filter(({ kind }) => kind === "added").length;
  set("news", added ? plural(added, "new update") : "The article has changed");
  showState();
  tick();
  look();
}

function withdraw({ html }) {
  over = true;
  byId("data")?.remove();
  document.title = "Withdrawn";
  page.className = "message";
  page.innerHTML = html;
  set("news", "Withdrawn");
}

// Load the page anew; where that has just been in vain, not at once.
function startOver() {
  over = true;
  const { cursor } = page.dataset;
  setTimeout(() => location.reload(), history.state === cursor ? 30000 : Math.random() * 1000);
  history.replaceState(cursor, "");
}

// Whoever has been away may look at headlines of articles that have been killed meanwhile.
let joins = 0;
async function joined() {
  const answer = joins++ && (await fetch("/latest.json").catch(() => {}));
  const list = answer?.ok && (await answer.text());
  for (const item of document.querySelectorAll("footer li")) {
    if (list && !list.includes(`"${item.id.slice(2)}"`)) item.remove();
  }
}

function take(news) {
  const version = parseInt(page.dataset.cursor);
  if (news.status) withdraw(news);
  else if (paused) return;
  else if (!news.updates) startOver();
  else if (news.to > version) {
    try {
      apply(news);
    } catch {
      startOver();
    }
  }
}

window.onscroll = look;
tick();
follow();
