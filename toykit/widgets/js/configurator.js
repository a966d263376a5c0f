// A form of compression, a target and a network: the code that makes it, and what the package weighs.
export default tk.instrument("configurator", (view) => {
  const { svg, html, number } = tk;
  const forms = view.get("forms"), systems = view.get("systems"), before = view.get("before");
  const targets = Object.keys(systems), networks = Object.keys(before);
  const techniques = [...new Set(forms.map((form) => form.technique))];
  const longest = Math.max(...Object.values(before), ...forms.flatMap((form) => Object.values(form.sizes)));
  const spaced = (target) => target.replace("iOS", "iOS ");

  const which = view.choice({ label: "Technique", trait: "technique", options: techniques.map((name) => [name, name]) });
  which.node.classList.add("tk-whole");
  const choices = techniques.map((technique) => {
    const own = forms.filter((form) => form.technique === technique);
    return view.choice({ label: "Form", trait: "form", many: true, options: own.map((form) => [form.name, form.name]) });
  });
  const network = view.choice({ label: "Network", trait: "network", options: networks.map((name) => [name, name]) });
  const target = view.choice({ label: "Oldest system", trait: "target", options: targets.map((name) => [name, spaced(name)]) });
  view.controls.classList.add("tk-two");
  view.controls.append(which.node, ...choices.map((choice) => choice.node), network.node, target.node);

  const was = svg("path", { fill: "none", stroke: "var(--tk-edge)" }), is = svg("path", { fill: "var(--tk-accent)" });
  const said = { was: svg("text", { x: 1, y: 13 }), is: svg("text", { x: 1, y: 53, style: "font-weight:700" }) };
  const picture = svg("svg", { role: "img", height: 78 }, was, is, said.was, said.is);
  const listing = html("code", {});
  // A region that can scroll must be reachable by keyboard.
  const code = html("div", { class: "tk-listing", tabindex: 0, role: "region", "aria-label": "The code" }, html("pre", {}, listing));
  view.stage.append(picture, code);
  const big = html("p", { class: "tk-headline" }), small = html("p", { class: "tk-soft" });
  view.readout.append(big, small);

  const current = () => forms.find((form) => form.name === view.get("form"));
  const mb = (count) => `${number(count / 1e6, 2)} MB`;
  let width = 0;

  function draw() {
    const form = current(), name = view.get("network"), aim = view.get("target");
    const fits = targets.indexOf(aim) >= targets.indexOf(form.since);
    const size = form.sizes[name], full = before[name];
    view.root.style.setProperty("--tk-accent", `var(--tk-${form.color})`);
    if (width) {
      const across = (width - 2) / longest;
      was.setAttribute("d", `M1 19h${(full * across).toFixed(1)}v14h${(-full * across).toFixed(1)}z`);
      is.setAttribute("d", fits ? `M1 59h${(size * across).toFixed(1)}v14h${(-size * across).toFixed(1)}z` : "");
    }
    said.was.textContent = `${name} in float16: ${mb(full)}`;
    said.is.textContent = fits ? `${form.name}: ${mb(size)}` : `${form.name}: not for ${spaced(aim)}`;
    picture.setAttribute("aria-label", `Two bars. ${said.was.textContent}; ${said.is.textContent}`);
    listing.textContent = fits ? form.code.replaceAll("{target}", aim)
      : `# Core ML Tools makes this form for ${spaced(form.since)} and later.\n# For ${spaced(aim)} it raises a ValueError.`;
    if (fits) {
      big.replaceChildren(html("strong", {}, mb(size)), `, ${number(full / size, 2)} times smaller. Runs on ${systems[aim]}, and later.`);
      const heard = form.heard[name];
      small.textContent = heard === undefined ? "" : `Of 300 hard tones, ${number(100 * heard, 1)} % are heard within 10 cents.`;
    } else {
      big.replaceChildren(html("strong", {}, `Needs ${spaced(form.since)}`), ` or later (${systems[form.since]}). Convert again with a newer target.`);
      small.textContent = "";
    }
  }

  function choose() {
    const technique = view.get("technique");
    choices.forEach((choice, i) => { choice.node.hidden = techniques[i] !== technique; });
    if (current().technique !== technique) view.set("form", forms.find((form) => form.technique === technique).name);
    draw();
  }

  view.on("technique", choose);
  for (const trait of ["form", "network", "target"]) view.on(trait, draw);
  view.onSize(() => {
    width = view.stage.clientWidth;
    picture.setAttribute("viewBox", `0 0 ${width} 78`);
    draw();
  });
  choose();
});
