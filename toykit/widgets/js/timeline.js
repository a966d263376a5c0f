// Requests on their way through three stages: bars on a timeline, and what it means for rate and latency.
export default tk.instrument("timeline", (view) => {
  const { svg, html, number } = tk;
  const ranges = view.get("ranges"), count = view.get("requests");
  const units = (n) => `${n} unit${n === 1 ? "" : "s"}`;
  const slider = (label, trait, text) => view.range({ label, trait, min: ranges[trait][0], max: ranges[trait][1], text }).node;
  view.controls.classList.add("tk-two");
  view.controls.append(
    slider("1. Preparing takes", "prepare", units),
    slider("2. Predicting takes", "predict", units),
    slider("3. Finishing takes", "finish", units),
    slider("One arrives every", "gap", (n) => (n ? units(n) : "all at once")),
    slider("In flight at most", "cap", (n) => `${n}`));

  // The same steps as toykit.widgets.timeline.schedule.
  function schedule() {
    const lengths = ["prepare", "predict", "finish"].map((name) => view.get(name));
    const gap = view.get("gap"), cap = view.get("cap");
    const free = [0, 0, 0], arrivals = [], stages = [], ends = [];
    for (let request = 0; request < count; request += 1) {
      let now = request * gap;
      arrivals.push(now);
      if (request >= cap) now = Math.max(now, ends[request - cap]);
      stages.push(lengths.map((length, stage) => {
        const begin = Math.max(now, free[stage]);
        now = free[stage] = begin + length;
        return [begin, now];
      }));
      ends.push(now);
    }
    const span = ends[count - 1], stayed = ends.reduce((sum, end, i) => sum + end - arrivals[i], 0);
    return { arrivals, stages, ends, span, rate: count / span, latency: stayed / count, inside: stayed / span };
  }

  const NAMES = ["prepare", "predict", "finish"];
  const COLORS = ["var(--tk-pruning)", "var(--tk-quantization)", "var(--tk-palettization)"];
  const ROW = 26, TOP = 8;
  const picture = svg("svg", { role: "img" });
  view.stage.append(picture);
  const big = html("p", { class: "tk-headline" }), small = html("p", { class: "tk-soft" });
  view.readout.append(big, small);
  let width = 0;

  function draw() {
    const s = schedule();
    if (width) {
      const left = 22, right = width - 10, base = TOP + count * ROW;
      const x = (t) => left + (t / s.span) * (right - left);
      picture.replaceChildren();
      const steps = [1, 2, 5, 10, 20, 50].find((step) => s.span / step <= 10);
      for (let t = 0; t <= s.span; t += steps) picture.append(
        svg("path", { d: `M${x(t)} ${TOP}V${base}`, stroke: "var(--tk-line)" }),
        svg("text", { class: "tk-soft", x: x(t), y: base + 15, "text-anchor": "middle" }, t));
      picture.append(svg("text", { class: "tk-soft", x: right, y: base + 31, "text-anchor": "end" }, "units of time"));
      s.stages.forEach((stages, request) => {
        const y = TOP + request * ROW;
        picture.append(
          svg("text", { class: "tk-soft", x: left - 7, y: y + 17, "text-anchor": "end" }, request + 1),
          // From arrival to end; where no bar covers it, the request waits.
          svg("path", { d: `M${x(s.arrivals[request])} ${y + 13}H${x(s.ends[request])}`, stroke: "var(--tk-edge)", "stroke-dasharray": "2 3" }));
        stages.forEach(([begin, end], stage) => {
          const wide = x(end) - x(begin);
          if (!wide) return;
          picture.append(svg("rect", { x: x(begin), y: y + 3, width: Math.max(1, wide - 1), height: ROW - 7, fill: COLORS[stage] }));
          // A number where there is no room for the name, so that the stages differ without colour.
          const label = wide > 54 ? NAMES[stage] : wide > 12 ? stage + 1 : "";
          picture.append(svg("text", { x: x(begin) + wide / 2, y: y + 17, "text-anchor": "middle", style: "fill:var(--tk-on-color)" }, label));
        });
      });
    }
    const slowest = Math.max(...NAMES.map((name) => view.get(name)));
    big.replaceChildren(html("strong", {}, `${number(s.rate, 2)} a unit of time`), `, and each takes `,
      html("strong", {}, `${number(s.latency, 1)} units`), " from arrival to end, on average. All are done at ", number(s.span), ".");
    small.textContent = `${number(s.rate, 3)} × ${number(s.latency, 2)} = ${number(s.inside, 2)} requests are there on average (Little's law). ` +
      `The slowest stage allows no more than ${number(1 / slowest, 2)} a unit. ` +
      (view.get("gap") >= slowest ? "Requests come no faster than that." : "Requests come faster than that, so the queue grows.");
    picture.setAttribute("aria-label", `Timeline of ${count} requests. The first is done at ${s.ends[0]}, the last at ${s.span}; ` +
      `the last arrived at ${s.arrivals[count - 1]} and began at ${s.stages[count - 1][0][0]}.`);
  }

  for (const trait of ["prepare", "predict", "finish", "gap", "cap"]) view.on(trait, draw);
  view.onSize(() => {
    width = view.stage.clientWidth;
    picture.setAttribute("viewBox", `0 0 ${width} ${TOP + count * ROW + 36}`);
    picture.setAttribute("height", TOP + count * ROW + 36);
    draw();
  });
  draw();
});
