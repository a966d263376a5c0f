// A layer and its compressed self as heat maps, its histogram with the levels, and where the setting
// lies among all others in bits and error.
export default tk.instrument("explore", (view) => {
  const { html, number } = tk;
  const [rows, columns] = view.get("excerpt"), shape = view.get("shape"), limit = view.get("limit");
  const original = tk.array(view.get("original"), Uint8Array), frames = tk.array(view.get("frames"), Uint8Array);
  const levels = tk.array(view.get("levels"), Int16Array), counts = view.get("level_counts");
  const histogram = view.get("histogram"), figures = view.get("figures"), techniques = view.get("techniques");
  const size = shape.reduce((a, b) => a * b, 1), highest = Math.sqrt(Math.max(...histogram));
  const starts = [];
  counts.reduce((sum, n, i) => { starts[i] = sum; return sum + n; }, 0);
  let technique = techniques[0], row = 0, colors = null;

  const rgb = (name) => view.color(name).match(/\w\w/g).map((hex) => parseInt(hex, 16));
  const bitsOf = (i) => (8 * figures[i][0]) / size;

  // Orange below zero, blue above, the page's own colour at zero, and a grey for what is exactly zero.
  function palette() {
    const table = new Uint32Array(256), [low, zero, high, none] = ["quantization", "paper", "pruning", "line"].map(rgb);
    for (let i = 1; i < 256; i++) {
      const t = (i - 128) / 127, end = t < 0 ? low : high, mix = Math.abs(t) ** 0.7;
      const [r, g, b] = zero.map((from, k) => Math.round(from + (end[k] - from) * mix));
      table[i] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
    table[0] = (255 << 24) | (none[2] << 16) | (none[1] << 8) | none[0];
    return table;
  }

  // The weights are painted one pixel each and then enlarged without smoothing: sharp at any size.
  const small = html("canvas", { width: columns, height: rows }), pen = small.getContext("2d");
  const image = pen.createImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
  const heat = (codes) => (context, width, height) => {
    colors ??= palette();
    const from = codes();
    for (let i = 0; i < pixels.length; i++) pixels[i] = colors[from[i]];
    pen.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, width, height);
    context.drawImage(small, 0, 0, width, height);
  };
  const tall = (width) => Math.round(width * Math.min(1, Math.max(0.3, rows / columns)));

  function drawHistogram(context, width, height) {
    context.clearRect(0, 0, width, height);
    const base = height - 18, slot = width / histogram.length, x = (t) => ((t + 1) / 2) * width;
    const at = levels.subarray(starts[row], starts[row] + counts[row]);
    const cut = technique.name === "prune" && at.length ? at[0] / 32767 : 0;
    histogram.forEach((count, i) => {
      const middle = (2 * (i + 0.5)) / histogram.length - 1;
      context.fillStyle = view.color(Math.abs(middle) <= cut ? "line" : "edge");
      const up = (Math.sqrt(count) / highest) * (base - 6);
      context.fillRect(i * slot, base - up, Math.max(0.6, slot - 0.6), up);
    });
    context.fillStyle = view.color(technique.color);
    const marks = cut ? [-cut, cut] : Array.from(at, (v) => v / 32767);
    const thick = marks.length > 100 ? 0.5 : marks.length > 20 ? 1 : 2;
    for (const t of marks) context.fillRect(x(t) - thick / 2, cut ? 0 : base - 14, thick, cut ? base : 18);
    context.fillStyle = view.color("soft");
    context.font = "11px system-ui, sans-serif";
    const end = limit >= 100 || limit < 0.001 ? limit.toExponential(1) : limit.toPrecision(2);
    context.fillText(`\u2212${end}`, 1, height - 4);
    context.textAlign = "center";
    context.fillText("0", width / 2, height - 4);
    context.textAlign = "right";
    context.fillText(end, width - 1, height - 4);
    context.textAlign = "left";
  }

  const known = figures.map(([, snr]) => snr).filter((snr) => snr !== null);
  const best = Math.max(10, ...known) * 1.05;
  function drawPlane(context, width, height) {
    context.clearRect(0, 0, width, height);
    const left = 26, base = height - 18;
    const most = Math.max(18, ...figures.map((_, i) => Math.min(bitsOf(i), 40)));
    const x = (bits) => left + (Math.min(bits, most) / most) * (width - left - 8);
    const y = (snr) => base - (Math.max(0, snr === null ? best : snr) / best) * (base - 8);
    context.strokeStyle = view.color("line");
    context.lineWidth = 1;
    context.strokeRect(left, 4, width - left - 4, base - 4);
    context.fillStyle = view.color("soft");
    context.font = "11px system-ui, sans-serif";
    for (const bits of [4, 8, 16]) context.fillText(String(bits), x(bits) - (bits > 9 ? 6 : 3), height - 4);
    for (const snr of [0, 20, 40, 60]) if (snr < best) context.fillText(String(snr), 6, y(snr) + 4);
    const dot = (i, radius, color) => {
      context.fillStyle = color;
      context.beginPath();
      context.arc(x(bitsOf(i)), y(figures[i][1]), radius, 0, 7);
      context.fill();
    };
    techniques.forEach((t) => {
      const settings = t.axes.reduce((n, axis) => n * axis.values.length, 1);
      for (let i = t.first; i < t.first + settings; i++) dot(i, t === technique ? 3 : 2, view.color(t === technique ? t.color : "edge"));
    });
    context.strokeStyle = view.color("ink");
    context.lineWidth = 2;
    dot(row, 6, view.color(technique.color));
    context.stroke();
  }

  view.root.prepend(html("p", { class: "tk-title" }, view.get("label")));
  const maps = [
    view.canvas({ label: "The weights as they were", height: tall, draw: heat(() => original) }),
    view.canvas({ label: "The weights after compression", height: tall, draw: heat(() => frames.subarray(row * rows * columns, (row + 1) * rows * columns)) }),
    view.canvas({ label: "Histogram of the weights", height: 130, draw: drawHistogram }),
    view.canvas({ label: "Error against bits of all settings", height: 130, draw: drawPlane }),
  ];
  const captions = ["Original", "", "", "Signal to noise (dB) against bits a weight; all settings, and this one"].map((text) => html("figcaption", {}, text));
  const figure = (i) => html("figure", {}, maps[i].node, captions[i]);
  const part = rows * columns === size ? "all" : `the first ${rows} x ${columns} of`;
  view.stage.append(
    html("div", { class: "tk-pair" }, figure(0), figure(1)),
    html("p", { class: "tk-soft tk-note" }, `Shown: ${part} ${number(size)} weights (${shape.join(" x ")}). Blue is positive, orange negative, grey exactly zero.`),
    html("div", { class: "tk-pair tk-graphs" }, figure(2), figure(3)));
  const headline = html("p", { class: "tk-headline" }), detail = html("p", { class: "tk-soft" });
  view.readout.append(headline, detail);
  view.onTheme(() => { colors = null; });

  function caption() {
    if (technique.name === "prune") return counts[row] ? "Histogram (square root of the count); the light part is dropped" : "Histogram (square root of the count)";
    const name = technique.axes.find((axis) => ["granularity", "tables"].includes(axis.name));
    const own = name && !["per_tensor", "all"].includes(view.get(name.name)) ? " of the first " + name.words[name.values.indexOf(view.get(name.name))] : "";
    return `Histogram (square root of the count) with the ${counts[row]} values in use${own}`;
  }

  view.grid(techniques, (chosen, setting) => {
    technique = chosen;
    row = setting;
    const [bytes, snr, largest] = figures[row];
    captions[1].textContent = chosen.label;
    captions[2].textContent = caption();
    headline.replaceChildren(html("strong", {}, tk.bytes(bytes)), `, ${number(bitsOf(row), 2)} bits a weight: `,
      2 * size >= bytes ? `${number((2 * size) / bytes, 2)} times smaller than float16.` : `${number(bytes / (2 * size), 2)} times larger than float16.`);
    detail.textContent = snr === null ? "Nothing is lost: the weights that run are the weights that were."
      : `Signal to noise ${number(snr, 1)} dB: the typical error is ${number(100 * 10 ** (-snr / 20), snr > 40 ? 2 : 1)} % of the typical weight. Largest error ${largest}.`;
    maps[1].node.setAttribute("aria-label", `The weights after compression: ${chosen.label}, ${number(bitsOf(row), 2)} bits a weight`);
    maps.slice(1).forEach((map) => map.paint());
  });
});
