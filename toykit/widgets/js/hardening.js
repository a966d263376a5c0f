// Differentiable k-means: what each weight becomes at a temperature, and how its attention is shared.
export default tk.instrument("hardening", (view) => {
  const { html, number } = tk;
  const runs = view.get("runs"), [low, high] = view.get("ends");
  const positions = tk.array(view.get("positions"), Uint16Array);
  view.root.style.setProperty("--tk-accent", "var(--tk-palettization)");

  const chosen = () => runs.find((run) => run.name === view.get("run"));
  const last = () => chosen().steps.length - 1;
  const at = () => Math.min(view.get("step"), last());
  const temperature = () => chosen().temperatures[at()] * 2 ** view.get("factor");
  const centroids = () => chosen().centroids[at()];
  const weights = () => {
    const { first, shown } = chosen(), from = first + at() * shown;
    return Array.from(positions.subarray(from, from + shown), (p) => low + (p / 65535) * (high - low));
  };

  // softmax of minus the squared distances over the temperature
  function attention(w) {
    const closeness = centroids().map((c) => -((w - c) ** 2) / temperature());
    const top = Math.max(...closeness), raised = closeness.map((v) => Math.exp(v - top));
    const sum = raised.reduce((a, b) => a + b, 0);
    return raised.map((v) => v / sum);
  }
  const soft = (w) => attention(w).reduce((sum, a, j) => sum + a * centroids()[j], 0);
  const order = () => centroids().map((c, j) => [c, j]).sort((a, b) => a[0] - b[0]).map(([, j]) => j);
  const shades = ["palettization", "edge"];

  function drawCurve(context, width, height) {
    context.clearRect(0, 0, width, height);
    const left = 8, base = height - 34, top = 8;
    const x = (w) => left + ((w - low) / (high - low)) * (width - 2 * left);
    const y = (w) => base - ((w - low) / (high - low)) * (base - top);
    context.strokeStyle = view.color("line");
    context.lineWidth = 1;
    for (const c of centroids()) {
      context.beginPath();
      context.moveTo(left, y(c));
      context.lineTo(width - left, y(c));
      context.stroke();
    }
    context.setLineDash([4, 4]);
    context.strokeStyle = view.color("edge");
    context.beginPath();
    context.moveTo(x(low), y(low));
    context.lineTo(x(high), y(high));
    context.stroke();
    context.setLineDash([]);
    context.strokeStyle = view.color("palettization");
    context.lineWidth = 2.2;
    context.beginPath();
    for (let i = 0; i <= 300; i++) {
      const w = low + (i / 300) * (high - low);
      context.lineTo(x(w), y(soft(w)));
    }
    context.stroke();
    const rank = new Map(order().map((j, i) => [j, i]));
    for (const w of weights()) {
      const a = attention(w), nearest = a.indexOf(Math.max(...a));
      context.fillStyle = view.color(shades[rank.get(nearest) % 2]);
      context.beginPath();
      context.arc(x(w), base + 9, 2.4, 0, 7);
      context.fill();
    }
    context.fillStyle = view.color("ink");
    for (const c of centroids()) {
      context.beginPath();
      context.moveTo(x(c), base + 15);
      context.lineTo(x(c) - 4.5, base + 24);
      context.lineTo(x(c) + 4.5, base + 24);
      context.fill();
    }
    context.fillStyle = view.color("soft");
    context.font = "11px system-ui, sans-serif";
    context.fillText(number(low, 2), left, height - 1);
    context.textAlign = "right";
    context.fillText(number(high, 2), width - left, height - 1);
    context.textAlign = "left";
  }

  function drawAttention(context, width, height) {
    context.clearRect(0, 0, width, height);
    const left = 8, ranked = order(), columns = Math.max(60, Math.round(width / 3));
    const slot = (width - 2 * left) / columns;
    for (let i = 0; i < columns; i++) {
      const a = attention(low + ((i + 0.5) / columns) * (high - low));
      let y = 0;
      ranked.forEach((j, rank) => {
        context.fillStyle = view.color(shades[rank % 2]);
        context.fillRect(left + i * slot, y, slot + 0.6, a[j] * height);
        y += a[j] * height;
      });
    }
  }

  const pictures = [
    view.canvas({ label: "What each weight becomes: a smooth curve at high temperature, a staircase at low", height: 220, draw: drawCurve }),
    view.canvas({ label: "How the attention of each weight is shared among the centroids", height: 64, draw: drawAttention }),
  ];
  const captions = [
    "Across: a weight that trains. Up: the weight that runs; dashed, if nothing were changed. Dots: weights of the layer, coloured by the nearest centroid. Triangles: centroids.",
    "The attention of a weight at each place, shared out among the centroids. A sharp edge is a hard choice.",
  ];
  view.stage.append(...pictures.map(({ node }, i) => html("figure", {}, node, html("figcaption", {}, captions[i]))));

  const which = view.choice({ label: "Palette", trait: "run", options: runs.map((run) => [run.name, run.name]) });
  const slider = view.range({ label: "Training step", trait: "step", min: 0, max: last(), text: () => `${chosen().steps[at()]}` });
  const heat = view.range({ label: "Temperature, against the one it was trained at", trait: "factor", min: -5, max: 5,
    text: (f) => (f === 0 ? "the same" : f > 0 ? `${2 ** f} times` : `1/${2 ** -f}`) });
  const player = view.player({ slider, trait: "step", at, last, milliseconds: 160, say });
  for (const control of [which, slider, heat]) control.node.classList.add("tk-whole");
  view.controls.append(which.node, slider.node, heat.node);

  const headline = html("p", { class: "tk-headline" });
  view.readout.append(headline);
  function say() {
    const mine = weights().map((w) => Math.max(...attention(w)));
    const share = (100 * mine.reduce((a, b) => a + b, 0)) / mine.length;
    const sure = mine.filter((a) => a > 0.99).length;
    headline.replaceChildren(html("strong", {}, `Step ${chosen().steps[at()]}: ${number(share, 1)} % of the attention goes to the nearest centroid.`),
      ` ${sure} of the ${mine.length} weights shown have made up their mind (more than 99 %).`);
  }
  function update() {
    pictures.forEach(({ paint }) => paint());
    say();
  }
  view.on("step", update);
  view.on("factor", update);
  view.on("run", () => {
    player.pause();
    slider.input.max = last();
    slider.update();
    update();
  });
  say();
});
