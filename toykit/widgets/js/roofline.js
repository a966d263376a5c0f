// One layer under the roofline: a point that moves with its intensity, and the time of both strategies.
export default tk.instrument("roofline", (view) => {
  const { svg, html, number } = tk;
  const scales = view.get("scales");
  const slider = (label, trait, text) => view.range({ label, trait, min: 0, max: scales[trait].length - 1,
    to: (value) => Math.max(0, scales[trait].indexOf(value)), from: (at) => scales[trait][at], text }).node;
  view.controls.classList.add("tk-two");
  view.controls.append(
    slider("Layer", "side", (n) => `${number(n)} × ${number(n)}`),
    slider("Batch", "batch", (n) => number(n)),
    slider("Bits of a stored weight", "bits", (n) => `${n} bit${n > 1 ? "s" : ""}`),
    slider("Memory bandwidth", "bandwidth", (n) => `${n} GB/s`),
    slider("Computing speed", "speed", (n) => (n < 1000 ? `${n} G/s` : `${n / 1000} T/s`)));

  // The same sums as toykit.latency.timing.
  function model() {
    const [side, batch, bits, bandwidth, speed] = ["side", "batch", "bits", "bandwidth", "speed"].map((name) => view.get(name));
    const weights = side * side, operations = 2 * batch * weights, between = 2 * batch * 2 * side;
    const one = (bitsRead) => {
      const moved = (weights * bitsRead) / 8 + between;
      const compute = operations / (speed * 1e9), memory = moved / (bandwidth * 1e9);
      return { moved, compute, memory, total: Math.max(compute, memory), bound: compute >= memory ? "compute" : "memory", intensity: operations / moved };
    };
    const load = (weights * (bits / 8 + 2)) / (bandwidth * 1e9);
    return { ahead: one(16), just: one(bits), load, ridge: speed / bandwidth, operations, speed, bandwidth };
  }

  const INTENSITIES = [0.25, 4096], SPEEDS = [0.5, 40000];
  const roof = svg("path", { fill: "none", stroke: "var(--tk-ink)", "stroke-width": 2 });
  const grid = svg("path", { fill: "none", stroke: "var(--tk-line)" });
  const labels = svg("g", {});
  const points = { ahead: "var(--tk-float)", just: "var(--tk-palettization)" };
  const marks = {};
  for (const [name, color] of Object.entries(points)) {
    marks[name] = {
      line: svg("path", { stroke: color, "stroke-width": 1, "stroke-dasharray": "3 3", fill: "none" }),
      // Two shapes, so that the points differ without colour.
      dot: name === "ahead" ? svg("rect", { width: 12, height: 12, fill: color }) : svg("circle", { r: 7, fill: color }),
      text: svg("text", { style: "font-weight:700" }),
    };
  }
  const bars = svg("g", {});
  const picture = svg("svg", { role: "img" }, grid, labels, roof, ...Object.values(marks).flatMap(Object.values), bars);
  view.stage.append(picture);
  const big = html("p", { class: "tk-headline" }), small = html("p", { class: "tk-soft" });
  view.readout.append(big, small);

  const time = (s) => (s >= 0.9995e-1 ? `${number(s * 1e3, 0)} ms` : s >= 0.9995e-3 ? `${number(s * 1e3, s < 1e-2 ? 2 : 1)} ms` : `${number(s * 1e6, s < 1e-5 ? 2 : 0)} µs`);
  let width = 0;

  function draw() {
    const m = model();
    if (width) {
      const left = 44, right = width - 8, top = 16, base = 226;
      const log = ([low, high], from, to) => (v) => from + ((Math.log(v) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (to - from);
      const x = log(INTENSITIES, left, right), y = log(SPEEDS, base, top);
      let lines = "";
      labels.replaceChildren();
      const say = (text, at, up, anchor = "middle") => labels.append(svg("text", { class: "tk-soft", x: at, y: up, "text-anchor": anchor }, text));
      for (const v of [1, 10, 100, 1000]) {
        lines += `M${x(v)} ${top}V${base}`;
        say(number(v), x(v), base + 15);
      }
      for (const v of [1, 10, 100, 1000, 10000]) {
        lines += `M${left} ${y(v)}H${right}`;
        say(v < 1000 ? v : `${v / 1000}k`, left - 6, y(v) + 4, "end");
      }
      grid.setAttribute("d", lines);
      say("operations a byte", right, base + 30, "end");
      say("billion operations a second", left, 10, "start");
      const low = Math.max(INTENSITIES[0], SPEEDS[0] / m.bandwidth);
      roof.setAttribute("d", `M${x(low)} ${y(low * m.bandwidth)}L${x(m.ridge)} ${y(m.speed)}H${right}`);
      say(`ridge: ${number(m.ridge, m.ridge < 10 ? 1 : 0)}`, Math.min(Math.max(x(m.ridge), left + 40), right - 40), y(m.speed) - 8);
      const close = Math.abs(x(m.ahead.intensity) - x(m.just.intensity)) < 120;
      for (const [name, up] of [["ahead", 1], ["just", 0]]) {
        const run = m[name], px = x(run.intensity), py = y(m.operations / run.total / 1e9), mark = marks[name];
        mark.line.setAttribute("d", `M${px} ${py}V${base}`);
        if (name === "ahead") { mark.dot.setAttribute("x", px - 6); mark.dot.setAttribute("y", py - 6); }
        else { mark.dot.setAttribute("cx", px); mark.dot.setAttribute("cy", py); }
        const flip = px > right - 110;
        mark.text.setAttribute("x", flip ? px - 11 : px + 11);
        mark.text.setAttribute("text-anchor", flip ? "end" : "start");
        mark.text.setAttribute("y", flip && name === "just" ? py - 12 : Math.min(base - 6, py + (up && close ? 32 : 18)));
        mark.text.textContent = name === "ahead" ? "ahead of time" : "just in time";
      }
      drawBars(m, left, right);
    }
    const faster = m.ahead.total / m.just.total;
    big.replaceChildren("Modelled: ", html("strong", {}, `just in time ${time(m.just.total)}`), ` (${m.just.bound}-bound), `,
      html("strong", {}, `ahead of time ${time(m.ahead.total)}`), ` (${m.ahead.bound}-bound): `,
      faster < 1.005 ? "no difference." : `${number(faster, 2)} times faster just in time.`);
    small.textContent = `Weights in memory: ${tk.bytes(view.get("side") ** 2 * view.get("bits") / 8)} just in time, ${tk.bytes(2 * view.get("side") ** 2)} ahead of time, ` +
      `which also takes ${time(m.load)} once, to load. The cost of decompressing itself is left out.`;
    picture.setAttribute("aria-label", `Roofline with ridge at ${number(m.ridge, 1)} operations a byte. Ahead of time at ${number(m.ahead.intensity, 2)}, ${m.ahead.bound}-bound; ` +
      `just in time at ${number(m.just.intensity, 2)}, ${m.just.bound}-bound. Below, bars of their times.`);
  }

  // For each strategy what memory takes, above what computing takes; both go on at once.
  function drawBars(m, left, right) {
    bars.replaceChildren();
    const longest = Math.max(m.ahead.total, m.just.total), across = (right - 1) / longest;
    let y = 280;
    for (const [name, text] of [["ahead", "Ahead of time"], ["just", "Just in time"]]) {
      const run = m[name], color = points[name];
      bars.append(svg("text", { x: 0, y }, `${text}: ${time(run.total)}`));
      for (const [kind, label] of [["memory", "read"], ["compute", "compute"]]) {
        const length = Math.max(1, run[kind] * across), fits = length > 70;
        bars.append(
          svg("rect", { x: 1, y: y + 6, width: length, height: 15, fill: kind === run.bound ? color : "none", stroke: color }),
          svg("text", { x: fits ? 7 : length + 6, y: y + 18, style: fits && kind === run.bound ? "fill:var(--tk-on-color)" : "" }, label));
        y += 19;
      }
      y += 34;
    }
  }

  for (const trait of ["side", "batch", "bits", "bandwidth", "speed"]) view.on(trait, draw);
  view.onSize(() => {
    width = view.stage.clientWidth;
    picture.setAttribute("viewBox", `0 0 ${width} 408`);
    picture.setAttribute("height", 408);
    draw();
  });
  draw();
});
