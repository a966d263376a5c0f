// Size against accuracy over two sliders, a layer's weights and the tuner's answer; all of it measured beforehand.
export default tk.instrument("accuracy", (view) => {
  const { html, svg, number, bytes, array } = tk;
  const { sliders, colors, pruned, palettes, layers, scores, tasks, tones, rate, tones_of_each: asked, first_cents: firstCents, others = [] } = view.get("content");
  const names = scores.map(([name]) => name), wording = Object.fromEntries(scores), small = !tones.length;
  const right = array(view.get("right"), Uint16Array), sizes = array(view.get("nbytes"), Uint32Array);
  const heard = array(view.get("heard"), Float32Array), answers = array(view.get("answers"), Uint8Array);
  const histograms = array(view.get("histograms"), Uint8Array), sounds = array(view.get("sounds"), Int16Array);
  const settings = pruned.length * palettes.length, cells = settings * layers.length;
  const bins = histograms.length / cells, shown = answers.length / (cells * tones.length);
  // The place of a setting in the arrays: shares pruned, palettes, layers.
  const place = (p = view.get("pruned"), b = view.get("palette"), layer = view.get("layer")) => (p * palettes.length + b) * layers.length + layer;
  const trained = () => place(0, 0);
  const share = (at, score = view.get("score")) => right[at * names.length + names.indexOf(score)] / asked;
  const percent = (part) => `${number(100 * part, 1)} %`;

  const title = html("p", { class: "tk-title" });
  view.root.prepend(title);
  const range = (label, trait, words) => view.range({ label, trait, min: 0, max: words.length - 1, text: (i) => words[i] });
  const axes = [["pruned", pruned], ["palette", palettes]].map(([trait, words], i) => ({ trait, words, label: sliders[i], color: colors[i] }));
  const used = axes.filter(({ words }) => words.length > 1);
  const layerName = (l) => l.name.replace(".weight", "") + (l.shape ? `, ${l.shape.filter((n, k) => k < 3 || n > 1).join(" \u00d7 ")}` : "");
  const layer = view.choice({ label: "What is compressed", trait: "layer", many: true, options: layers.map((l, i) => [i, layerName(l)]) });
  const score = view.choice({ label: "Accuracy on", trait: "score", many: true, options: scores });
  view.controls.classList.add("tk-two");
  view.controls.append(...used.map(({ label, trait, words }) => range(label, trait, words).node), ...(small ? [] : [layer.node]), score.node);
  view.controls.after(view.readout); // beside the sliders, where the eye is

  const plane = html("div"), histogram = html("div"), answer = html("div");
  const histogramHead = html("p", { class: "tk-acc-head" }), answerHead = html("p", { class: "tk-acc-head" });
  const key = (color, text) => html("span", { class: "tk-acc-key" }, html("span", { style: `background: var(--tk-${color})` }), text);
  const grid = html("div", { class: small ? "" : "tk-acc-grid" }, html("div", { class: "tk-acc-panel" }, plane,
    used.length < 2 ? null : html("p", { class: "tk-soft" }, key(colors[0], "moving the first slider"), key(colors[1], "moving the second"))));
  view.stage.append(grid);
  if (!small) {
    const tone = view.choice({ label: "Tone to tune", trait: "tone", many: true, options: tones.map((t, i) => [i, t.name]) });
    const play = html("button", { type: "button", class: "tk-quiet", onclick: () => sound() }, "Play the tone");
    grid.append(html("div", { class: "tk-acc-panel" }, histogramHead, histogram),
      html("div", { class: "tk-acc-panel tk-acc-wide" }, answerHead, answer,
        html("div", { class: "tk-acc-tone" }, tone.node, play)));
    view.stage.append(html("p", { class: "tk-acc-head" }, "Three things to find"), html("ol", { class: "tk-acc-tasks" }, ...tasks.map(asTask)));
  }

  // Axes for files of these sizes. The one of sizes is logarithmic: half the bytes is the same step everywhere.
  function axesOf(host, smallest, largest) {
    const width = Math.max(240, host.clientWidth), height = 210, left = 34, end = width - 10, top = 10, bottom = height - 34;
    const low = Math.log(0.93 * smallest), high = Math.log(1.04 * largest);
    const x = (size) => left + ((end - left) * (Math.log(size) - low)) / (high - low);
    const y = (part) => bottom - (bottom - top) * part;
    const nodes = [];
    for (const part of [0, 0.25, 0.5, 0.75, 1]) nodes.push(
      svg("line", { x1: left, x2: end, y1: y(part), y2: y(part), stroke: "var(--tk-line)", "stroke-width": 0.8 }),
      svg("text", { x: left - 5, y: y(part) + 4, "text-anchor": "end", class: "tk-soft" }, number(100 * part)));
    let free = -Infinity;
    for (const mb of [2, 3, 5, 10, 20, 30, 35, 40, 44]) {
      const at = x(mb * 1e6);
      if (at < left || at < free + 34 || at > end) continue;
      free = at;
      nodes.push(svg("text", { x: at, y: bottom + 16, "text-anchor": "middle", class: "tk-soft" }, String(mb)));
    }
    nodes.push(svg("text", { x: (left + end) / 2, y: height - 4, "text-anchor": "middle", class: "tk-soft" }, "MB (a logarithmic axis); % right"));
    const here = (size, part) => svg("circle", { cx: x(size), cy: y(part), r: 7, fill: "var(--tk-accent)", stroke: "var(--tk-paper)", "stroke-width": 2, "data-mark": "here" });
    const show = (size, part) => host.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `Size against accuracy: ${bytes(size)}, ${percent(part)} right` }, ...nodes, here(size, part)));
    return { x, y, nodes, show };
  }

  function drawPlane() {
    const p = view.get("pruned"), b = view.get("palette");
    const all = Array.from({ length: settings }, (_, i) => place(Math.floor(i / palettes.length), i % palettes.length));
    const { x: across, y, nodes, show } = axesOf(plane, Math.min(...all.map((at) => sizes[at])), sizes[trained()]);
    const x = (at) => across(sizes[at]);
    for (const at of all) nodes.push(svg("circle", { cx: x(at), cy: y(share(at)), r: 1.8, fill: "var(--tk-edge)" }));
    const along = (color, places) => {
      nodes.push(svg("polyline", { points: places.map((at) => `${x(at)},${y(share(at))}`).join(" "), fill: "none", stroke: `var(--tk-${color})`, "stroke-width": 2.2 }));
      for (const at of places) nodes.push(svg("circle", { cx: x(at), cy: y(share(at)), r: 3, fill: `var(--tk-${color})` }));
    };
    for (const { trait, words, color } of used) along(color, words.map((_, i) => (trait === "pruned" ? place(i, b) : place(p, i))));
    show(sizes[place()], share(place()));
  }

  function drawHistogram() {
    const width = Math.max(200, histogram.clientWidth), height = 150, bottom = height - 18, bar = width / bins;
    const now = place() * bins, then = trained() * bins, nodes = [], outline = [];
    for (let i = 0; i < bins; i++) {
      const tall = (histograms[now + i] / 255) * (bottom - 4), was = (histograms[then + i] / 255) * (bottom - 4);
      nodes.push(svg("rect", { x: i * bar + 0.5, y: bottom - tall, width: Math.max(1, bar - 1), height: tall, fill: "var(--tk-accent)", opacity: 0.75 }));
      outline.push(`${i * bar},${bottom - was} ${(i + 1) * bar},${bottom - was}`);
    }
    const { limit, name } = layers[view.get("layer")];
    nodes.push(svg("polyline", { points: outline.join(" "), fill: "none", stroke: "var(--tk-ink)", "stroke-width": 1.2 }));
    [["start", 0, -limit], ["middle", width / 2, 0], ["end", width, limit]].forEach(([anchor, x, value]) =>
      nodes.push(svg("text", { x, y: height - 4, "text-anchor": anchor, class: "tk-soft" }, number(value, value ? 3 : 0))));
    const says = "Histogram of the weights, counts on a logarithmic scale; the line is before compression";
    histogram.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says }, ...nodes));
    histogramHead.textContent = `Weights of ${name.replace(".weight", "")} (line: as trained)`;
  }

  const C1 = 440 / 2 ** (45 / 12); // the lowest C that CREPE can answer
  const cents = (hertz) => 1200 * Math.log2(hertz / 10);
  const keys = ["C", "C\u266f", "D", "D\u266f", "E", "F", "F\u266f", "G", "G\u266f", "A", "A\u266f", "B"];
  const pitchHeard = (t) => heard[place() * tones.length + t];
  function off(t) {
    const difference = Math.round(cents(pitchHeard(t)) - cents(tones[t].hertz));
    if (difference === 0) return "in tune";
    return `${number(Math.abs(difference))} cents ${difference > 0 ? "sharp" : "flat"}`;
  }

  function drawAnswer() {
    const width = Math.max(260, answer.clientWidth), height = 150, left = 8, right = width - 4, top = 22, bottom = height - 20;
    const t = view.get("tone"), start = (place() * tones.length + t) * shown, was = (trained() * tones.length + t) * shown;
    const x = (bin) => left + ((right - left) * bin) / 359, y = (value) => bottom - ((bottom - top) * value) / 255;
    const line = (from) => Array.from({ length: shown }, (_, i) => `${x((i + 0.5) * (360 / shown) - 0.5).toFixed(1)},${y(answers[from + i]).toFixed(1)}`).join(" ");
    const bin = (hertz) => (cents(hertz) - firstCents) / 20, nodes = [];
    for (let octave = 1; octave < 7; octave++) {
      const c = x(bin(2 ** (octave - 1) * C1));
      nodes.push(
        svg("line", { x1: c, x2: c, y1: top, y2: bottom, stroke: "var(--tk-line)", "stroke-width": 0.8 }),
        svg("text", { x: c, y: height - 5, "text-anchor": "middle", class: "tk-soft" }, `C${octave}`));
    }
    const truth = x(bin(tones[t].hertz));
    nodes.push(
      svg("line", { x1: truth, x2: truth, y1: top - 6, y2: bottom, stroke: "var(--tk-ink)", "stroke-dasharray": "4 3", "stroke-width": 1.2 }),
      svg("text", { x: Math.min(right - 26, Math.max(left + 26, truth)), y: top - 10, "text-anchor": "middle" }, sounding ? "\u266a playing" : "played"),
      svg("polyline", { points: line(was), fill: "none", stroke: "var(--tk-float)", "stroke-width": 1.2, opacity: 0.8 }),
      svg("polyline", { points: line(start), fill: "none", stroke: "var(--tk-accent)", "stroke-width": 2 }));
    const says = `Played ${number(tones[t].hertz, 1)} Hz, heard ${number(pitchHeard(t), 1)} Hz, ${off(t)}`;
    answer.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says }, ...nodes));
  }

  let player = null, sounding = 0;
  function sound() {
    player = player || new AudioContext();
    const t = view.get("tone"), { samples } = tones[t], buffer = player.createBuffer(1, samples, rate), channel = buffer.getChannelData(0);
    for (let i = 0; i < samples; i++) channel[i] = (0.6 * sounds[t * samples + i]) / 32768;
    const source = player.createBufferSource();
    source.buffer = buffer;
    source.connect(player.destination);
    source.start();
    sounding += 1;
    drawAnswer();
    const timer = setTimeout(() => { sounding -= 1; drawAnswer(); }, (1000 * samples) / rate);
    view.undo.push(() => clearTimeout(timer));
  }
  view.undo.push(() => player && player.close());

  const name = (hertz) => {
    const semitone = Math.round(12 * Math.log2(hertz / C1));
    return `${keys[((semitone % 12) + 12) % 12]}${1 + Math.floor(semitone / 12)}`;
  };

  // A task is checked by the numbers: is there a smaller file that hears enough?
  function asTask(task, i) {
    const said = html("p", { role: "status" });
    const check = html("button", { type: "button", class: "tk-quiet", onclick: () => said.replaceChildren(judge(task)) }, `Check task ${i + 1}`);
    return html("li", {}, html("p", {}, task.text), check, said);
  }
  function judge({ score: name, one, enough }) {
    const at = place(), mine = `${bytes(sizes[at])}, ${percent(share(at, name))} of the ${wording[name]}`;
    if (one !== view.get("layer") > 0) return one ? "Choose a single layer first." : "Choose all seven layers first.";
    if (share(at, name) < enough) return `${mine}: that is not enough.`;
    const allowed = Array.from({ length: cells }, (_, i) => i).filter((i) => one === i % layers.length > 0 && share(i, name) >= enough);
    const smaller = allowed.filter((i) => sizes[i] < sizes[at]);
    if (!smaller.length) return html("strong", {}, `\u2713 ${mine}: none of the smaller files hears enough.`);
    const same = smaller.some((i) => i % layers.length === view.get("layer"));
    return `${mine}: enough. But ${number(smaller.length)} smaller ${smaller.length === 1 ? "file hears" : "files hear"} enough, too${same ? "" : ", with another layer"}.`;
  }

  // Wilson's interval for a share of `asked` tones.
  function interval(part) {
    const z = 1.96, n = asked, middle = (part + (z * z) / (2 * n)) / (1 + (z * z) / n);
    const half = (z / (1 + (z * z) / n)) * Math.sqrt((part * (1 - part)) / n + (z * z) / (4 * n * n));
    return `${number(100 * (middle - half))} to ${number(100 * (middle + half))}`;
  }

  // The headline of a file: its size, and the share of right answers with its interval.
  function tell(size, whole, part, ends, before) {
    view.readout.replaceChildren(html("p", { class: "tk-headline" }, html("strong", {}, bytes(size)),
      size === whole ? ", as trained; " : `, ${number(whole / size, 1)}\u00d7 smaller; `, html("strong", {}, percent(part)), ` right (${ends}; float16 ${percent(before)})`));
  }

  // The other networks: one slider through the files of each, from the largest, in place of all that is CREPE's.
  const own = [...view.controls.children, ...view.stage.children];
  const field = html("div"), files = others.map(({ settings: list }) =>
    view.range({ label: "Setting, the largest file first", trait: "setting", min: 0, max: list.length - 1, text: (i) => list[Math.min(i, list.length - 1)].label }));
  if (others.length) {
    const network = view.choice({ label: "Network", trait: "network", options: [[0, "CREPE: tones"], ...others.map(({ name }, i) => [i + 1, name])] });
    network.node.classList.add("tk-whole");
    view.controls.prepend(network.node);
    files.forEach(({ node }) => node.classList.add("tk-whole", "tk-acc-file"));
    view.controls.append(...files.map(({ node }) => node));
    const families = ["pruning", "quantization", "palettization"].map((color) => key(color, color));
    view.stage.append(html("div", {}, field, html("p", { class: "tk-soft" }, ...families)));
    view.on("network", () => view.set("setting", 0));
  }
  function drawOther({ settings: list }) {
    const [first] = list, now = list[Math.min(view.get("setting"), list.length - 1)];
    view.root.style.setProperty("--tk-accent", `var(--tk-${now.color})`);
    const { x, y, nodes, show } = axesOf(field, list.at(-1).nbytes, first.nbytes);
    for (const { nbytes, color, right: part, low, high } of list) nodes.push(
      svg("line", { x1: x(nbytes), x2: x(nbytes), y1: y(low), y2: y(high), stroke: `var(--tk-${color})`, "stroke-width": 1.5 }),
      svg("circle", { cx: x(nbytes), cy: y(part), r: 3.5, fill: `var(--tk-${color})` }));
    show(now.nbytes, now.right);
    tell(now.nbytes, first.nbytes, now.right, `${number(100 * now.low)} to ${number(100 * now.high)}`, first.right);
  }

  function update() {
    const chosen = others.length ? view.get("network") : 0;
    title.textContent = chosen ? "How small before it breaks?" : "How small before it goes deaf?";
    own.forEach((node) => { node.hidden = chosen > 0; });
    files.forEach(({ node }, i) => { node.hidden = chosen !== i + 1; });
    if (others.length) field.parentElement.hidden = !chosen;
    if (chosen) drawOther(others[chosen - 1]);
    else updateOwn();
  }

  function updateOwn() {
    const p = view.get("pruned"), b = view.get("palette"), here = place();
    view.root.style.setProperty("--tk-accent", `var(--tk-${p && b ? "joint" : p ? colors[0] : b ? colors[1] : "float"})`);
    drawPlane();
    tell(sizes[here], sizes[trained()], share(here), interval(share(here)), share(trained()));
    if (small) return;
    drawHistogram();
    drawAnswer();
    const t = view.get("tone");
    answerHead.textContent = `The tuner\u2019s 360 answers. Played ${name(tones[t].hertz)}, heard ${number(pitchHeard(t), 1)} Hz: ${off(t)}`;
  }
  for (const trait of ["pruned", "palette", "layer", "tone", "score", ...(others.length ? ["network", "setting"] : [])]) view.on(trait, update);
  view.onSize(update);
  update();
});
