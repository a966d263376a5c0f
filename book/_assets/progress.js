// What a reader has done, kept in this browser alone: chapters read, predictions made, exercises passed, questions answered. The table of
// contents shows it beside each chapter, and the page "Where am I" in full. Where a browser keeps nothing for a page, all
// of this works as well, and lasts as long as the page does (storage.js).
window.tkProgress = (() => {
  const KEY = "toykit-progress", VERSION = 1, LARGEST_FILE = 1e6;
  const LISTS = ["seen", "guessed", "skipped", "passed"];
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href).href;
  const chapters = () => window.tkChapters || {};

  function nameOf(address) {
    const path = new URL(address, location.href).href.split(/[?#]/)[0];
    return path.startsWith(root) && path.endsWith(".html") ? decodeURI(path.slice(root.length, -5)) : null;
  }
  const here = nameOf(location.href);

  // Of whatever was stored or is in a file, what has the form of progress; anything else is left out.
  function clean(data) {
    const made = { version: VERSION, pages: {}, last: null }, isText = (value) => typeof value === "string";
    for (const [page, found] of Object.entries(Object(Object(data).pages))) {
      made.pages[page] = { read: Object(found).read === true };
      for (const list of LISTS) {
        const items = Object(found)[list];
        made.pages[page][list] = Array.isArray(items) ? [...new Set(items.filter(isText))] : [];
      }
    }
    const last = Object(Object(data).last);
    if (isText(last.page) && isText(last.place)) made.last = { page: last.page, place: last.place };
    return made;
  }

  let unkept = null; // progress as text, once the browser had no room left for it
  function state() {
    try { return clean(JSON.parse(unkept ?? localStorage.getItem(KEY))); } catch { return clean(null); }
  }

  function keep(data) {
    const text = JSON.stringify(data);
    try { localStorage.setItem(KEY, text); unkept = null; } catch { unkept = text; }
    document.dispatchEvent(new CustomEvent("tk-progress"));
  }

  function erase() {
    unkept = null;
    localStorage.removeItem(KEY);
    document.dispatchEvent(new CustomEvent("tk-progress"));
  }

  // Another tab may have written meanwhile: what is kept is read again before each change.
  function change(page, alter) {
    const data = state(), before = JSON.stringify(data);
    data.pages[page] ??= clean({ pages: { page: {} } }).pages.page;
    alter(data.pages[page], data);
    if (JSON.stringify(data) !== before) keep(data);
  }

  const add = (page, list, item) => change(page, (done) => { if (!done[list].includes(item)) done[list].push(item); });

  // How far a chapter is: of what there is now, for an older edition may have asked something else.
  function of(page, data = state()) {
    const done = data.pages[page] || clean({ pages: { page: {} } }).pages.page;
    const { predictions = [], exercises = [], transfer = [], questions = [] } = chapters()[page] || {};
    const guessed = predictions.filter((label) => done.guessed.includes(label)).length;
    const skipped = predictions.filter((label) => done.skipped.includes(label) && !done.guessed.includes(label)).length;
    const passed = exercises.filter((name) => done.passed.includes(name)).length;
    const transferred = transfer.filter((name) => done.passed.includes(name)).length;
    const answered = questions.filter((name) => done.passed.includes(name)).length;
    const share = questions.length ? answered / questions.length
      : (done.read + guessed + passed + transferred) / (1 + predictions.length + exercises.length + transfer.length);
    return { read: done.read, begun: LISTS.some((list) => done[list].length > 0), guessed, skipped, passed, transferred, answered,
      predictions: predictions.length, exercises: exercises.length, transfer: transfer.length, questions: questions.length, share };
  }

  function merge(text) {
    let found = null;
    try { found = JSON.parse(text); } catch { /* said below */ }
    if (!Object(found).pages || !Number.isInteger(found.version)) throw new Error("This is not a file that this page has saved: it holds no progress.");
    if (found.version > VERSION) throw new Error("This file comes from a newer edition of the book: open it there.");
    const data = state(), more = clean(found);
    for (const [page, done] of Object.entries(more.pages)) {
      const mine = data.pages[page] ??= done;
      mine.read ||= done.read;
      for (const list of LISTS) mine[list] = [...new Set([...mine[list], ...done[list]])];
    }
    data.last ??= more.last;
    keep(data);
  }

  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  function inWords(found) {
    if (found.questions) return `${found.answered} of ${found.questions} questions answered`;
    const parts = [found.read ? "read" : found.begun ? "begun" : "not begun"];
    if (found.predictions) parts.push(`${found.guessed} of ${found.predictions} predictions made`);
    if (found.exercises) parts.push(`${found.passed} of ${found.exercises} exercises passed`);
    if (found.transfer) parts.push(`${found.transferred} of ${found.transfer} transfer tasks passed`);
    return parts.join(", ");
  }

  // The table of contents: a disc beside each chapter that was begun fills as it is worked through.
  function markContents() {
    const data = state();
    for (const link of document.querySelectorAll(".bd-docs-nav a.reference.internal")) {
      const page = nameOf(link.href);
      if (!chapters()[page]) continue;
      const found = of(page, data);
      link.parentElement.querySelector(":scope > .book-done")?.remove();
      if (!found.share && !found.begun) continue;
      const mark = element("span", { class: "book-done", role: "img", "aria-label": inWords(found), title: inWords(found) });
      mark.style.setProperty("--book-share", `${Math.round(100 * found.share)}%`);
      link.after(mark);
    }
  }

  // A chapter is read when each of its headings and its end have been on the screen and nothing in it waits folded.
  function watchReading() {
    const headings = [...document.querySelectorAll(".bd-article section[id] > h2")];
    const end = document.querySelector(".prev-next-footer, .prev-next-area");
    if (!chapters()[here] || chapters()[here].questions || !end) return;
    let isAtEnd = false;
    const all = headings.map((heading) => heading.parentElement.id);
    const check = () => {
      if (isAtEnd && !document.querySelector(".book-fold")) change(here, (done) => {
        if (all.every((id) => done.seen.includes(id))) done.read = true;
      });
    };
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (target === end) isAtEnd = isIntersecting;
        else if (isIntersecting) change(here, (done, data) => {
          const place = target.parentElement.id;
          if (!done.seen.includes(place)) done.seen.push(place);
          data.last = { page: here, place };
        });
      }
      check();
    });
    [...headings, end].forEach((node) => observer.observe(node));
    document.addEventListener("tk-opened", () => setTimeout(check)); // after the fold has opened
  }

  // Which of its two buttons opened a prediction: a guess that was not made is not counted as one.
  function watchPredictions() {
    let isSkip = false;
    document.addEventListener("click", ({ target }) => { isSkip = Boolean(target.closest?.(".tk-quiet")); }, true);
    document.addEventListener("tk-opened", ({ target }) => add(here, isSkip ? "skipped" : "guessed", target.getAttribute("aria-label")));
  }

  // A quiz is told what was answered before, and tells what is answered now.
  document.addEventListener("tk-quiz", ({ detail }) => detail.mark(state().pages[here]?.passed ?? []));
  document.addEventListener("tk-answered", ({ detail }) => add(here, "passed", detail));

  // The page "Where am I".
  function report() {
    const place = document.getElementById("book-progress");
    if (!place) return;
    const contents = new Map([...document.querySelectorAll(".bd-docs-nav a.reference.internal")].map((link) => [nameOf(link.href), link.textContent.trim()]));
    const [box, quizzes] = place.parentElement.querySelectorAll("table");
    box.classList.add("book-chapters");
    const tests = [...quizzes.querySelectorAll("tbody tr")].map((row) => ({ cell: row.cells[1], page: nameOf(row.querySelector("a").href) }));
    const sums = element("p", { class: "book-sums" }), next = element("p", {}), note = element("p", { class: "book-note" });
    const said = element("p", { role: "status", class: "book-said" });
    const file = element("input", { type: "file", accept: ".json,application/json", id: "book-progress-file", class: "book-file" });
    const button = (text, react, kind = "") => {
      const made = element("button", { type: "button", class: `book-button ${kind}` }, text);
      made.addEventListener("click", react);
      return made;
    };
    const save = button("Save as a file", () => {
      const link = element("a", { download: "toykit-progress.json", href: URL.createObjectURL(new Blob([JSON.stringify(state(), null, 1)], { type: "application/json" })) });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      said.textContent = "Saved as toykit-progress.json, where your browser puts what it downloads.";
    });
    const load = button("Load a file", () => file.click());
    file.hidden = true;
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      if (!chosen) return;
      try {
        if (chosen.size > LARGEST_FILE) throw new Error(`${chosen.name} has ${chosen.size.toLocaleString("en-US")} bytes, more than any progress takes.`);
        merge(await chosen.text());
        said.textContent = `${chosen.name} is loaded, and added to what was here.`;
      } catch (error) { said.textContent = error.message; }
      file.value = "";
    });
    const erased = button("Erase", () => ask(true));
    const yes = button("Erase it for good", () => { erase(); ask(false); said.textContent = "Erased."; }, "book-warn");
    const no = button("Keep it", () => { ask(false); said.textContent = ""; });
    const ask = (isAsked) => {
      [save, load, erased].forEach((one) => { one.hidden = isAsked; });
      [yes, no].forEach((one) => { one.hidden = !isAsked; });
      if (isAsked) said.textContent = "Everything that this page shows will be forgotten.";
      (isAsked ? no : erased).focus();
    };
    yes.hidden = no.hidden = true;
    place.replaceChildren(sums, next, element("div", { class: "book-buttons" }, save, load, erased, yes, no, file), said, note);

    const rows = [...box.querySelectorAll("tbody tr")].map((row) => {
      const link = row.querySelector("a"), page = nameOf(link.href);
      link.textContent = contents.get(page) || link.textContent; // with its number
      return { cells: row.cells, link, page };
    });
    const show = () => {
      const data = state(), found = rows.map(({ page }) => of(page, data));
      rows.forEach(({ cells }, i) => {
        const one = found[i];
        cells[1].textContent = one.read ? "read" : one.begun ? "begun" : "–";
        cells[2].textContent = one.predictions ? `${one.guessed} of ${one.predictions}` : "–";
        if (one.skipped) cells[2].append(element("span", { class: "book-skipped" }, `, ${one.skipped} skipped`));
        cells[3].textContent = one.exercises ? `${one.passed} of ${one.exercises}` : "–";
        cells[4].textContent = one.transfer ? `${one.transferred} of ${one.transfer}` : "–";
      });
      const answers = tests.map(({ page }) => of(page, data));
      tests.forEach(({ cell }, i) => { cell.textContent = `${answers[i].answered} of ${answers[i].questions}`; });
      const sum = (name, all = found) => all.reduce((total, one) => total + one[name], 0);
      sums.replaceChildren(...[["read", rows.length, "chapters read"], ["guessed", sum("predictions"), "predictions made"], ["passed", sum("exercises"), "exercises passed"],
        ["transferred", sum("transfer"), "transfer tasks passed"]]
        .map(([name, of, what]) => element("span", {}, element("b", {}, `${sum(name)}`), ` of ${of} ${what}`)),
        element("span", {}, element("b", {}, `${sum("answered", answers)}`), ` of ${sum("questions", answers)} questions answered`));
      const last = data.last && rows.findIndex(({ page }) => page === data.last.page);
      const open = rows.findIndex((row, i) => !found[i].read && i >= (last ?? 0)), at = open < 0 ? found.findIndex((one) => !one.read) : open;
      next.replaceChildren();
      if (at < 0) next.textContent = "You have read every chapter.";
      else {
        const place = at === last ? `#${data.last.place}` : "";
        next.append(data.last ? "Go on with " : "Begin with ", element("a", { href: rows[at].link.href.split("#")[0] + place }, rows[at].link.textContent), ".");
      }
      note.textContent = window.tkForgets || unkept !== null ? "Your browser keeps nothing more for these pages, by its settings or for want of room: what is new here is forgotten when you leave this page."
        : location.protocol === "file:" ? "These pages are opened from files. Some browsers, Firefox among them, then keep what each page stores apart from the others, and this page sees nothing of them. Served (make serve), they share it."
        : "";
    };
    show();
    document.addEventListener("tk-progress", show);
  }

  document.addEventListener("DOMContentLoaded", () => {
    watchPredictions();
    watchReading();
    markContents();
    report();
    document.addEventListener("tk-progress", markContents);
    addEventListener("storage", ({ key }) => { if (key === KEY || key === null) document.dispatchEvent(new CustomEvent("tk-progress")); });
  });

  return { passed: (page, exercise) => add(page ?? here, "passed", exercise), state };
})();
