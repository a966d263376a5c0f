// "Weigh your package": a package is chosen or dropped, toykit weighs it in the page's Python, and the tables are drawn here.
(() => {
  "use strict";
  // Another setting than those of the table: techniques, and what each is asked.
  const BITS = [1, 2, 3, 4, 6, 8].map((bits) => [bits, `${bits} bit${bits > 1 ? "s" : ""}`]);
  const FIELDS = {
    sparsity: ["Weights to zero", [0.5, 0.6, 0.7, 0.75, 0.8, 0.9].map((part) => [part, `${Math.round(100 * part)} %`])],
    palette: ["Bits of a palette", BITS],
    tables: ["A table for each", [[0, "weight array"], ...[4, 8, 16, 32].map((size) => [size, `${size} channels`])]],
    linear: ["Bits, linear", [[8, "8 bits"], [4, "4 bits"]]],
    scales: ["A scale for each", [[1, "channel"], [0, "weight array"], ...[16, 32, 64].map((size) => [size, `block of ${size}`])]],
  };
  const prune = ({ sparsity }) => ({ sparsity });
  const palettize = ({ palette, tables }) => ({ bits: palette, ...(tables ? { group_size: tables } : {}) });
  const quantize = ({ linear, scales }) => ({ bits: linear, ...(scales > 1 ? { granularity: "per_block", block_size: scales } : { granularity: scales ? "per_channel" : "per_tensor" }) });
  const SETTINGS = {
    "Palettization": [["palette", "tables"], (values) => ["palettize", palettize(values)]],
    "Linear quantization": [["linear", "scales"], (values) => ["quantize", quantize(values)]],
    "Pruning": [["sparsity"], (values) => ["prune", prune(values)]],
    "Pruning, then a palette": [["sparsity", "palette", "tables"], (values) => ["joint", { prune: prune(values), palettize: palettize(values) }]],
    "Pruning, then linear": [["sparsity", "linear"], (values) => ["joint", { prune: prune(values), quantize: { bits: values.linear } }]],
  };
  const place = document.getElementById("book-weigh"), live = window.tkLive;
  const MODULE = "toykit.weighing", MOST_FILES = 10000, FIRST_ROWS = 20;

  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  };
  const button = (text, onclick, kind = "") => element("button", { type: "button", class: `book-button ${kind}`, onclick }, text);
  const whole = (number) => number.toLocaleString("en-US");
  const fixed = (number, digits) => number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  if (!live || !live.available) {
    place.append(element("p", {}, "This copy of the book was built without Python for the page. On the command line, ",
      element("code", {}, "toykit size Model.mlpackage"), " shows the same."));
    return;
  }

  const picker = (attributes) => element("input", { type: "file", hidden: true, ...attributes, onchange({ target }) {
    const files = [...target.files];
    target.value = ""; // so that the same one can be chosen again
    take(files.map((file) => ({ path: file.webkitRelativePath || file.name, file })));
  } });
  const folder = picker({ webkitdirectory: true, class: "book-folder" }), archive = picker({ accept: ".zip,application/zip", class: "book-archive" });
  const said = element("p", { role: "status" }), bar = element("progress", { max: 1, hidden: true, "aria-label": "Weighing" });
  const stop = button("Stop", () => live.stop());
  const results = element("div", {});
  const frame = element("div", { class: "book-drop" },
    element("div", { class: "book-buttons" }, button("Choose a package's folder", () => folder.click(), "book-first"), button("Choose a zip archive", () => archive.click()), folder, archive),
    element("p", { class: "book-hint" }, `Or drop it here. The first package takes some seconds more, until Python is loaded: ${fixed(live.bytes / 1e6, 0)} MB of this book.`));
  stop.hidden = true;
  place.append(frame, element("div", { class: "book-work" }, said, bar, stop), results);

  // What is dropped: a file as it is, a folder read through.
  frame.addEventListener("dragover", (event) => { event.preventDefault(); frame.classList.add("book-over"); });
  frame.addEventListener("dragleave", () => frame.classList.remove("book-over"));
  frame.addEventListener("drop", async (event) => {
    event.preventDefault();
    frame.classList.remove("book-over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean), plain = [...event.dataTransfer.files];
    try {
      if (entries.length > 1 || plain.length > 1) throw new Error("Several things were dropped: drop one package, or the folder that holds them.");
      if (!entries.length && !plain.length) throw new Error("That is neither a file nor a folder.");
      if (!entries.length || entries[0].isFile) take(plain.map((file) => ({ path: file.name, file })));
      else take(await filesIn(entries[0]));
    } catch (error) {
      tell(error instanceof DOMException ? "Your browser does not let a page read a dropped folder here, because the page is opened from a file: use the button." : error.message);
    }
  });

  async function filesIn(entry, found = []) {
    if (entry.isFile) found.push({ path: entry.fullPath.slice(1), file: await new Promise((done, failed) => entry.file(done, failed)) });
    else {
      const reader = entry.createReader();
      for (;;) { // a reader gives some at a time, and none at the end
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (!some.length) break;
        for (const inner of some) {
          if (found.length > MOST_FILES) return found;
          await filesIn(inner, found);
        }
      }
    }
    return found;
  }

  function tell(text, share) {
    said.textContent = text;
    bar.hidden = stop.hidden = share === undefined;
    if (share === null) bar.removeAttribute("value");
    else if (share !== undefined) bar.value = share;
  }

  // One piece of work at a time: what is asked for meanwhile waits for the reader to ask again.
  let isBusy = false;
  async function ask(called, args, kwargs, files) {
    if (isBusy) return null;
    isBusy = true;
    frame.inert = true;
    place.setAttribute("aria-busy", "true");
    try {
      tell("Starting", null);
      const answer = await live.call(MODULE, called, { args, kwargs, files, onProgress: (share, text) => tell(text, share) });
      tell("");
      return answer;
    } catch (error) {
      tell(sentence(error));
      return null;
    } finally {
      isBusy = frame.inert = false;
      place.removeAttribute("aria-busy");
    }
  }

  function sentence({ kind, type, message }) {
    if (type === "MemoryError") return "This package needs more memory than a page may have: toykit size weighs it on the command line.";
    return kind === "python" && !["ValueError", "PackageError", "FileNotFoundError"].includes(type) ? `${type}: ${message}` : message;
  }

  function take(files) {
    if (isBusy) return;
    results.replaceChildren();
    if (!files.length) tell("There are no files in that folder.");
    else if (files.length > MOST_FILES) tell(`That folder holds more than ${whole(MOST_FILES)} files: choose the .mlpackage itself.`);
    else weigh(files, null);
  }

  async function weigh(files, inside) {
    const source = { $file: files[0].path.split("/")[0] };
    const found = await ask("weigh", [source], { inside }, files);
    if (!found) return;
    if (found.packages) {
      tell(`There are ${found.packages.length} packages in there. Which one?`);
      results.replaceChildren(element("div", { class: "book-buttons" }, ...found.packages.map((name) => button(name, () => weigh(files, name)))));
    } else show(found, source, inside);
  }

  // A table: `columns` as (heading, is it a number); `rows` as cells, the first of which names the row. A cell of bytes
  // has a bar as long as its share of `all`.
  function table(name, columns, rows, all) {
    const kind = (i) => ({ class: columns[i][1] ? "book-number" : "" });
    const cell = (content, i) => {
      const made = element(i ? "td" : "th", { ...kind(i), ...(i ? {} : { scope: "row" }) }, typeof content === "number" ? whole(content) : content);
      if (all && columns[i][0] === "Bytes" && typeof content === "number") made.style.setProperty("--book-share", `${100 * content / all}%`);
      return made;
    };
    const line = (cells) => element("tr", {}, ...cells.map(cell));
    const body = element("tbody", {}, ...rows.map(line));
    const node = element("div", { class: "pst-scrollable-table-container", tabindex: 0, role: "region", "aria-label": name },
      element("table", { class: "table" }, element("thead", {}, element("tr", {}, ...columns.map(([heading], i) => element("th", { scope: "col", ...kind(i) }, heading)))), body));
    return { node, add: (more) => body.append(...more.map(line)) };
  }

  function share(bytes, all) {
    const part = 100 * bytes / Math.max(1, all);
    return part > 0 && part < 0.1 ? "under 0.1 %" : `${fixed(part, 1)} %`;
  }

  function show(found, source, inside) {
    const { report } = found, all = report.bytes;
    const parts = [
      element("h2", { tabindex: -1 }, found.name),
      element("p", {}, element("b", {}, `${fixed(all / 1e6, 2)} MB`), ` = ${fixed(all / 2 ** 20, 2)} MiB, ${whole(all)} bytes; ${whole(report.parameters)} parameters; specification ${found.specification}.`),
      element("h3", {}, "Now"),
      table("Now", [["What"], ["Weights", 1], ["Bytes", 1], ["Share", 1]], [
        ...report.forms.map((form) => [form.type, form.weights, form.bytes, share(form.bytes, all)]),
        ...Object.entries(report.rest).map(([name, bytes]) => [name, "", bytes, share(bytes, all)])], all).node,
      element("h3", {}, "Compressed"),
      ...predictions(report, source, inside),
      element("h3", {}, "Weight by weight"),
      ...weights(report),
    ];
    if (found.explorer) parts.push(element("h3", {}, "The program"), program(found, source, inside));
    results.replaceChildren(...parts.flat());
    parts[0].focus();
  }

  function predictions(report, source, inside) {
    const made = element("div", { class: "book-made" });
    const cells = (one) => {
      const left = Object.entries(one.stays);
      let note = one.problem || "", make = "";
      if (left.length) note = `${left[0][0]}${left.length > 1 ? ` and ${left.length - 1} more` : ""} ${left.length > 1 ? "stay as they are" : "stays as it is"}: ${left[0][1].join("; ")}`;
      else if (!note && one.bytes === report.bytes) note = "all stays as it is: no weight is both large enough and not compressed yet";
      const how = element("span", {}, one.about, ...(note ? [element("small", {}, note)] : []));
      if (one.problem) return [how, "–", "–", ""];
      if (one.bytes !== report.bytes) {
        make = button("Make it", () => produce(one, source, inside, made));
        make.setAttribute("aria-label", `Make it: ${one.about}`);
      }
      return [how, one.bytes, `${one.exact ? "" : "about "}${fixed(report.bytes / Math.max(1, one.bytes), 1)}`, make];
    };
    const drawn = table("Compressed", [["How"], ["Bytes", 1], ["Times smaller", 1], ["A package"]], report.predictions.map(cells), report.bytes);
    return [drawn.node, another((one) => drawn.add([cells(one)]), source, inside), made];
  }

  // A form for another setting; its prediction becomes one more row.
  function another(add, source, inside) {
    const picked = (label, options) => {
      const select = element("select", {}, ...options.map(([value, text]) => element("option", { value }, text)));
      return { select, node: element("label", {}, `${label} `, select) };
    };
    const technique = picked("Technique", Object.keys(SETTINGS).map((name) => [name, name]));
    const fields = Object.fromEntries(Object.entries(FIELDS).map(([name, [label, options]]) => [name, picked(label, options)]));
    fields.palette.select.value = "4";
    const update = () => Object.entries(fields).forEach(([name, { node }]) => { node.hidden = !SETTINGS[technique.select.value][0].includes(name); });
    technique.select.addEventListener("change", update);
    update();
    const weighIt = button("Weigh this", async () => {
      const values = Object.fromEntries(Object.entries(fields).map(([name, { select }]) => [name, Number(select.value)]));
      const [name, options] = SETTINGS[technique.select.value][1](values);
      const one = await ask("predict", [source, name, options], { inside }, []);
      if (one) add(one);
    });
    return element("fieldset", { class: "book-another" }, element("legend", {}, "Another setting"), technique.node, ...Object.values(fields).map(({ node }) => node), weighIt);
  }

  // Compress, offer the archive, then verify it.
  let address = null;
  async function produce({ about, technique, options, bytes }, source, inside, made) {
    made.replaceChildren();
    const small = await ask("compress", [source, technique, options], { inside }, []);
    if (!small) return;
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([small.archive], { type: "application/zip" }));
    const verdict = element("p", {}, "It is being verified: you can save it meanwhile.");
    made.replaceChildren(element("h4", { tabindex: -1 }, `Made: ${about}`),
      element("p", {}, `${whole(small.bytes)} bytes, ${small.bytes === bytes ? "as predicted" : `where ${whole(bytes)} were predicted`}. `, element("a", { href: address, download: `${small.name}.zip` }, `Save ${small.name}.zip`), "."), verdict);
    made.firstChild.focus();
    const found = await ask("verify", [source, small.path], { inside }, []);
    if (!found) verdict.textContent = "It was not verified.";
    else {
      verdict.replaceChildren(element("b", {}, found.ok ? "Verified" : "Not verified"), found.ok ? " against your package: every compressed weight is what its form promises, and everything else is as it was." : `: ${found.problems.join("; ")}.`);
      verdict.after(element("details", {}, element("summary", {}, "All that was looked at, as toykit verify says it"), element("pre", { tabindex: 0 }, found.text)));
    }
  }

  function weights(report) {
    const sorted = [...report.weights].sort((a, b) => b.bytes - a.bytes);
    const rows = sorted.map((row) => [row.name, row.bytes, share(row.bytes, report.bytes), row.parameters, row.shape.join("×"), `${row.type} ${row.form}`.trim(), row.operation]);
    const made = table("Weight by weight", [["Name"], ["Bytes", 1], ["Share", 1], ["Parameters", 1], ["Shape"], ["Type"], ["Operation"]], rows.slice(0, FIRST_ROWS), report.bytes);
    if (rows.length <= FIRST_ROWS) return [made.node];
    const more = button(`Show all ${whole(rows.length)} weights`, () => { made.add(rows.slice(FIRST_ROWS)); more.remove(); made.node.focus(); });
    return [element("p", {}, "The largest first."), made.node, more];
  }

  // The explorer of the chapter about packages. Of several functions, or models in a pipeline, one is drawn at a time.
  function program({ explorer, programs, name }, source, inside) {
    const drawn = element("div", {});
    const draw = (contents) => {
      const first = contents.constants.length ? contents.constants[0][0] : 0;
      drawn.replaceChildren();
      window.tkExplorer(drawn, { ...contents, label: `Inside ${name}`, selected: first, operator: "" });
    };
    draw(explorer);
    if (programs.length < 2) return [drawn];
    const select = element("select", { id: "book-program", async onchange() {
      const contents = await ask("explore", [source, ...programs[select.selectedIndex]], { inside }, []);
      if (contents) draw(contents);
    } }, ...programs.map(([number, called]) => element("option", {}, number === null ? called : `model ${number}, ${called}`)));
    return [element("p", {}, element("label", { for: "book-program" }, "Function "), select), drawn];
  }
})();
