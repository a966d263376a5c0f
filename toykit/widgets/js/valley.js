// Two weights on the plane of their values: lines of equal error of the output, the pairs of whole numbers, and the
// three that different ways of rounding choose. The cross can be dragged.
export default tk.instrument("valley", (view) => {
  const { html, svg, number } = tk;
  const GRID = 0.05; // of the weights: what the sliders and the mouse move by
  const CODES = [-1, 0, 1, 2];
  view.root.style.setProperty("--tk-accent", "var(--tk-quantization)");

  // The same sums as toykit.widgets.rounding.roundings.
  function roundings() {
    const [first, second, correlation] = ["first", "second", "correlation"].map((name) => view.get(name));
    const even = (v) => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v)) + 0; // no minus zero
    const error = ([a, b]) => (first - a) ** 2 + 2 * correlation * (first - a) * (second - b) + (second - b) ** 2;
    const nearest = [even(first), even(second)];
    const moved = second + correlation * (first - nearest[0]);
    const turn = [nearest[0], even(moved)];
    const pairs = CODES.flatMap((a) => CODES.map((b) => [a, b]));
    const least = Math.min(...pairs.map(error));
    return {
      nearest: { codes: [nearest], error: error(nearest) },
      in_turn: { codes: [turn], error: error(turn), moved },
      jointly: { codes: pairs.filter((pair) => error(pair) < least + 1e-9), error: least },
    };
  }

  const words = { nearest: "each to its nearest", in_turn: "one after the other", jointly: "the best pair" };
  const lines = svg("g", { fill: "none", stroke: "var(--tk-edge)" });
  const grid = svg("g", {}), marks = svg("g", {});
  const handle = svg("g", { style: "cursor: grab; touch-action: none" });
  const clip = tk.newId(), frame = svg("rect", {});
  const picture = svg("svg", { role: "img", style: "margin: 0 auto" }, svg("clipPath", { id: clip }, frame),
    svg("g", { "clip-path": `url(#${clip})` }, lines), grid, marks, handle);
  view.stage.append(html("figure", { style: "margin: 0" }, picture, html("figcaption", {},
    "Across the first weight, up the second. Cross: the weights, to drag or to move with the sliders. Small dots: whole numbers. ",
    "Square: each to its nearest. Ring: one after the other, with the step that makes up for the first. Large dot: the best pair. ",
    "Lines: equal error of the output; dashed, that of the square.")));
  const big = html("p", { class: "tk-headline" }), small = html("p", { class: "tk-soft" });
  view.readout.append(big, small);

  let x = null, y = null, unit = 0;
  function draw() {
    const [first, second, correlation] = ["first", "second", "correlation"].map((name) => view.get(name));
    const found = roundings(), { nearest, in_turn: turn, jointly } = found;
    const pair = ([a, b]) => `(${number(a)}, ${number(b)})`;
    const said = (way) => `${way.codes.map(pair).join(" or ")}, error ${number(way.error, 2)}`;
    if (x) {
      // The ellipse of one error: half its axes along (1, 1) and (1, -1), whatever the weights are.
      const ellipse = (error, more) => svg("ellipse", {
        rx: unit * Math.sqrt(error / (1 + correlation)), ry: unit * Math.sqrt(error / (1 - correlation)),
        transform: `translate(${x(first)} ${y(second)}) rotate(-45)`, ...more });
      lines.replaceChildren(...[0.02, 0.1, 0.3, 0.7, 1.4, 2.5].map((error) => ellipse(error, { "stroke-width": 0.8 })),
        ellipse(nearest.error, { stroke: "var(--tk-float)", "stroke-width": 1.6, "stroke-dasharray": "5 4" }));
      const [a, b] = turn.codes[0], [p, q] = nearest.codes[0];
      marks.replaceChildren(
        svg("path", { d: `M${x(first)} ${y(second)}L${x(a)} ${y(turn.moved)}L${x(a)} ${y(b)}`, fill: "none", stroke: "var(--tk-pruning)", "stroke-width": 1.6 }),
        svg("rect", { x: x(p) - 12, y: y(q) - 12, width: 24, height: 24, fill: "none", stroke: "var(--tk-float)", "stroke-width": 2 }),
        ...jointly.codes.map(([c, d]) => svg("circle", { cx: x(c), cy: y(d), r: 7, fill: "var(--tk-quantization)" })),
        svg("circle", { cx: x(a), cy: y(b), r: 10, fill: "none", stroke: "var(--tk-pruning)", "stroke-width": 2 }));
      handle.replaceChildren(
        svg("circle", { cx: x(first), cy: y(second), r: 20, fill: "transparent" }),
        svg("path", { d: "M-7 -7L7 7M-7 7L7 -7", transform: `translate(${x(first)} ${y(second)})`, stroke: "var(--tk-ink)", "stroke-width": 3 }));
      picture.setAttribute("aria-label", `The weights ${number(first, 2)} and ${number(second, 2)} among whole numbers. ` +
        Object.entries(words).map(([name, text]) => `${text}: ${said(found[name])}`).join("; "));
    }
    const times = nearest.error / jointly.error;
    big.replaceChildren("Each to its nearest: ", html("strong", {}, said(nearest)), ". Best pair: ", html("strong", {}, said(jointly)),
      times > 1.005 ? `: ${number(times, times < 10 ? 1 : 0)} times smaller.` : ". Nothing is better than the nearest here.");
    const [a, b] = turn.codes[0];
    small.textContent = `One after the other: the first becomes ${number(a)}, the second moves from ${number(second, 2)} to ` +
      `${number(turn.moved, 2)} to make up for it, and becomes ${number(b)}: error ${number(turn.error, 2)}.`;
  }

  const slider = (label, trait, end, step) => view.range({ label, trait, min: end < 0 ? end : 0, max: Math.abs(end), step, text: (v) => number(v, 2) }).node;
  const correlation = slider("Correlation of the two inputs", "correlation", -0.95, 0.05);
  correlation.classList.add("tk-whole");
  view.controls.classList.add("tk-two");
  view.controls.append(slider("First weight", "first", 1, GRID), slider("Second weight", "second", 1, GRID), correlation);

  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    const near = (value) => Math.round(Math.min(1, Math.max(0, value)) / GRID) / (1 / GRID);
    view.set("first", near((at.x - x(0)) / unit));
    view.set("second", near((y(0) - at.y) / unit));
  });

  for (const trait of ["first", "second", "correlation"]) view.on(trait, draw);
  view.onSize(() => {
    const side = Math.min(view.stage.clientWidth, 400), left = 30, base = side - 24, [low, high] = [CODES[0] - 0.3, CODES.at(-1) + 0.3];
    unit = (base - 6) / (high - low);
    x = (value) => left + (value - low) * unit;
    y = (value) => base - (value - low) * unit;
    picture.setAttribute("viewBox", `0 0 ${side} ${side}`);
    picture.style.maxWidth = `${side}px`;
    for (const [name, value] of Object.entries({ x: left, y: 6, width: base - 6, height: base - 6 })) frame.setAttribute(name, value);
    grid.replaceChildren(
      svg("rect", { x: left, y: 6, width: base - 6, height: base - 6, fill: "none", stroke: "var(--tk-line)" }),
      ...CODES.flatMap((a) => [
        svg("text", { class: "tk-soft", x: x(a), y: base + 17, "text-anchor": "middle" }, number(a)),
        svg("text", { class: "tk-soft", x: left - 7, y: y(a) + 4, "text-anchor": "end" }, number(a)),
        ...CODES.map((b) => svg("circle", { cx: x(a), cy: y(b), r: 3, fill: "var(--tk-edge)" }))]));
    draw();
  });
  draw();
});
