// Cells that a reader changes and runs in the page: the exercises, and those marked "Try it". What they are, and what has
// to run before each, was found when the page was built (book/_tools/live_cells.py) and stands in it as JSON. tkLive
// (live.js) runs Python; vendor/editor.js is the editor, or a plain text field where it could not be had.
//
// Answers to exercises are kept in this browser alone. Where it keeps nothing for a page, they last as long as the page.
window.bookCells = { seconds: 10 }; // for one run; the tests shorten it

(() => {
  const KEY = "toykit-answers", STEP = "    ";
  const EDITOR = new URL("../vendor/editor.js", document.currentScript.src).href;
  const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const button = (text, react, kind = "") => {
    const made = element("button", { type: "button", class: `live-button ${kind}` }, text);
    made.addEventListener("click", react);
    return made;
  };

  // Answers: {"02_pruning/pruning_mask": text}.

  let unkept = null; // the answers, once the browser had no room left for them
  const summary = element("summary");
  function answers() {
    if (unkept) return unkept;
    try {
      const found = Object.entries(Object(JSON.parse(localStorage.getItem(KEY))));
      return Object.fromEntries(found.filter(([, text]) => typeof text === "string"));
    } catch { return {}; }
  }
  // Another tab may have written meanwhile: what is kept is read again before each change.
  function keep(changed) {
    const all = { ...answers(), ...changed };
    for (const [name, text] of Object.entries(all)) if (text === null) delete all[name];
    try { localStorage.setItem(KEY, JSON.stringify(all)); unkept = null; } catch { unkept = all; }
    sayWhere();
  }
  function sayWhere() {
    const isKept = !unkept && !window.tkForgets; // storage.js
    summary.textContent = isKept ? "Python runs in this page, and your answers stay in this browser"
      : "Your browser keeps no more answers, by its settings or for want of room: save them before you leave";
  }

  // The file of all answers is a Python file whose cells JupyterLab and other editors know.
  const asFile = (all) => Object.entries(all).sort().map(([name, text]) => `# %% ${name}\n${text.trimEnd()}\n`).join("\n");
  function fromFile(text) {
    const parts = text.replace(/\r\n?/g, "\n").split(/^# %% (\S+\/\w+)\n/m).slice(1);
    return Object.fromEntries(parts.flatMap((name, i) => (i % 2 ? [] : [[name, `${parts[i + 1].trimEnd()}\n`]])));
  }

  // Editors. Both are functions of (parent, {text, label, describedBy, onChange, onRun}) to {text, focus()}.

  function textField(parent, { text, label, describedBy, onChange, onRun }) {
    const field = element("textarea", { class: "live-field", "aria-label": label, "aria-describedby": describedBy, spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
    const fit = () => { field.rows = Math.max(4, field.value.split("\n").length + 1); };
    let isLeaving = false;
    field.value = text;
    field.addEventListener("input", () => { isLeaving = false; fit(); onChange(field.value); });
    field.addEventListener("blur", () => { isLeaving = false; });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") isLeaving = true;
      else if (event.key === "Enter" && (isMac ? event.metaKey : event.ctrlKey)) { event.preventDefault(); onRun(); }
      else if (event.key === "Tab" && !event.shiftKey && !isLeaving) {
        event.preventDefault();
        document.execCommand("insertText", false, STEP); // the one way that undo knows of
      }
    });
    parent.append(field);
    fit();
    return { focus: () => field.focus(), get text() { return field.value; }, set text(changed) { field.value = changed; fit(); onChange(changed); } };
  }

  let loading = null;
  function loadEditor() {
    loading ??= new Promise((done) => {
      const script = element("script", { src: EDITOR });
      script.onload = () => done(window.bookEditor || textField);
      script.onerror = () => done(textField);
      document.head.append(script);
    });
    return loading;
  }

  // One cell of the page.

  function liveCell(data, page, others) {
    const node = document.querySelector(`.cell.tag_live-${data.cell}`);
    const code = node.querySelector(".cell_input"), name = `${page}/${data.name}`;
    const isExercise = Boolean(data.name), first = data.text;
    const stored = isExercise ? document.querySelector(`.cell.tag_live-check-${data.cell}`) : node.querySelector(".cell_output");
    const what = isExercise ? `Your answer to the exercise ${data.name}` : "The code of this cell";
    const hint = element("p", { class: "live-hint", id: `live-hint-${data.cell}` },
      `Tab indents; Escape, then Tab leaves the editor. ${isMac ? "Cmd" : "Ctrl"}\u2011Enter ${isExercise ? "checks" : "runs"}.`);
    const result = element("div", { class: "live-result", role: "status" });
    const box = element("div", { class: "live-editor" });
    let editor = null, opening = null, isRunning = false, text = (isExercise && answers()[name]) || first;

    const edit = button(isExercise ? "Edit" : "Try it", async () => { await open(); editor.focus(); });
    const run = button(isExercise ? "Check" : "Run", () => (isRunning ? tkLive.stop() : go()), "live-main");
    const reset = button("Reset", () => {
      const before = text;
      change(first);
      show();
      if (!isExercise && stored) stored.hidden = false;
      if (before === first) return;
      const undo = button("Undo", () => { change(before); show(); (editor || run).focus(); });
      show(element("p", {}, "Back to the first text. ", undo));
    });
    const bar = element("div", { class: "live-bar" }, edit, run, reset);
    run.hidden = reset.hidden = !isExercise;
    code.after(bar, result);
    if (isExercise && stored) stored.hidden = true; // it says that nothing is written yet

    function changed(now) {
      text = now;
      if (isExercise) keep({ [name]: now === first ? null : now });
    }
    function change(to) {
      if (editor) editor.text = to;
      else changed(to);
    }

    function open() {
      opening ??= (async () => {
        const make = await loadEditor();
        code.hidden = edit.hidden = true;
        run.hidden = reset.hidden = false;
        code.after(box, hint);
        editor = make(box, { text, label: what, describedBy: hint.id, onChange: changed, onRun: () => { if (!isRunning) go(); } });
      })();
      return opening;
    }

    const show = (...nodes) => result.replaceChildren(...nodes);

    async function go() {
      const hasStarted = ["ready", "busy"].includes(tkLive.state);
      isRunning = reset.disabled = true;
      run.textContent = "Stop";
      const said = element("p", {}, hasStarted ? "Running." : "Starting Python, once for this page.");
      const progress = element("progress", { max: 1, "aria-label": "Python is being loaded" });
      const printed = element("pre", { class: "live-printed" });
      show(said, ...(hasStarted ? [] : [progress]));
      const before = data.before.map(([cell, lines]) => others.get(cell)?.changed ?? lines);
      const ran = await tkLive.run({
        code: isExercise ? `${text.trimEnd()}\n\n\n${data.check}\n` : text,
        before, name: isExercise ? "your answer" : "this cell", namespace: `${page}/${data.cell}`, reset: true, timeout: bookCells.seconds,
        onProgress: ({ share, text }) => {
          said.textContent = text;
          progress.hidden = share >= 1;
          if (share > 0) progress.value = share;
        },
        onOutput: ({ text }) => {
          if (!printed.isConnected) show(printed);
          printed.textContent += text;
        },
      });
      isRunning = reset.disabled = false;
      run.textContent = isExercise ? "Check" : "Run";
      if (!isExercise && stored) stored.hidden = true;
      show(...inWords(ran));
      for (const pre of result.querySelectorAll("pre")) if (pre.scrollHeight > pre.clientHeight + 1) pre.tabIndex = 0; // it scrolls
      if (isExercise && ran.ok && ran.value?.passed) window.tkProgress?.passed(null, data.name);
    }

    // What a run has come to, as nodes.
    function inWords({ output, value, error }) {
      const nodes = [];
      if (output) nodes.push(element("pre", { class: "live-printed" }, output));
      if (value) {
        const shown = element(value.html ? "div" : "pre", { class: value.html ? "text_html" : "live-printed" });
        if (value.html) shown.innerHTML = value.html;
        else shown.textContent = value.text;
        nodes.push(shown);
      }
      if (error) nodes.push(element("div", { class: "live-error" }, ...explained(error)));
      if (!nodes.length) nodes.push(element("p", {}, "It ran, and printed nothing."));
      return nodes;
    }

    function explained({ message, line, traceback = [], before = null }) {
      const lines = text.trimEnd().split("\n").length, where = [];
      if (before !== null) return [element("p", {}, `A cell that this one needs stopped: ${message}`)];
      for (const step of traceback) {
        if (step.line > lines) continue; // the line of the check, which is not the reader's
        where.push(`line ${step.line}${step.function && step.function !== "<module>" ? `, in ${step.function}` : ""}\n    ${(step.text || "").trim()}`);
      }
      const nodes = [element("p", {}, element("strong", {}, message))];
      if (where.length) nodes.push(element("pre", {}, where.join("\n")));
      else if (isExercise && line > lines) nodes.push(element("p", {}, "What is checked: ", element("code", {}, data.check)));
      return nodes;
    }

    if (text !== first) open();
    return {
      get changed() { return text === first ? undefined : text; },
      refresh() { if (isExercise) { const kept = answers()[name] || first; if (kept !== text) change(kept); } show(); },
    };
  }

  // Above the first exercise: where answers are kept, and how to take them along.
  function answersBox(place, cells) {
    const said = element("p", { role: "status" });
    const file = element("input", { type: "file", accept: ".py,text/x-python", hidden: "" });
    const save = button("Save as a file", () => {
      const link = element("a", { download: "toykit-answers.py", href: URL.createObjectURL(new Blob([asFile(answers())], { type: "text/x-python" })) });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      said.textContent = "Saved as toykit-answers.py, where your browser puts what it downloads.";
    });
    const load = button("Load a file", () => file.click());
    const erase = button("Erase", () => ask(true));
    const yes = button("Erase all answers for good", () => {
      keep(Object.fromEntries(Object.keys(answers()).map((name) => [name, null])));
      cells.forEach((cell) => cell.refresh());
      ask(false);
      said.textContent = "Erased.";
    }, "live-warn");
    const no = button("Keep them", () => ask(false));
    const ask = (isAsked) => {
      for (const one of [save, load, erase]) one.hidden = isAsked;
      for (const one of [yes, no]) one.hidden = !isAsked;
      said.textContent = isAsked ? "Your answers to the exercises of all chapters will be gone." : "";
      (isAsked ? no : erase).focus();
    };
    yes.hidden = no.hidden = true;
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      if (!chosen) return;
      const found = fromFile(await chosen.text()), count = Object.keys(found).length;
      keep(found);
      cells.forEach((cell) => cell.refresh());
      said.textContent = count ? `${count} ${count === 1 ? "answer is" : "answers are"} loaded.` : `${chosen.name} holds no answers that a page of this book has saved.`;
      file.value = "";
    });
    sayWhere();
    place.replaceWith(element("details", { class: "live-answers" },
      summary,
      element("p", {}, "What you have written in all chapters, as one Python file; a file can be loaded here, or in JupyterLab."),
      element("div", { class: "live-bar" }, save, load, erase, yes, no, file), said));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const data = document.getElementById("live-cells");
    if (!data || !window.tkLive?.available) return;
    const { page, cells } = JSON.parse(data.textContent), made = new Map();
    for (const cell of cells) made.set(cell.cell, liveCell(cell, page, made));
    const place = document.querySelector(".live-instead");
    if (place) answersBox(place, [...made.values()]);
  });
})();
