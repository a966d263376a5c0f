// Published latencies of one model on one device, and what a model says about each without having seen it.
export default tk.instrument("latency", (view) => {
  const { svg, html, number } = tk;
  const series = view.get("series");
  const models = { roofline: "roofline of chip A", rival: "roofline of chip B", null: "null model" };
  view.controls.append(
    view.choice({ label: "Model and device", trait: "chosen", many: true, options: series.map((one, i) => [i, one.name]) }).node,
    view.choice({ label: "Technique", trait: "technique", options: [["all", "all"], ["palettization", "palettization"], ["pruning", "pruning"], ["quantization", "quantization"]] }).node,
    view.choice({ label: "Compare with", trait: "model", options: [["roofline", "chip A (modelled)"], ["rival", "chip B (modelled)"], ["null", "null model"], ["none", "nothing"]] }).node);
  const body = svg("g", {}), picture = svg("svg", { role: "img" }, body);
  view.stage.append(picture);
  const big = html("p", { class: "tk-headline" }), small = html("p", { class: "tk-soft" });
  view.readout.append(big, small);
  const percent = (share) => `${number(100 * share, 1)} %`;
  const ms = (value) => `${number(value, 2)} ms`;
  let width = 0;

  function draw() {
    const one = series[view.get("chosen")], model = view.get("model"), technique = view.get("technique");
    const rows = one.rows.filter((row) => technique === "all" || row.technique === technique || row.technique === "none");
    const before = one.rows.find((row) => row.technique === "none"), error = one.errors[model];
    if (width) {
      const longest = Math.max(...one.rows.flatMap((row) => [row.ms, ...Object.values(row.models).flat().filter((v) => v !== null)]));
      const right = width - 44, across = right / longest, pitch = 40;
      body.replaceChildren();
      rows.forEach((row, i) => {
        const y = i * pitch;
        body.append(svg("text", { x: 0, y: y + 12 }, row.config),
          svg("rect", { x: 0, y: y + 17, width: row.ms * across, height: 14, fill: `var(--tk-${row.color})` }),
          svg("text", { x: width, y: y + 29, "text-anchor": "end", style: "font-weight:700" }, number(row.ms, 2)));
        const said = row.models[model];
        if (said && said[1] !== null) {
          const x = said[1] * across;
          body.append(svg("path", { d: `M${x} ${y + 14}v20`, stroke: "var(--tk-paper)", "stroke-width": 5 }),
            svg("path", { d: `M${x} ${y + 14}v20`, stroke: "var(--tk-ink)", "stroke-width": 2 }));
        }
      });
      const tall = rows.length * pitch + 4;
      picture.setAttribute("viewBox", `0 0 ${width} ${tall}`);
      picture.setAttribute("height", tall);
    }
    const fastest = rows.reduce((best, row) => (row.ms < best.ms ? row : best));
    big.replaceChildren("Published: ", html("strong", {}, `${before.config} ${ms(before.ms)}`), ", fastest shown ",
      html("strong", {}, `${fastest.config} ${ms(fastest.ms)}`), ".");
    const other = Object.keys(one.errors).filter((name) => name !== model).map((name) => `${models[name]}: ${percent(one.errors[name][1])}`).join(", ");
    if (model === "none") small.textContent = "Bars: published latencies, in milliseconds.";
    else if (!error) small.textContent = "Too few rows for a chip's numbers, or a network whose layers are not counted here: nothing is modelled.";
    else small.textContent = `Strokes: what the ${models[model]} says about a row that it was not fitted to, ${percent(error[1])} off in the median ` +
      `(${percent(error[0])} on rows it has seen; ${error[2]} fitted numbers${other ? `; on unseen rows the others, ${other}` : ""}).`;
    picture.setAttribute("aria-label", `Bars of published latencies of ${one.name}: ${rows.map((row) => `${row.config} ${ms(row.ms)}`).join(", ")}` +
      (error ? `. Strokes mark what the ${models[model]} says.` : ""));
  }
  for (const trait of ["chosen", "technique", "model"]) view.on(trait, draw);
  view.onSize(() => { width = view.stage.clientWidth; draw(); });
  draw();
});
