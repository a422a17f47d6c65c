"use strict";
(() => {
  const CHUNK = 100; // rows added at a time: all 10,000 at once would take a second, and every filter again
  const index = JSON.parse(document.getElementById("index").textContent);
  const { standings, rows, blocks } = index;
  const byId = (id) => document.getElementById(id);
  const list = byId("list"), more = byId("more"), shown = byId("shown"), dialog = byId("trial");
  const query = byId("query"), tagSelect = byId("tag");

  /** A new element. Whatever was recorded goes in as text, never as markup. */
  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter(Boolean));
    return node;
  }
  const quoted = (text) => make("bdi", {}, text);

  // The address holds the whole state: what is filtered, which trial is open.
  function readState() {
    const state = { q: "", is: [], tag: "", trial: "" };
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      if (name === "is") state.is = value.split(",").filter((word) => word in standings);
      else if (name in state) state[name] = value;
    }
    return state;
  }
  function address(state) {
    const parts = [["q", state.q], ["is", state.is.join(",")], ["tag", state.tag], ["trial", state.trial]];
    return "#" + parts.filter(([, value]) => value)
      .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2F", "/").replaceAll("%2C", ",")}`).join("&");
  }
  function go(changes, replace = false) {
    const target = address({ ...readState(), ...changes });
    if (target === (location.hash || "#")) return;
    history[replace ? "replaceState" : "pushState"](null, "", target); // assigning "#" would scroll to the top
    apply();
  }
  const linkTo = (row, trial) => address({ q: "", is: [], tag: "", trial: `${row.id}/${trial}` });

  // Filtering: every word must occur; "a phrase" and !not are understood.
  const haystacks = rows.map((row) =>
    [row.id, row.reason, row.transition, row.note, row.description, row.source, ...(row.tags ?? [])].join("\n").toLowerCase());
  function select({ q, is, tag }) {
    const words = [...q.toLowerCase().matchAll(/(!?)(?:"([^"]*)"?|(\S+))/g)]
      .map(([, not, phrase, word]) => ({ not: not !== "", text: phrase ?? word ?? "" })).filter(({ text }) => text);
    return rows.filter((row, number) =>
      (!is.length || is.includes(row.standing)) && (!tag || row.tags?.includes(tag)) &&
      words.every(({ not, text }) => haystacks[number].includes(text) !== not));
  }

  let selected = [], rendered = 0, listed = null;
  function renderList(state) {
    const key = JSON.stringify([state.q, state.is, state.tag]);
    if (key === listed) return;
    listed = key;
    selected = select(state);
    rendered = 0;
    list.replaceChildren();
    renderMore();
    shown.textContent = selected.length === rows.length ? `${rows.length.toLocaleString("en")} cases`
      : `${selected.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} cases`;
    if (document.activeElement !== query) query.value = state.q;
    if (tagSelect) tagSelect.value = state.tag;
    for (const button of document.querySelectorAll("[data-is]")) {
      button.setAttribute("aria-pressed", String(state.is.includes(button.dataset.is)));
    }
  }
  function renderMore() {
    list.append(...selected.slice(rendered, rendered + CHUNK).map(renderRow));
    rendered = Math.min(rendered + CHUNK, selected.length);
    more.hidden = rendered >= selected.length;
    more.textContent = `Show more (${(selected.length - rendered).toLocaleString("en")} left)`;
  }
  function renderRow(row) {
    const standing = standings[row.standing];
    const marks = row.marks ?? [];
    const worst = marks.reduce((best, mark) => (rank(mark) < rank(best) ? mark : best), marks[0]);
    const name = worst ? make("a", { class: "open", href: linkTo(row, worst.trial) }, quoted(row.id))
      : make("strong", {}, quoted(row.id));
    return make("li", { class: `case ${standing.tone}` },
      make("span", { class: "mark", "aria-hidden": "true" }, standing.mark),
      make("div", { class: "main" },
        make("p", { class: "name" }, name, make("span", { class: "badge" }, standing.word),
          row.note && make("span", { class: "note" }, row.note)),
        (row.transition || row.reason) && make("p", { class: "why" },
          row.transition && make("b", { class: "transition" }, row.transition), row.transition && " ", quoted(row.reason ?? "")),
        row.description && make("p", { class: "about" }, quoted(row.description)),
        row.tags && make("p", { class: "tags" }, row.tags.map((tag) =>
          make("button", { type: "button", "data-tag": tag, "aria-label": `Only tag ${tag}` }, tag)))),
      make("div", { class: "side" }, renderMarks(row), renderFacts(row.facts)));
  }
  const rank = (mark) => Object.keys(standings).indexOf(mark.outcome);
  function renderMarks(row, current) {
    return make("span", { class: "marks" }, (row.marks ?? []).map((mark) => {
      const { tone, word, mark: sign } = standings[mark.outcome];
      const label = mark.count ? `${mark.count} trials ${word}` : `trial ${mark.trial}: ${word}`;
      return make("a", { class: tone, href: linkTo(row, mark.trial), title: label, "aria-label": label,
        "aria-current": mark.trial === current && "true" }, mark.count ? `${sign} ×${mark.count}` : sign);
    }));
  }
  const renderFacts = (facts, lead = "") => facts?.length ? make("p", { class: "facts" }, lead + facts.join(" · ")) : null;

  // Trials are numbered through all rows; each block holds those from its start on.
  const places = new Map();
  rows.forEach((row) => (row.trials ?? []).forEach((trial) => places.set(`${row.id}/${trial}`, { row, trial, number: places.size })));
  const opened = new Map();
  function openBlock(number) {
    if (!opened.has(number)) {
      const text = byId(`block-${number}`).textContent;
      const bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      opened.set(number, new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json());
    }
    return opened.get(number);
  }
  async function showTrial(key) {
    const place = places.get(key);
    if (!place) {
      if (dialog.open) dialog.close();
      if (key) shown.textContent = `This report has no trial ${key}.`;
      return;
    }
    const block = blocks.findLastIndex((start) => start <= place.number);
    const detail = (await openBlock(block))[place.number - blocks[block]];
    if (readState().trial !== key) return; // another was asked for meanwhile
    dialog.replaceChildren(...window.renderTrial({ ...place, detail, neighbours: neighbours(key) },
      { make, quoted, standings, renderMarks, renderFacts }));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    byId("trial-title").focus({ preventScroll: true });
  }
  function neighbours(key) {
    const keys = selected.flatMap((row) => (row.trials ?? []).map((trial) => `${row.id}/${trial}`));
    const at = keys.indexOf(key);
    return { previous: keys[at - 1], next: at < 0 ? keys[0] : keys[at + 1], at, total: keys.length };
  }

  function apply() {
    const state = readState();
    renderList(state);
    showTrial(state.trial);
  }

  async function copy(button) {
    const words = button.firstChild.data;
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling); // not allowed: leave it ready for Ctrl+C
      said = "Press Ctrl+C";
    }
    button.firstChild.data = said;
    setTimeout(() => { button.firstChild.data = words; }, 1600);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      follow(new URLSearchParams(link.hash.slice(1)));
      return;
    }
    const button = event.target.closest("button");
    if (!button) return;
    const { is, tag, trial } = button.dataset;
    if (is) {
      const chosen = readState().is;
      go({ is: chosen.includes(is) ? chosen.filter((one) => one !== is) : [...chosen, is] }, true);
    } else if (tag) go({ tag }, true);
    else if (trial) go({ trial }, true);
    else if ("copy" in button.dataset) copy(button);
    else if ("close" in button.dataset) dialog.close();
    else if (button === more) renderMore();
  });
  /** A link inside the page keeps what is filtered, unless it is about just that. */
  function follow(target) {
    if (target.has("trial")) go({ trial: target.get("trial") }, dialog.open);
    else {
      go({ q: "", tag: "", is: [target.get("is")] });
      byId("all").scrollIntoView();
    }
  }
  let typing = 0;
  query.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => go({ q: query.value.trim() }, true), 100);
  });
  tagSelect?.addEventListener("change", () => go({ tag: tagSelect.value }, true));
  dialog.addEventListener("close", () => {
    const left = readState().trial;
    go({ trial: "" });
    const link = [...document.querySelectorAll("a.open")].find((one) => new URLSearchParams(one.hash.slice(1)).get("trial") === left);
    if (document.activeElement === document.body) link?.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const step = { j: 1, k: -1, ArrowRight: dialog.open && 1, ArrowLeft: dialog.open && -1 }[event.key];
    if (step) {
      if (dialog.open) dialog.querySelector(step > 0 ? "[data-next]" : "[data-previous]")?.click();
      else moveFocus(step);
      event.preventDefault();
    } else if (event.key === "/" && !dialog.open) {
      query.focus();
      event.preventDefault();
    }
  });
  function moveFocus(step) {
    const links = [...document.querySelectorAll("a.open")];
    const at = links.indexOf(document.activeElement?.closest(".case")?.querySelector("a.open"));
    links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step]?.focus();
  }
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) renderMore();
  }, { rootMargin: "600px" }).observe(more);
  addEventListener("popstate", apply);
  document.documentElement.classList.add("js");
  apply();
})();
