// An article, or a page of its updates. What this builds is what the templates build.
const page = byId("article");
const whole = !page.dataset.page;
let title = document.title;

const closed = () => page.className === "closed";
const address = (what) => `/articles/${page.dataset.article}/${what}?since=${page.dataset.cursor}`;
const liveUrl = () => address("live");
const askUrl = () => address("changes");

const sign = (mark) => make("span", { "aria-hidden": "true" }, mark);
const byline = (authors) => (authors ? `By ${authors.join(", ")}` : "");

// Only for html that the server has sanitised.
function sanitised(html, facts) {
  const element = make("div", facts);
  element.innerHTML = html;
  return element;
}

function promise(cadence) {
  if (closed()) return [sign("🏁"), " Live updates have ended"];
  if (!cadence) return [];
  const [size, unit] = cadence % 60 ? [1, "second"] : cadence % 3600 ? [60, "minute"] : [3600, "hour"];
  const often = plural(cadence / size, unit).replace(/^1 /, "");
  return [sign("📱"), ` This article updates automatically every ${often} with breaking developments`];
}

function noteLine({ time, note }, head, mark, label) {
  const when = make("span", { lang: "en" }, sign(mark), ` ${label}: `, moment(time, head), ".");
  return make("p", { class: label.toLowerCase() }, when, " ", make("bdi", {}, note));
}

function figure({ url, alt, credit }) {
  const picture = make("img", { src: url, alt, loading: "lazy" });
  return make("figure", {}, picture, credit && make("figcaption", { dir: "auto" }, credit));
}

function source({ n, url, title }) {
  const link = make("a", { href: url, rel: "nofollow", dir: "auto" }, title || url);
  return make("li", { value: n }, link);
}

function build(update, head) {
  const id = update.update_id;
  const gone = update.status === "retracted";
  const pinned = head.pinned === id;
  const names = ["update", pinned && "pinned", gone && "retracted", update.key_event && "key"];
  const link = make("a", { href: `/articles/${head.article}/updates/${id}` }, moment(update.time, head));
  return make(
    "article", { class: names.filter(Boolean).join(" "), id: `u-${id}` },
    make(
      "h3", { class: "when", lang: "en" },
      pinned && [sign("📌"), " "], sign("🔄"), " Updated: ", link, " ", ago(),
    ),
    update.headline && make("h4", { dir: "auto" }, update.headline),
    update.authors && make("p", { class: "byline", dir: "auto" }, byline(update.authors)),
    !gone && sanitised(update.html, { class: "copy", dir: "auto" }),
    (update.images || []).map(figure),
    update.notes.map((note) =>
      note.kind === "retracted"
        ? noteLine(note, head, "🚫", "Retracted")
        : !gone && noteLine(note, head, "✏️", "Corrected"),
    ),
    update.sources[0] &&
      make("ol", { class: "sources", "aria-label": "Sources" }, update.sources.map(source)),
  );
}

function block({ kind, level, text, teaser, html }) {
  if (kind === "heading") return make(`h${Math.max(level, 2)}`, { dir: "auto" }, text);
  const copy = sanitised(html, { dir: "auto" });
  return teaser ? make("details", { open: "" }, make("summary", { dir: "auto" }, teaser), copy) : copy;
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

// Put an update where it belongs. An article's page has its newest updates only: one that is
// neither here nor new belongs to an earlier page, and one unpinned may go back there. A page of
// updates keeps those it has.
function place({ kind, after, update }, head) {
  const list = byId("updates");
  const old = byId(`u-${update.update_id}`);
  const element = build(update, head);
  const above = after && byId(`u-${after}`);
  const first = after === null && (head.pinned === update.update_id || !byId("earlier"));
  const added = !old && kind === "added";
  if (added || (kind === "changed" && old?.matches("[data-new]"))) element.dataset.new = "";
  if (!whole) old?.replaceWith(element);
  else if (above || first) {
    old?.remove();
    above ? above.after(element) : list.prepend(element);
  } else if (old) old.matches(".pinned") ? old.remove() : old.replaceWith(element);
  else if (added) head.update_order ? list.prepend(element) : list.append(element);
}

// Blocks that stay as they are stay where they are, and folded if they were.
function showBody(blocks) {
  const old = [...byId("body").children];
  const plain = (element) => element.outerHTML.replace(' open=""', "");
  const parts = blocks.map(block).map((part) => {
    const at = old.findIndex((each) => plain(each) === plain(part));
    return at < 0 ? part : old.splice(at, 1)[0];
  });
  set("body", ...parts);
}

function showHead(head) {
  page.className = head.status;
  set("headline", head.headline);
  if (!whole) return;
  title = head.headline;
  set("summary", head.summary || "");
  set("byline", byline(head.authors));
  set("updated", moment(head.updated_at, head));
  set("count", plural(head.update_count, "update"));
  set("reading", `${head.reading_minutes} min read`);
  set("promise", ...promise(head.cadence_seconds));
  set("note", head.note?.note || "");
}

function apply({ head, body, changes, to, chain }) {
  keepPlace(() => {
    showHead(head);
    if (body && whole) showBody(body);
    for (const change of changes) place(change, head);
  });
  page.dataset.cursor = `${to}.${chain.slice(0, 12)}`;
  const added = changes.filter(({ kind }) => kind === "added").length;
  set("news", added ? plural(added, "new update") : "The article has changed");
  showState();
  tick();
  look();
}

function withdraw(killed) {
  over = true;
  document.title = "Withdrawn";
  const head = { locale: document.documentElement.lang, timezone: page.dataset.timezone };
  page.className = "message";
  page.replaceChildren(
    make("h1", {}, "Withdrawn"),
    noteLine(killed, head, "🚫", "Withdrawn"),
  );
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
  else if (!news.changes) startOver();
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
