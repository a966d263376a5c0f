// What stands below a prediction waits for the guess or the skip: the rest of its section or, where it is the last
// thing in its section, the next one, further predictions with it, for they build on the answer. A link into a fold
// opens it, and so do the search and the browser's own; a printed page and one without JavaScript are open.
document.addEventListener("DOMContentLoaded", () => {
  const predictions = [...document.querySelectorAll(".cell.tag_prediction")];
  if (!predictions.length) return;
  const folds = new Map(), answered = new Set();
  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  function restOfSection(cell) {
    const rest = [];
    for (let next = cell.nextElementSibling; next; next = next.nextElementSibling) rest.push(next);
    return rest;
  }

  function nextSection(cell) {
    for (let node = cell; node; node = node.parentElement.closest("section")) {
      const next = node.nextElementSibling;
      if (next && next.matches("section")) return [next];
    }
    return [];
  }

  function close(cell) {
    if (folds.has(cell)) return;
    const rest = restOfSection(cell), folded = rest.length ? rest : nextSection(cell);
    if (!folded.length) return;
    const isLead = cell.parentElement.querySelector(":scope > h1"); // above the first heading: the page's own question
    const what = isLead ? "The rest of this page" : rest.length ? "The rest of this section" : "The next section";
    const note = element("p", { class: "book-fold-note" }, `${what} opens with your guess, or when you skip.`);
    const box = element("div", { class: "book-fold", hidden: "until-found" });
    box.addEventListener("beforematch", () => open(cell));
    folded[0].before(note, box);
    box.append(...folded);
    folds.set(cell, { note, box });
  }

  function open(cell) {
    const { note, box } = folds.get(cell) || {};
    if (!folds.delete(cell)) return;
    note.remove();
    box.replaceWith(...box.children); // the page is as it was written
  }

  function openAround(target) {
    for (const [cell, { box }] of [...folds]) if (box.contains(target)) open(cell);
  }

  function follow() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    openAround(target);
    target.scrollIntoView();
  }

  const everything = element("input", { type: "checkbox", role: "switch" });
  everything.addEventListener("change", () => {
    for (const aside of document.querySelectorAll(".book-curious")) aside.open = everything.checked;
    if (everything.checked) predictions.forEach(open);
    // From the last to the first, so that a fold lies inside the one before it.
    else predictions.filter((cell) => !answered.has(cell)).reverse().forEach(close);
  });
  document.querySelector(".bd-article h1 + *").after(element("p", { class: "book-folds" },
    element("label", {}, everything, "Show everything"),
    element("span", {}, "What follows a prediction waits for your guess, or for a skip.")));

  predictions.toReversed().forEach(close);
  // Sphinx marks the words that the reader searched for in a timer of 10 ms; timers run in their order.
  setTimeout(() => document.querySelectorAll(".highlighted").forEach(openAround), 10);
  follow();
  addEventListener("hashchange", follow);
  document.addEventListener("tk-opened", (event) => {
    const cell = event.target.closest(".cell.tag_prediction");
    answered.add(cell);
    open(cell);
  });
});
