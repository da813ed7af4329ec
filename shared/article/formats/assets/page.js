// Follow one article: take each change in place, without a reload and without moving the reader.
// The page is complete without this script; what it builds is what the templates build.
"use strict";

const page = document.querySelector("main[data-article]");
const byId = (id) => document.getElementById(id);

function make(tag, facts = {}, ...children) {
  const { className, ...attributes } = facts;
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Only for html that the server has sanitised.
function sanitised(html, tag, facts) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return make(tag, facts, template.content);
}

function moment(stamp, head) {
  const shown = new Date(stamp)
    .toLocaleString(head.locale, { timeZone: head.timezone })
    .replace(/[\u202f\u00a0]/g, " ");
  return make("time", { datetime: stamp }, shown);
}

const count = (number) => `${number} update${number === 1 ? "" : "s"}`;

function every(seconds) {
  const units = [[3600, "hour"], [60, "minute"], [1, "second"]];
  const [size, unit] = units.find(([size]) => seconds % size === 0);
  const number = seconds / size;
  return number === 1 ? `every ${unit}` : `every ${number} ${unit}s`;
}

function promise(head) {
  if (head.status === "closed") return "🏁 Live updates have ended";
  if (!head.cadence_seconds) return "";
  return `📱 This article updates automatically ${every(head.cadence_seconds)} with breaking developments`;
}

function noteLine(note, head) {
  const gone = note.kind === "retracted";
  const label = gone ? "🚫 Retracted: " : "✏️ Corrected: ";
  const facts = { className: gone ? "retraction" : "correction", dir: "auto" };
  return make("p", facts, label, moment(note.time, head), `. ${note.note}`);
}

function figure(image) {
  const picture = make("img", { src: image.url, alt: image.alt, loading: "lazy" });
  return make("figure", {}, picture, ...(image.credit ? [make("figcaption", {}, image.credit)] : []));
}

function sourceList(sources) {
  const items = sources.map((source) => {
    const link = make("a", { href: source.url, rel: "noopener nofollow" }, source.title || source.url);
    return make("li", { value: source.n }, link);
  });
  return make("ol", { className: "sources", "aria-label": "Sources" }, ...items);
}

function build(update, head) {
  const pinned = head.pinned === update.update_id;
  const retracted = update.status === "retracted";
  const link = { href: `/articles/${head.article}/updates/${update.update_id}` };
  const when = make("a", link, moment(update.time, head));
  const states = ["update", pinned && "pinned", retracted && "retracted", update.key_event && "key"];
  const notes = update.notes.filter((note) => !retracted || note.kind === "retracted");
  const sources = update.sources || [];
  return make(
    "article",
    { className: states.filter(Boolean).join(" "), id: `u-${update.update_id}` },
    make("p", { className: "when" }, pinned ? "📌 " : "", "🔄 Updated: ", when),
    ...(update.headline ? [make("h2", { dir: "auto" }, update.headline)] : []),
    ...(retracted ? [] : [sanitised(update.html, "div", { className: "copy", dir: "auto" })]),
    ...(update.images || []).map(figure),
    ...notes.map((note) => noteLine(note, head)),
    ...(sources.length ? [sourceList(sources)] : []),
  );
}

// Put an update where it belongs. A long article's page has its newest updates only: one that is
// neither here nor new belongs to an earlier page, and one unpinned may go back there.
function place(change, head) {
  const list = byId("updates");
  const id = change.update.update_id;
  const old = byId(`u-${id}`);
  const element = build(change.update, head);
  const above = change.after && byId(`u-${change.after}`);
  const first = change.after === null && (head.pinned === id || !byId("earlier"));
  if (above || first) {
    old?.remove();
    above ? above.after(element) : list.prepend(element);
  } else if (old) {
    old.classList.contains("pinned") ? old.remove() : old.replaceWith(element);
  } else if (change.kind === "added") {
    head.update_order === "newest-first" ? list.prepend(element) : list.append(element);
  }
}

function showBody(blocks) {
  const parts = blocks.map((block) => {
    if (block.kind === "heading") {
      return make(`h${Math.max(block.level, 2)}`, { dir: "auto" }, block.text);
    }
    if (!block.teaser) return sanitised(block.html, "div");
    const details = sanitised(block.html, "details", { open: "" });
    details.prepend(make("summary", { dir: "auto" }, block.teaser));
    return details;
  });
  byId("body").replaceChildren(...parts);
}

function showHead(head) {
  document.title = head.headline;
  page.dataset.status = head.status;
  byId("headline").textContent = head.headline;
  const updated = moment(head.updated_at, head);
  updated.id = "updated";
  byId("updated").replaceWith(updated);
  byId("count").textContent = `📊 ${count(head.update_count)}`;
  byId("reading").textContent = `⏱️ ${head.reading_minutes} min read`;
  byId("promise").textContent = promise(head);
  byId("note").hidden = !head.note;
  byId("note").textContent = head.note ? head.note.note : "";
}

function apply(change) {
  showHead(change.head);
  if (change.body) showBody(change.body);
  for (const item of change.changes) place(item, change.head);
  const added = change.changes.filter((item) => item.kind === "added").length;
  byId("news").textContent = added ? `${count(added)} added` : "The article has changed";
  page.dataset.cursor = `${change.to}.${change.chain.slice(0, 12)}`;
}

function withdraw(killed) {
  const when = moment(killed.time, { locale: "en-US", timezone: "UTC" });
  document.title = "Withdrawn";
  page.replaceChildren(
    make("h1", {}, "Withdrawn"),
    make("p", { dir: "auto" }, "🚫 Withdrawn: ", when, `. ${killed.note}`),
  );
}

function follow() {
  const since = encodeURIComponent(page.dataset.cursor);
  const stream = new EventSource(`/articles/${page.dataset.article}/live?since=${since}`);
  stream.addEventListener("change", (event) => apply(JSON.parse(event.data)));
  stream.addEventListener("reset", () => location.reload());
  stream.addEventListener("killed", (event) => {
    stream.close();
    withdraw(JSON.parse(event.data));
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(check, 5000 + Math.random() * 5000);
  });
}

// A refused stream does not say why: a kill while we were offline, or a server that is full.
async function check() {
  const since = encodeURIComponent(page.dataset.cursor);
  const url = `/articles/${page.dataset.article}/changes?since=${since}`;
  const answer = await fetch(url).catch(() => null);
  if (answer && (answer.status === 410 || answer.status === 404)) location.reload();
  else follow();
}

if (page) follow();
