// A package: its files, the operations of its program with what flows between them, and weight.bin,
// where the constants of the chosen operation are marked.
export default tk.instrument("package", (view) => {
  const { svg, html, number } = tk;
  const words = view.get("words"), meanings = view.get("meanings"), ROW = 28, LANE = 6, MOST_LANES = 8;
  const FORMS = [["float", "not compressed"], ["pruning", "pruned"], ["quantization", "quantized"], ["palettization", "palettized"], ["joint", "joint"]];
  const steps = view.get("steps").map(([op, name, depth, takes, gives, settings, form]) => ({
    op: words[op], name, depth, form: words[form],
    takes: takes.map(([parameter, from, which = 0]) => ({ parameter: words[parameter], from, which })),
    gives: gives.map(([own, type]) => ({ name: own || name, type: words[type] })),
    settings: settings.map(([parameter, value]) => `${words[parameter]} ${words[value]}`),
    constants: [], users: [], bytes: 0,
  }));
  const weights = view.get("weights"), blobs = [];
  weights.forEach(([file, , places]) => places.forEach(([record, lead, bytes]) => blobs.push({ file, record, data: record + lead, bytes, form: 0, users: [] })));
  view.get("constants").forEach(([step, parameter, name, type, form, technique, place]) => {
    const constant = { parameter: words[parameter], name, type: words[type], form: words[form], technique, blob: blobs[place] };
    steps[step].constants.push(constant);
    steps[step].bytes += blobs[place].bytes;
    blobs[place].form = technique;
    blobs[place].users.push({ step, constant });
  });
  steps.forEach((step, at) => new Set(step.takes.map((take) => take.from)).forEach((from) => {
    if (typeof from === "number") steps[from].users.push(at);
  }));
  const largest = Math.max(1, ...steps.map((step) => step.bytes));
  const decompresses = (step) => step.op.startsWith("constexpr_");
  const shape = (type) => (/\[(.*)\]$/.exec(type) || ["", type])[1].replaceAll(", ", "\u00d7") || "scalar";
  const exact = (bytes) => `${number(bytes)} byte${bytes === 1 ? "" : "s"}`;
  const fill = (form) => `var(--tk-${FORMS[form][0]})`;
  let shown = [], query = "", focus = null, width = 0;

  // What an operation stores: its own constants, and those of the operators that decompress for it.
  function stored(at, seen = new Set()) {
    if (seen.has(at)) return [];
    seen.add(at);
    return [...steps[at].constants, ...steps[at].takes.flatMap(({ from }) =>
      (typeof from === "number" && decompresses(steps[from]) ? stored(from, seen) : []))];
  }

  // The files.
  const files = view.get("files").map(([path, bytes]) => ({ path, bytes })), whole = files.reduce((sum, file) => sum + file.bytes, 0);
  const inks = ["var(--tk-soft)", "var(--tk-edge)", "var(--tk-line)"];
  files.sort((a, b) => b.bytes - a.bytes).forEach((file, i) => { file.ink = inks[Math.min(i, inks.length - 1)]; });
  const share = (bytes) => { const part = 100 * bytes / whole; return part < 0.1 ? "under 0.1 %" : `${number(part, 1)} %`; };
  view.root.prepend(
    html("p", { class: "tk-title" }, view.get("label")),
    html("div", { class: "tk-pk-files" },
      html("div", { class: "tk-pk-bar", "aria-hidden": "true" }, ...files.map((file) => html("span", { style: `flex:${file.bytes} 0 3px;background:${file.ink}` }))),
      html("ul", { "aria-label": `Files, ${exact(whole)} together` }, ...files.map((file) => html("li", {},
        html("i", { class: "tk-pk-swatch", style: `background:${file.ink}` }), html("span", { class: "tk-pk-path" }, file.path.split("/").pop()),
        html("span", { class: "tk-soft" }, `${exact(file.bytes)}, ${share(file.bytes)}`))))));

  // The controls.
  const counts = new Map();
  steps.forEach((step) => counts.set(step.op, (counts.get(step.op) || 0) + 1));
  const compressed = steps.filter(decompresses).length;
  const options = [["", `all (${steps.length})`], ...(compressed ? [["constexpr_", `all that decompress (${compressed})`]] : []),
    ...[...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([op, count]) => [op, `${op} (${count})`])];
  const searchId = tk.newId();
  const search = html("input", { type: "search", id: searchId, autocomplete: "off", spellcheck: "false", "data-lm-suppress-shortcuts": "true",
    oninput: () => { query = search.value.trim().toLowerCase(); filter(); },
    onkeydown: (event) => {
      if (!["Enter", "ArrowDown"].includes(event.key) || !shown.length) return;
      event.preventDefault();
      if (!shown.includes(view.get("selected"))) choose(shown[0]);
      list.focus();
    } });
  const operator = view.choice({ label: "Operator", trait: "operator", options, many: true });
  view.controls.classList.add("tk-two");
  view.controls.append(operator.node, html("div", { class: "tk-control" }, html("label", { for: searchId }, "Search names and shapes"), search));

  // The list, with what flows drawn at its side.
  const count = html("p", { class: "tk-soft tk-pk-note" });
  const flow = svg("svg", { "aria-hidden": "true", class: "tk-pk-flow" });
  const listId = tk.newId(), optionId = (at) => `${listId}-${at}`;
  const list = html("div", { class: "tk-pk-list", role: "listbox", tabindex: 0, id: listId, "aria-label": "Operations, in the order of the program", "data-lm-suppress-shortcuts": "true", onkeydown: walk });
  const scroller = html("div", { class: "tk-pk-scroll" }, flow, list);
  const rows = new Map(steps.map((step, at) => {
    const second = html("span", { class: "tk-pk-second" });
    const row = html("div", { role: "option", id: optionId(at), "aria-selected": "false", class: "tk-pk-row",
      onclick: () => { choose(at); list.focus({ preventScroll: true }); } },
      html("span", { class: decompresses(step) ? "tk-pk-op tk-pk-dashed" : "tk-pk-op", style: step.depth ? `margin-left:${0.8 * step.depth}em` : null }, step.op), second,
      html("span", { class: "tk-pk-stored" }, ...(step.bytes ? [html("i", { style: `width:${Math.max(2, 100 * step.bytes / largest)}%;background:${fill(step.constants[0].technique)}` }), html("span", {}, tk.bytes(step.bytes))] : [])));
    return [at, { row, second }];
  }));

  // Each connection that passes over rows gets the innermost lane that is free all along.
  function lanes(edges) {
    const taken = [];
    for (const edge of edges.filter((one) => one.to - one.from > 1).sort((a, b) => a.to - a.from - (b.to - b.from))) {
      let lane = 0;
      while (lane < MOST_LANES - 1 && (taken[lane] || []).some((other) => other.from < edge.to && edge.from < other.to)) lane += 1;
      (taken[lane] ??= []).push(edge);
      edge.lane = lane;
    }
    return taken.length;
  }

  let edges = [], dots = [];
  function drawFlow() {
    const place = new Map(shown.map((at, i) => [at, i]));
    edges = shown.flatMap((at) => [...new Set(steps[at].takes.map((take) => take.from))].filter((from) => place.has(from))
      .map((from) => ({ source: from, target: at, from: place.get(from), to: place.get(at) })));
    const x = 10 + LANE * lanes(edges), y = (i) => ROW * (i + 0.5);
    for (const edge of edges) {
      const left = x - 6 - LANE * (edge.lane || 0), a = y(edge.from), b = y(edge.to);
      edge.path = svg("path", { class: "tk-pk-edge", d: edge.lane === undefined ? `M${x} ${a}V${b}` : `M${x} ${a}h-2Q${left} ${a} ${left} ${a + 9}V${b - 9}Q${left} ${b} ${x - 2} ${b}h2` });
    }
    dots = shown.map((at, i) => svg("circle", { cx: x, cy: y(i), r: 4, class: decompresses(steps[at]) ? "tk-pk-dot tk-pk-open" : "tk-pk-dot",
      style: steps[at].constants.length ? `--tk-own:${fill(steps[at].constants[0].technique)}` : null }));
    flow.replaceChildren(...edges.map((edge) => edge.path), ...dots);
    flow.setAttribute("height", ROW * shown.length);
    flow.style.width = `${x + 8}px`;
    list.style.setProperty("--tk-gutter", `${x + 8}px`);
  }

  function filter() {
    const op = view.get("operator");
    const fits = (step) => (!op || step.op === op || (op === "constexpr_" && decompresses(step)))
      && (!query || [step.op, step.name, ...step.gives.flatMap((one) => [one.name, one.type, shape(one.type)]), ...step.constants.map((one) => one.name)].some((text) => text.toLowerCase().includes(query)));
    shown = steps.map((step, at) => at).filter((at) => fits(steps[at]));
    shown.forEach((at) => {
      const { row, second } = rows.get(at);
      second.textContent = query ? steps[at].name : decompresses(steps[at]) || !steps[at].gives.length ? "" : shape(steps[at].gives[0].type);
      row.classList.toggle("tk-pk-whole", !second.textContent);
    });
    list.replaceChildren(...shown.map((at) => rows.get(at).row));
    count.textContent = shown.length === steps.length ? `${steps.length} operations, in the order of the program` : `${shown.length} of ${steps.length} operations`;
    drawFlow();
    mark();
  }

  function walk(event) {
    const at = shown.indexOf(view.get("selected")), page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
    const moves = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 };
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey || !shown.length) return;
    event.preventDefault();
    choose(shown[Math.min(shown.length - 1, Math.max(0, moves[event.key]))]);
  }

  function choose(at, blob = null) {
    focus = blob;
    if (at === view.get("selected")) update();
    else view.set("selected", at);
  }

  // The chosen row, and its connections, in the list.
  function mark() {
    const at = view.get("selected"), i = shown.indexOf(at);
    rows.forEach(({ row }, other) => row.setAttribute("aria-selected", String(other === at)));
    if (i < 0) list.removeAttribute("aria-activedescendant");
    else list.setAttribute("aria-activedescendant", optionId(at));
    edges.forEach((edge) => edge.path.classList.toggle("tk-pk-on", edge.source === at || edge.target === at));
    edges.filter((edge) => edge.source === at || edge.target === at).forEach((edge) => flow.insertBefore(edge.path, dots[0]));
    if (i < 0) return;
    // The list scrolls, the page does not.
    if (i * ROW < scroller.scrollTop) scroller.scrollTop = Math.max(0, (i - 1) * ROW);
    else if ((i + 1) * ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = (i + 2) * ROW - scroller.clientHeight;
  }

  // The details.
  const details = html("div", { class: "tk-pk-details", role: "region", tabindex: 0, "aria-label": "The chosen operation" });
  const jump = (to) => html("button", { type: "button", class: "tk-quiet tk-pk-jump", "aria-label": `Go to operation ${to + 1}, ${steps[to].op}`, onclick: () => choose(to) }, `${to + 1} ${steps[to].op}`);
  const inputs = new Map(view.get("inputs")), outputs = new Set(view.get("outputs"));

  function source({ parameter, from, which }) {
    if (typeof from !== "number") return html("li", {}, html("b", {}, parameter), inputs.has(from) ? ` input ${from} ` : ` ${from} `,
      html("span", { class: "tk-soft" }, inputs.get(from) || "from the block that it is in"));
    return html("li", {}, html("b", {}, parameter), " ", jump(from), " ", html("span", { class: "tk-soft" }, (steps[from].gives[which] || { type: "" }).type));
  }

  function card({ parameter, name, type, form, technique, blob }) {
    const file = weights.length > 1 ? `${blob.file}: ` : "";
    const others = blob.users.length > 1 ? `; used ${blob.users.length} times` : "";
    return html("li", { style: `border-color:${fill(technique)}` }, html("div", { class: "tk-pk-part" }, html("span", {}, html("b", {}, parameter), ` ${type}`), html("span", { class: "tk-pk-bytes" }, exact(blob.bytes))),
      html("div", { class: "tk-soft" }, technique || !type.startsWith(form) ? form : "not compressed", others),
      html("div", { class: "tk-soft" }, `${file}record at ${number(blob.record)}, data from ${number(blob.data)}`),
      name ? html("div", { class: "tk-soft tk-pk-name" }, name) : null);
  }

  function section(title, items, className = "") {
    return items.length ? [html("div", { class: "tk-pk-head" }, title), html("ul", { class: className }, ...items)] : [];
  }

  function describe() {
    const at = view.get("selected"), step = steps[at], all = stored(at);
    const own = new Set(step.constants), inherited = all.filter((constant) => !own.has(constant));
    const total = all.reduce((sum, one) => sum + one.blob.bytes, 0);
    details.replaceChildren(
      html("p", { class: "tk-pk-chosen" }, html("span", { class: "tk-soft" }, `${at + 1} of ${steps.length} `), html("strong", {}, step.op), html("span", { class: "tk-soft tk-pk-name" }, step.name)),
      html("p", {}, meanings[step.op]),
      ...(step.form ? [html("p", {}, `Stored: ${step.form}.`)] : []),
      ...section("Takes", step.takes.map(source)),
      ...section("Constants", step.constants.map(card), "tk-pk-cards"),
      ...section("Decompressed for it", inherited.map(card), "tk-pk-cards"),
      ...section("Gives", step.gives.map(({ name, type }) => html("li", {}, html("b", {}, type), html("span", { class: "tk-soft tk-pk-name" }, outputs.has(name) ? `${name}, an output of the program` : name)))),
      ...section("Used by", step.users.length ? [html("li", { class: "tk-pk-users" }, ...step.users.map(jump))] : []),
      ...section("Settings", step.settings.length ? [html("li", { class: "tk-soft tk-pk-name" }, step.settings.join("; "))] : []));
    details.scrollTop = 0;
    view.readout.textContent = `Operation ${at + 1}, ${step.op}: ${step.gives.map((one) => one.type).join(", ")}. `
      + (all.length ? `It uses ${all.length === 1 ? "one array" : `${all.length} arrays`} of the weight file, ${exact(total)}.` : "It uses nothing of the weight file.");
  }

  // The weight file, to scale, and the neighbourhood of the largest constant in focus.
  const layers = FORMS.map((_, form) => svg("path", { fill: fill(form) }));
  const chosen = svg("path", { class: "tk-pk-chosen-part" }), frame = svg("path", { class: "tk-pk-frame" });
  const near = FORMS.map((_, form) => svg("path", { fill: fill(form) })), records = svg("path", { fill: "var(--tk-ink)" });
  const strip = svg("svg", { role: "img", class: "tk-pk-strip", height: 34, onclick: (event) => hit(event) }, ...layers, chosen);
  const zoom = svg("svg", { role: "img", class: "tk-pk-strip", height: 26, onclick: (event) => hit(event) }, ...near, records, frame);
  const where = html("p", { class: "tk-soft tk-pk-note" });
  const used = FORMS.map(([, label], form) => ({ label, form, bytes: blobs.filter((blob) => blob.form === form).reduce((sum, blob) => sum + blob.bytes, 0) })).filter((one) => one.bytes);
  const box = (x, y, w, h) => `M${x.toFixed(2)} ${y}h${w.toFixed(2)}v${h}h${(-w).toFixed(2)}z`;
  let spans = [], nearSpans = [];

  function drawStrip() {
    if (!width || !blobs.length) return;
    // Every array is at least a pixel wide, as long as there are pixels enough; the rest goes by bytes.
    const least = Math.min(1, width / (2 * blobs.length)), all = blobs.reduce((sum, blob) => sum + blob.bytes, 0) || 1;
    const scale = (width - least * blobs.length) / all;
    let x = 0;
    spans = blobs.map((blob) => { const from = x; x += least + blob.bytes * scale; return [from, x, blob]; });
    layers.forEach((layer, form) => layer.setAttribute("d", spans.filter((span) => span[2].form === form)
      .map(([from, to]) => box(from, 0, Math.max(least * 0.8, to - from - (to - from > 2 ? 0.6 : 0)), 22)).join("")));
    strip.setAttribute("viewBox", `0 0 ${width} 34`);
    zoom.setAttribute("viewBox", `0 0 ${width} 26`);
    markStrip();
  }

  function markStrip() {
    if (!width || !blobs.length) return;
    const mine = stored(view.get("selected")).map((constant) => constant.blob), step = steps[view.get("selected")];
    chosen.setAttribute("d", spans.filter((span) => mine.includes(span[2])).map(([from, to]) => {
      const middle = (from + to) / 2, half = Math.max(3, (to - from) / 2);
      return `M${(middle - half).toFixed(1)} 33v-5H${(middle + half).toFixed(1)}v5z`;
    }).join(""));
    const at = mine.includes(focus) ? focus : mine.reduce((best, blob) => (!best || blob.bytes > best.bytes ? blob : best), null);
    zoom.style.visibility = at ? "" : "hidden"; // so that nothing below it jumps
    strip.setAttribute("aria-label", `The weight file, ${blobs.length} arrays. ${step.op} uses ${mine.length} of them.`);
    if (!at) {
      where.textContent = `${step.op} uses nothing of the weight file. Click on a part of it to see what does.`;
      return;
    }
    const length = at.data - at.record + at.bytes, from = at.record - 0.2 * length, scale = width / (1.4 * length);
    const place = (byte) => Math.min(width, Math.max(0, (byte - from) * scale));
    const inView = blobs.filter((blob) => blob.file === at.file && place(blob.data + blob.bytes) > 0 && place(blob.record) < width);
    nearSpans = inView.map((blob) => [place(blob.record), place(blob.data + blob.bytes), blob]);
    near.forEach((layer, form) => layer.setAttribute("d", inView.filter((blob) => blob.form === form)
      .map((blob) => box(place(blob.data), 4, Math.max(0.5, place(blob.data + blob.bytes) - place(blob.data)), 18)).join("")));
    records.setAttribute("d", inView.filter((blob) => place(blob.record) > 0).map((blob) => box(place(blob.record), 4, Math.max(1.5, place(blob.data) - place(blob.record)), 18)).join(""));
    frame.setAttribute("d", box(place(at.record) - 1.5, 1, (length * scale) + 3, 24));
    const { constant } = at.users.find((user) => mine.includes(user.constant.blob)) || at.users[0];
    zoom.setAttribute("aria-label", `Enlarged: ${constant.parameter}, record at byte ${at.record}, data from byte ${at.data}`);
    where.textContent = `Enlarged: ${constant.parameter}, ${constant.type}. Its record, the mark at its left, is at byte ${number(at.record)}; its ${exact(at.bytes)} of data start at ${number(at.data)}.`;
  }

  function hit(event) {
    const drawn = event.currentTarget.getBoundingClientRect(); // on a slide it may be larger than it was made
    const at = (event.clientX - drawn.left) * (width / drawn.width);
    const found = (event.currentTarget === zoom ? nearSpans : spans).find(([from, to]) => at >= from - 0.5 && at <= to + 0.5);
    if (found && found[2].users.length) choose(found[2].users[0].step, found[2]);
  }

  function update() {
    mark();
    describe();
    markStrip();
  }

  view.stage.append(
    html("div", { class: "tk-pk" }, html("div", { class: "tk-pk-left" }, count, scroller), details),
    ...(blobs.length ? [html("div", { class: "tk-pk-file" },
      html("p", { class: "tk-pk-head" }, weights.map(([name, bytes]) => `${name.split("/").pop()}, ${exact(bytes)}, ${number(blobs.length)} arrays`).join("; ")),
      strip,
      html("ul", { class: "tk-pk-legend" }, ...used.map((one) => html("li", {}, html("i", { class: "tk-pk-swatch", style: `background:${fill(one.form)}` }), `${one.label} ${tk.bytes(one.bytes)}`))),
      zoom, where)] : []));
  view.on("operator", filter);
  view.on("selected", update);
  view.onSize(() => { width = strip.parentNode ? strip.clientWidth : 0; drawStrip(); mark(); });
  filter();
  update();
});
