// One question of several, with the numbers of one draw: choose, check, and read what the choice says about you.
export default tk.instrument("quiz", (view) => {
  const { html } = tk;
  const questions = JSON.parse(new TextDecoder().decode(view.get("sealed")));
  const done = new Set(view.get("answered")), missed = new Set();
  const title = html("p", { class: "tk-title" }), row = html("div", { class: "tk-buttons" }), marks = html("p", { class: "tk-marks", role: "img" });
  view.root.prepend(title);
  view.controls.append(marks);
  view.readout.before(row);
  view.readout.setAttribute("tabindex", "-1");

  const at = () => questions[view.get("current")];
  const drawn = () => at().draws[view.get("attempt") % at().draws.length];
  const fill = (text) => at().places.reduce((filled, place, i) => filled.replaceAll(place, drawn().values[i]), text);
  const prose = (tag, text, attributes = {}) => {
    const node = html(tag, attributes);
    node.innerHTML = fill(text);
    return node;
  };
  const button = (text, onclick, quiet = true) => html("button", { type: "button", class: quiet ? "tk-quiet" : null, onclick }, text);

  // A grid of weights, as a table: a cell is the deeper in colour, the larger the weight.
  function picture([caption, rows]) {
    const numbers = rows.map((cells) => cells.map((cell) => Number(cell.replace("\u2212", "-"))));
    const largest = Math.max(...numbers.flat().map(Math.abs)) || 1;
    const cell = (text, value) => {
      const node = html("td", { class: value < 0 ? "tk-below" : value > 0 ? "tk-above" : "tk-zero" }, text);
      node.style.setProperty("--tk-depth", `${Math.round(8 + 30 * Math.abs(value) / largest)}%`);
      return node;
    };
    return html("table", { class: "tk-grid" }, html("caption", {}, caption),
      html("tbody", {}, ...rows.map((cells, i) => html("tr", {}, ...cells.map((text, j) => cell(text, numbers[i][j]))))));
  }

  function where() {
    const [address, words] = at().where, root = document.documentElement.dataset.content_root;
    return html("p", {}, "Where it stands: ", root === undefined ? words : html("a", { href: root + address }, words), ".");
  }

  let chosen = null, check = null;
  function show() {
    chosen = null;
    const name = tk.newId(), { choices, grids = [] } = drawn(), now = view.get("current");
    title.replaceChildren(html("strong", {}, `Question ${now + 1} of ${questions.length}.`));
    const rows = choices.map(([text], i) => {
      const input = html("input", { type: "radio", name, id: `${name}-${i}`, "data-lm-suppress-shortcuts": "true", onchange: () => choose(i) });
      return html("label", { for: input.id, class: "tk-option" }, input, html("span", {}, text), html("span", { class: "tk-tag" }));
    });
    function choose(i) {
      chosen = i;
      check.disabled = false;
      rows.forEach((one, k) => one.classList.toggle("tk-mine", k === i));
    }
    const text = prose("p", at().text, { id: `${name}-text`, class: "tk-question" });
    view.stage.replaceChildren(text, html("div", { class: "tk-grids" }, ...grids.map(picture)),
      html("fieldset", { class: "tk-control tk-options", "aria-describedby": text.id }, html("legend", {}, "Your answer"), ...rows));
    check = button("Check", () => judge(rows), false);
    check.disabled = true;
    row.replaceChildren(check, button("Other numbers", () => { view.set("attempt", view.get("attempt") + 1); }),
      button("Previous", () => step(-1)), button("Next", () => step(1)));
    view.readout.replaceChildren();
    mark();
  }

  // Wrong is told by what was thought, and the answer is kept back: other numbers ask the same again.
  function judge(rows) {
    const { choices } = drawn(), [text, kind] = choices[chosen], isRight = kind < 0;
    rows.forEach((one) => { one.querySelector("input").disabled = true; });
    rows[chosen].classList.add(isRight ? "tk-right" : "tk-wrong");
    rows[chosen].querySelector(".tk-tag").textContent = isRight ? "right" : "not this";
    check.disabled = true;
    const headline = html("p", { class: "tk-headline" }, html("strong", {}, isRight ? `Right: ${text}.` : `${text} is not it.`));
    if (isRight) {
      done.add(at().name);
      view.set("answered", [...done]);
      view.readout.replaceChildren(headline, prose("p", at().because));
      view.root.dispatchEvent(new CustomEvent("tk-answered", { bubbles: true, detail: at().name }));
    } else {
      missed.add(at().name);
      const working = button("Show the answer", () => {
        const i = choices.findIndex(([, misconception]) => misconception < 0);
        rows[i].classList.add("tk-right");
        rows[i].querySelector(".tk-tag").textContent = "the answer";
        working.replaceWith(html("p", {}, html("strong", {}, `${choices[i][0]}. `), prose("span", at().because)));
        view.readout.focus();
      });
      view.readout.replaceChildren(headline, prose("p", at().feedback[kind]), where(), working);
    }
    mark();
    view.readout.focus();
  }

  function mark() {
    const state = ({ name }) => (done.has(name) ? "right" : missed.has(name) ? "missed" : "open");
    marks.setAttribute("aria-label", `${done.size} of ${questions.length} answered`);
    marks.replaceChildren(...questions.map((one, i) =>
      html("span", { class: `tk-mark tk-${state(one)}${i === view.get("current") ? " tk-now" : ""}` })));
  }

  function step(by) {
    const next = (view.get("current") + by + questions.length) % questions.length;
    view.model.set("attempt", 0);
    view.set("current", next);
    row.querySelectorAll("button")[by < 0 ? 2 : 3].focus();
  }

  view.on("current", show);
  view.on("attempt", show);
  show();
  view.root.dispatchEvent(new CustomEvent("tk-quiz", { bubbles: true, detail: { mark(names) {
    questions.forEach(({ name }) => { if (names.includes(name)) done.add(name); });
    mark();
  } } }));
});
