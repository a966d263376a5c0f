// Lloyd's algorithm on a line: the histogram in the colours of the clusters, the centroids of a step,
// those of the optimum, and the error of every step above the least there is.
export default tk.instrument("lloyd", (view) => {
  const { html, number } = tk;
  const clusters = view.get("clusters"), histogram = view.get("histogram"), [low, high] = view.get("ends");
  const starts = view.get("starts"), optimum = view.get("optimum");
  const positions = tk.array(view.get("centroids"), Uint16Array);
  const highest = Math.sqrt(Math.max(...histogram));
  view.root.style.setProperty("--tk-accent", "var(--tk-palettization)");

  const chosen = () => starts.find((start) => start.name === view.get("start"));
  const last = () => chosen().excess.length - 1;
  const step = () => Math.min(view.get("step"), last());
  const centroids = () => {
    const from = (chosen().first + step()) * clusters;
    return Array.from(positions.subarray(from, from + clusters), (p) => p / 65535);
  };

  function drawClusters(context, width, height) {
    context.clearRect(0, 0, width, height);
    const base = height - 52, slot = width / histogram.length, at = centroids();
    const borders = at.slice(1).map((c, i) => (c + at[i]) / 2);
    const x = (t) => Math.min(width - 1, Math.max(1, t * width));
    histogram.forEach((count, i) => {
      const middle = (i + 0.5) / histogram.length;
      const owner = borders.filter((border) => border < middle).length;
      context.fillStyle = view.color(owner % 2 ? "edge" : "palettization");
      const up = (Math.sqrt(count) / highest) * (base - 6);
      context.fillRect(i * slot, base - up, Math.max(0.6, slot - 0.6), up);
    });
    context.fillStyle = view.color("line");
    for (const border of borders) context.fillRect(x(border) - 0.5, 0, 1, base);
    const row = (where, y, color) => {
      context.fillStyle = view.color(color);
      for (const c of where) {
        context.beginPath();
        context.moveTo(x(c), y);
        context.lineTo(x(c) - 4.5, y + 9);
        context.lineTo(x(c) + 4.5, y + 9);
        context.fill();
      }
    };
    row(at, base + 3, "ink");
    row(optimum, base + 19, "quantization");
    context.fillStyle = view.color("soft");
    context.font = "11px system-ui, sans-serif";
    const text = (value) => number(value, Math.abs(value) < 1 ? 3 : 2);
    context.fillText(text(low), 1, height - 4);
    context.textAlign = "right";
    context.fillText(text(high), width - 1, height - 4);
    context.textAlign = "left";
  }

  const most = Math.max(...starts.map((start) => start.excess.length - 1), 1);
  const top = Math.max(...starts.flatMap((start) => start.excess), 1), floor = 0.1;
  function drawError(context, width, height) {
    context.clearRect(0, 0, width, height);
    const left = 60, base = height - 18;
    const x = (s) => left + (s / most) * (width - left - 10);
    const y = (excess) => 6 + (Math.log(top / Math.max(floor, excess)) / Math.log(top / floor)) * (base - 8);
    context.font = "11px system-ui, sans-serif";
    for (const tick of [0.1, 1, 10, 100, 1000, 10000]) {
      if (tick > top || y(tick) < 8) break;
      context.fillStyle = view.color("line");
      context.fillRect(left, y(tick), width - left, 0.5);
      context.fillStyle = view.color("soft");
      context.textAlign = "right";
      context.fillText(`${number(tick, tick < 1 ? 1 : 0)} %`, left - 5, y(tick) + 4);
    }
    context.textAlign = "left";
    context.fillText("0", left, height - 4);
    context.textAlign = "right";
    context.fillText(`step ${most}`, width - 10, height - 4);
    context.textAlign = "left";
    for (const start of starts) {
      const mine = start === chosen();
      context.strokeStyle = view.color(mine ? "palettization" : "edge");
      context.lineWidth = mine ? 2.2 : 1;
      context.beginPath();
      start.excess.forEach((excess, s) => context.lineTo(x(s), y(excess)));
      context.stroke();
    }
    context.fillStyle = view.color("ink");
    context.beginPath();
    context.arc(x(step()), y(chosen().excess[step()]), 4.5, 0, 7);
    context.fill();
  }

  const pictures = [
    view.canvas({ label: "Histogram of the weights, coloured by cluster, with the centroids below", height: 210, draw: drawClusters }),
    view.canvas({ label: "Squared error above the least possible, step by step", height: 120, draw: drawError }),
  ];
  const captions = [
    "Weights (square root of the count), coloured by the centroid that is nearest. Upper marks: the centroids of this step. Orange marks: the best there are.",
    "Squared error above the least possible, on a logarithmic scale, for the three starts",
  ];
  view.stage.append(...pictures.map(({ node }, i) => html("figure", {}, node, html("figcaption", {}, captions[i]))));

  const from = view.choice({ label: "Centroids start", trait: "start", options: starts.map((start) => [start.name, start.label]) });
  const slider = view.range({ label: "Step", trait: "step", min: 0, max: last(), text: () => `${step()} of ${last()}` });
  const player = view.player({ slider, trait: "step", at: step, last, milliseconds: 90, say });
  from.node.classList.add("tk-whole");
  slider.node.classList.add("tk-whole");
  view.controls.append(from.node, slider.node);

  const headline = html("p", { class: "tk-headline" });
  view.readout.append(headline);
  function say() {
    const excess = chosen().excess[step()], rest = step() === last();
    const amount = excess < 0.05 ? "within 0.05 % of the least possible" : `${number(excess, excess < 10 ? 2 : 0)} % above the least possible`;
    headline.replaceChildren(html("strong", {}, `Step ${step()}: ${amount}.`),
      !rest ? "" : !chosen().rests ? " They still move; no further steps are shown."
        : excess < 0.05 ? " The centroids rest." : " The centroids rest, and not where they should.");
  }
  function update() {
    pictures.forEach(({ paint }) => paint());
    say();
  }
  view.on("step", update);
  view.on("start", () => {
    player.pause();
    slider.input.max = last();
    view.set("step", 0);
    slider.update();
    update();
  });
  say();
});
