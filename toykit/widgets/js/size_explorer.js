// Bytes of a model under one setting: a bar for each layer, and the whole beside what it was.
export default tk.instrument("size_explorer", (view) => {
  const { svg, html, number } = tk;
  const layers = view.get("layers"), notes = view.get("notes");
  const count = layers.length, sum = (values) => values.reduce((a, b) => a + b, 0);
  // Bytes are in 32 bits where all fit, else in floats.
  const wide = view.get("before").byteLength > 4 * count, bytes = (name) => tk.array(view.get(name), wide ? Float64Array : Int32Array);
  const before = bytes("before"), sizes = bytes("sizes"), besides = bytes("besides");
  const beforeTotal = sum(before);
  const totals = [], besidesTotals = [];
  for (let at = 0; at < sizes.length; at += count) {
    totals.push(sum(sizes.subarray(at, at + count)));
    besidesTotals.push(sum(besides.subarray(at, at + count)));
  }
  const tallest = Math.max(...before, ...sizes), longest = Math.max(beforeTotal, ...totals);
  const named = { prune: "the bit mask", quantize: "scales", palettize: "look-up tables", joint: "mask and tables" };
  let technique, row = 0, width = 0;

  // Everything is drawn with a handful of paths, whose outlines are all that changes with a setting.
  const path = (fill) => svg("path", { fill });
  const old = path("none"), kept = path("var(--tk-accent)"), extra = path("var(--tk-ink)");
  old.setAttribute("stroke", "var(--tk-edge)");
  const texts = { top: svg("text", { class: "tk-soft", y: 13 }), axis: svg("text", { class: "tk-soft" }), rest: svg("text", { class: "tk-soft", "text-anchor": "end" }),
    was: svg("text", {}), is: svg("text", { style: "font-weight:700" }) };
  const picture = svg("svg", { role: "img" }, old, kept, extra, ...Object.values(texts));
  view.stage.append(picture);
  const big = html("p", { class: "tk-headline" }), small = html("p", { class: "tk-soft" });
  view.readout.append(big, small);

  const mb = (bytes) => `${number(bytes / 1e6, 2)} MB`;
  const box = (x, y, w, h) => `M${x.toFixed(1)} ${y.toFixed(1)}h${w.toFixed(1)}v${h.toFixed(1)}h${(-w).toFixed(1)}z`;

  function draw() {
    if (!width || !technique) return;
    const base = 150, top = 22, first = row * count, slot = width / (count + 1.5), bar = Math.max(1, slot * 0.78);
    const scale = (base - top) / tallest;
    let dOld = "", dKept = "", dExtra = "";
    for (let i = 0; i < count; i++) {
      const x = (i + (i === count - 1 ? 1.2 : 0)) * slot;
      const is = sizes[first + i] * scale, added = besides[first + i] * scale;
      dOld += box(x, base - before[i] * scale, bar, before[i] * scale);
      dKept += box(x, base - is + added, bar, is - added);
      if (added > 0) dExtra += box(x, base - is, bar, added);
    }
    const line = base + 50, gap = 46, across = (width - 2) / longest;
    const is = totals[row] * across, added = besidesTotals[row] * across;
    dOld += box(1, line, beforeTotal * across, 16);
    dKept += box(1, line + gap, is - added, 16);
    if (added > 0) dExtra += box(1 + is - added, line + gap, added, 16);
    old.setAttribute("d", dOld);
    kept.setAttribute("d", dKept);
    extra.setAttribute("d", dExtra);
    texts.was.textContent = `before: ${mb(beforeTotal)}`;
    texts.is.textContent = `${technique.label.toLowerCase()}: ${mb(totals[row])}`;
    texts.top.textContent = width > 480 ? `bytes of each layer; the outline is before, ${mb(Math.max(...before))} at most` : "bytes of each layer; outline: before";
    texts.axis.textContent = "first layer to last";
    texts.rest.textContent = width > 480 ? "everything else" : "rest";
  }

  function say() {
    const factor = beforeTotal / totals[row];
    big.replaceChildren(html("strong", {}, `${mb(totals[row])}`), ` (${number(totals[row] / 2 ** 20, 2)} MiB), `,
      factor >= 1 ? `${number(factor, 2)} times smaller` : `${number(1 / factor, 2)} times larger`, ` than ${mb(beforeTotal)}.`);
    const share = 100 * besidesTotals[row] / totals[row];
    small.textContent = `${tk.bytes(besidesTotals[row])} of it (${number(share, share < 1 ? 2 : 0)} %, the end of the bar) hold no weights: ${named[technique.name]}.`
      + (notes[row] ? ` ${notes[row]}.` : "");
    picture.setAttribute("aria-label", `Bars, one a layer, and the whole model: ${mb(totals[row])} where it was ${mb(beforeTotal)}`);
  }

  view.grid(view.get("techniques"), (chosen, setting) => {
    technique = chosen;
    row = setting;
    draw();
    say();
  });
  view.onSize(() => {
    width = view.stage.clientWidth;
    picture.setAttribute("viewBox", `0 0 ${width} 268`);
    picture.setAttribute("height", 268);
    texts.axis.setAttribute("y", 168);
    texts.rest.setAttribute("y", 168);
    texts.rest.setAttribute("x", width);
    texts.was.setAttribute("y", 194);
    texts.is.setAttribute("y", 240);
    draw();
  });
});
