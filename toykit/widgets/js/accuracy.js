// Size against accuracy, a layer's weights and the tuner's answer, for every setting of a sweep.
export default tk.instrument("accuracy", (view) => {
  const { html, svg, number, bytes, array } = tk;
  const { families, float16, scores, layers, tones, shape, rate, first_cents: firstCents } = view.get("content");
  const [rows, columns, bins] = shape;
  const answers = array(view.get("answers"), Uint8Array);
  const weights = array(view.get("weights"), Int8Array);
  const histograms = array(view.get("histograms"), Uint8Array);
  const sounds = array(view.get("sounds"), Int16Array);
  const family = () => families[view.get("family")];
  const step = () => family().steps[Math.min(view.get("step"), family().steps.length - 1)];
  const percent = (share) => `${number(100 * share, 1)} %`;

  view.root.prepend(html("p", { class: "tk-title" }, "How small before it goes deaf?"));
  const technique = view.choice({ label: "Technique", trait: "family", many: true, options: families.map((f, i) => [i, f.name]) });
  const strength = view.range({
    label: "Strength", trait: "step", min: 0, max: 1,
    text: (i) => family().steps[Math.min(i, family().steps.length - 1)].name,
  });
  const score = view.choice({ label: "Accuracy on", trait: "score", many: true, options: Object.entries(scores) });
  const layer = view.choice({ label: "Weights of layer", trait: "layer", many: true, options: layers.map((l, i) => [i, `${l.name.replace(".weight", "")}, ${l.shape.filter((n, k) => k < 3 || n > 1).join(" \u00d7 ")}`]) });
  const tone = view.choice({ label: "Tone to tune", trait: "tone", many: true, options: tones.map((t, i) => [i, t.name]) });
  const play = html("button", { type: "button", class: "tk-quiet", onclick: () => sound() }, "Play the tone");
  view.controls.classList.add("tk-two");
  view.controls.append(technique.node, strength.node, score.node, layer.node, tone.node, html("div", { class: "tk-control tk-acc-play" }, play));

  const plane = html("div"), answer = html("div");
  const picture = (label, which) => view.canvas({ label, height: (w) => Math.round((w * rows) / columns), draw: (c, w, h) => matrix(c, w, h, which()) });
  const before = picture("Weights as trained", () => 0), after = picture("Weights after compression", () => step().row);
  const histogram = html("div");
  const panel = (title, ...nodes) => html("div", { class: "tk-acc-panel" }, html("p", { class: "tk-acc-head" }, title), ...nodes);
  const weightsHead = html("p", { class: "tk-acc-head" });
  view.stage.append(html("div", { class: "tk-acc-grid" },
    panel("Size and accuracy", plane),
    html("div", { class: "tk-acc-panel" }, weightsHead, before.node, after.node, histogram),
    html("div", { class: "tk-acc-panel tk-acc-wide" }, html("p", { class: "tk-acc-head" }, "The tuner\u2019s 360 answers"), answer)));

  // A logarithmic axis: from 16 bits to 1 bit a weight is a factor of 16.
  function drawPlane() {
    const width = Math.max(240, plane.clientWidth), height = 230, left = 34, right = width - 10, top = 10, bottom = height - 34;
    const low = Math.log(2.4e6), high = Math.log(48e6), name = view.get("score");
    const x = (count) => left + ((right - left) * (Math.log(count) - low)) / (high - low);
    const y = (share) => bottom - (bottom - top) * share;
    const nodes = [];
    for (const share of [0, 0.25, 0.5, 0.75, 1]) nodes.push(
      svg("line", { x1: left, x2: right, y1: y(share), y2: y(share), stroke: "var(--tk-line)", "stroke-width": 0.8 }),
      svg("text", { x: left - 5, y: y(share) + 4, "text-anchor": "end", class: "tk-soft" }, number(100 * share)));
    for (const mb of [3, 5, 10, 20, 40]) nodes.push(svg("text", { x: x(mb * 1e6), y: bottom + 16, "text-anchor": "middle", class: "tk-soft" }, String(mb)));
    nodes.push(svg("text", { x: (left + right) / 2, y: height - 4, "text-anchor": "middle", class: "tk-soft" }, "MB (a logarithmic axis); % right"));
    const order = families.map((f, i) => i).sort((a, b) => (a === view.get("family")) - (b === view.get("family")));
    for (const i of order) {
      const mine = i === view.get("family"), points = families[i].steps.map((s) => `${x(s.nbytes)},${y(s[name])}`);
      nodes.push(svg("polyline", {
        points: [`${x(float16.nbytes)},${y(float16[name])}`, ...points].join(" "), fill: "none",
        stroke: `var(--tk-${families[i].color})`, "stroke-width": mine ? 2.5 : 1.2, opacity: mine ? 1 : 0.35,
      }));
      if (mine) for (const s of families[i].steps) nodes.push(svg("circle", { cx: x(s.nbytes), cy: y(s[name]), r: 3, fill: `var(--tk-${families[i].color})` }));
    }
    const here = step(), px = x(here.nbytes), py = y(here[name]);
    nodes.push(svg("circle", { cx: px, cy: py, r: 7, fill: `var(--tk-${family().color})`, stroke: "var(--tk-paper)", "stroke-width": 2, "data-mark": "here" }));
    const says = `${family().name}, ${here.name}: ${bytes(here.nbytes)}, ${percent(here[name])} right`;
    plane.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says }, ...nodes));
  }

  function matrix(context, width, height, row) {
    const start = (row * layers.length + view.get("layer")) * rows * columns;
    const negative = rgb(view.color("quantization")), positive = rgb(view.color("pruning")), paper = rgb(view.color("paper"));
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
      const value = weights[start + r * columns + c] / 127, ink = value < 0 ? negative : positive, a = Math.abs(value) ** 0.6;
      context.fillStyle = `rgb(${ink.map((channel, k) => Math.round(channel * a + paper[k] * (1 - a))).join(",")})`;
      context.fillRect((c * width) / columns, (r * height) / rows, width / columns + 0.5, height / rows + 0.5);
    }
  }

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  function drawHistogram() {
    const width = Math.max(200, histogram.clientWidth), height = 84, bottom = height - 18, bar = width / bins;
    const at = (row) => (row * layers.length + view.get("layer")) * bins;
    const trained = at(0), now = at(step().row), nodes = [], outline = [];
    for (let i = 0; i < bins; i++) {
      const tall = (histograms[now + i] / 255) * (bottom - 4), was = (histograms[trained + i] / 255) * (bottom - 4);
      nodes.push(svg("rect", { x: i * bar + 0.5, y: bottom - tall, width: Math.max(1, bar - 1), height: tall, fill: `var(--tk-${family().color})`, opacity: 0.75 }));
      outline.push(`${i * bar},${bottom - was} ${(i + 1) * bar},${bottom - was}`);
    }
    const limit = layers[view.get("layer")].limit;
    nodes.push(svg("polyline", { points: outline.join(" "), fill: "none", stroke: "var(--tk-ink)", "stroke-width": 1.2 }));
    [["start", 0, -limit], ["middle", width / 2, 0], ["end", width, limit]].forEach(([anchor, x, value]) =>
      nodes.push(svg("text", { x, y: height - 4, "text-anchor": anchor, class: "tk-soft" }, number(value, value ? 3 : 0))));
    const says = "Histogram of the layer\u2019s weights, counts on a logarithmic scale; the line is the trained layer";
    histogram.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says }, ...nodes));
    weightsHead.textContent = `${layers[view.get("layer")].name.replace(".weight", "")}: as trained, compressed, counted`;
  }

  const C1 = 440 / 2 ** (45 / 12); // the lowest C that CREPE can answer
  const cents = (hertz) => 1200 * Math.log2(hertz / 10);
  const keys = ["C", "C\u266f", "D", "D\u266f", "E", "F", "F\u266f", "G", "G\u266f", "A", "A\u266f", "B"];
  function off(here, t) {
    const difference = Math.round(cents(here.heard[t]) - cents(tones[t].hertz));
    if (difference === 0) return "in tune";
    return `${number(Math.abs(difference))} cents ${difference > 0 ? "sharp" : "flat"}`;
  }

  function drawAnswer() {
    const width = Math.max(260, answer.clientWidth), height = 150, left = 8, right = width - 4, top = 22, bottom = height - 20;
    const t = view.get("tone"), here = step(), start = (here.row * tones.length + t) * 360, was = t * 360;
    const x = (bin) => left + ((right - left) * bin) / 359, y = (value) => bottom - ((bottom - top) * value) / 255;
    const line = (from) => Array.from({ length: 360 }, (_, bin) => `${x(bin).toFixed(1)},${y(answers[from + bin]).toFixed(1)}`).join(" ");
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
      svg("polyline", { points: line(start), fill: "none", stroke: `var(--tk-${family().color})`, "stroke-width": 2 }));
    const says = `Played ${number(tones[t].hertz, 1)} Hz, heard ${number(here.heard[t], 1)} Hz, ${off(here, t)}`;
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

  function update() {
    const last = family().steps.length - 1;
    strength.input.max = last;
    if (view.get("step") > last) view.set("step", last);
    strength.update();
    view.root.style.setProperty("--tk-accent", `var(--tk-${family().color})`);
    drawPlane();
    before.paint();
    after.paint();
    drawHistogram();
    drawAnswer();
    const here = step(), t = view.get("tone");
    view.readout.textContent = `${bytes(here.nbytes)}, ${number(float16.nbytes / here.nbytes, 1)}\u00d7 smaller than float16. ` +
      `${percent(here[view.get("score")])} of ${scores[view.get("score")]} (float16: ${percent(float16[view.get("score")])}). ` +
      `Played ${name(tones[t].hertz)}, ${number(tones[t].hertz, 1)} Hz; heard ${number(here.heard[t], 1)} Hz: ${off(here, t)}.`;
  }
  for (const trait of ["family", "step", "layer", "tone", "score"]) view.on(trait, update);
  view.onSize(update);
  update();
});
