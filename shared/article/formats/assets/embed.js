// An article inside somebody else's page, which keeps itself current. One tag:
//
//   <script src="https://live.example/embed.js" data-article="ferry-strike" async></script>
//
// or a placeholder, <div data-writethru="ferry-strike"></div>, and the script without data-article.
// It lives in a shadow root: the page's styles stay out, and its own stay in. Nothing is sent but
// what anybody may ask for: no cookie, no key.
(() => {
  const script = document.currentScript;
  const base = new URL(script.src).origin;
  const plural = (number) => `${number} new update${number === 1 ? "" : "s"}`;

  // Links of ours lead to us, from wherever they stand.
  function parsed(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    for (const link of holder.content.querySelectorAll('a[href^="/"]')) link.href = base + link.getAttribute("href");
    return holder.content.getElementById("article");
  }

  // Make *old* into *now*, and leave alone what is the same: a reader may be in the midst of it.
  function renew(old, now) {
    if (old.isEqualNode(now)) return;
    const leaf = old.nodeType !== 1 || old.matches(".update, p, li, details, h2, figure");
    if (old.localName === "details" && old.innerHTML === now.innerHTML) return;
    if (leaf || old.localName !== now.localName || old.id !== now.id) return old.replaceWith(now);
    for (const name of old.getAttributeNames()) if (!now.hasAttribute(name)) old.removeAttribute(name);
    for (const name of now.getAttributeNames()) old.setAttribute(name, now.getAttribute(name));
    let at = old.firstChild;
    for (const each of [...now.childNodes]) {
      const known = each.id && [...old.children].find(({ id }) => id === each.id);
      const alike = known || (at && !at.id && !each.id && at.nodeName === each.nodeName ? at : null);
      if (!alike) {
        old.insertBefore(each, at);
        continue;
      }
      if (alike === at) at = at.nextSibling;
      else old.insertBefore(alike, at);
      renew(alike, each);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function begin(home, slug) {
    const root = home.shadowRoot || home.attachShadow({ mode: "open" });
    const frame = document.createElement("div");
    const news = document.createElement("p");
    frame.className = "frame";
    frame.dataset.theme = home.dataset.theme || script.dataset.theme || "auto";
    news.className = "spoken";
    news.setAttribute("role", "status");
    news.lang = "en";
    frame.append(news);
    root.replaceChildren(frame);
    root.addEventListener("click", (event) => {
      const hash = event.target.closest?.("a")?.getAttribute("href") || "";
      const place = hash[0] === "#" && root.getElementById(decodeURIComponent(hash.slice(1)));
      if (!place) return;
      event.preventDefault();
      place.tabIndex = -1;
      place.focus();
      place.scrollIntoView();
    });
    follow(root, frame, news, slug);
  }

  // The style comes first, so that nobody sees the article without it.
  function dressed(root, href) {
    if (root.querySelector("link")) return;
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(href, base).href;
    return new Promise((done) => {
      link.onload = link.onerror = done;
      root.prepend(link);
      setTimeout(done, 3000);
    });
  }

  function follow(root, frame, news, slug) {
    const path = `${base}/articles/${slug}`;
    let stream, wanted = 0, busy, over, timer, failures = 0;
    const shown = () => frame.querySelector("#article");
    const passed = () => keepPromise(frame.querySelector("[data-overdue]"), [...frame.querySelectorAll("#facts time")].pop());
    const version = () => parseInt(shown()?.dataset.cursor || 0);

    async function show(now) {
      const old = shown();
      await dressed(root, now.dataset.style);
      if (!old) return passed(frame.prepend(now));
      const before = new Set([...old.querySelectorAll(".update")].map(({ id }) => id));
      const added = [...now.querySelectorAll(".update:not(.retracted)")].filter(({ id }) => !before.has(id));
      renew(old, now);
      passed();
      for (const { id } of added) {
        const element = root.getElementById(id);
        if (element) element.dataset.new = "";
        setTimeout(() => element && delete element.dataset.new, 8000);
      }
      news.textContent = added.length ? plural(added.length) : "The article has changed";
    }

    // The version in the address makes one answer of a cache serve all who want that one.
    async function load(cursor) {
      if (busy || over) return;
      busy = true;
      try {
        const answer = await fetch(`${path}.fragment.html${cursor ? `?v=${cursor}` : ""}`, { credentials: "omit" });
        if (answer.status !== 410 && !answer.ok) throw answer.status;
        const now = parsed(await answer.text());
        over = answer.status === 410;
        if (now && (over || parseInt(now.dataset.cursor) >= version())) await show(now);
        failures = 0;
      } catch {
        failures += 1;
      }
      busy = false;
      if (over) return stop();
      const behind = version() < wanted;
      if (!stream || stream.readyState === 2) listen();
      clearTimeout(timer);
      const seconds = behind || failures ? Math.min(2 ** failures, 60) : stream?.readyState === 1 ? 300 : 30;
      timer = setTimeout(() => load(behind ? `${wanted}` : ""), seconds * (500 + Math.random() * 1000));
    }

    function listen() {
      stream?.close();
      if (!shown()) return;
      stream = new EventSource(`${path}/live?since=${shown().dataset.cursor}`);
      stream.addEventListener("change", ({ data }) => {
        const { to, chain } = JSON.parse(data);
        wanted = Math.max(wanted, to);
        load(`${to}.${chain.slice(0, 12)}`);
      });
      stream.addEventListener("reset", () => {
        stream.close();
        shown().dataset.cursor = "0";
        load(`0.${Date.now()}`);
      });
      stream.addEventListener("killed", () => load(`killed.${Date.now()}`));
    }

    function stop() {
      clearTimeout(timer);
      stream?.close();
    }

    // A page that is put aside must not hold a line, and has to hear what it missed when it is back.
    addEventListener("pagehide", stop);
    addEventListener("pageshow", ({ persisted }) => persisted && load(""));
    document.addEventListener("visibilitychange", () => document.hidden || load(""));
    load("");
    setInterval(passed, 20000);
  }

  function all() {
    for (const home of document.querySelectorAll("[data-writethru]:not([data-writethru-begun])")) {
      home.dataset.writethruBegun = "";
      begin(home, home.dataset.writethru);
    }
  }

  if (script.dataset.article) {
    const home = document.createElement("div");
    home.dataset.writethru = script.dataset.article;
    if (script.dataset.theme) home.dataset.theme = script.dataset.theme;
    script.after(home);
  }
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", all) : all();
})();
