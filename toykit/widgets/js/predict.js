// A question first, the answer when the reader has committed to a guess or has skipped.
export default tk.instrument("predict", (view) => {
  const { html, svg, number } = tk;
  const scale = view.get("scale"), options = view.get("options");
  const numeric = options.length === 0;
  const sealed = () => JSON.parse(new TextDecoder().decode(view.get("sealed")));

  const title = html("p", { class: "tk-title" });
  title.innerHTML = `<strong>Predict.</strong> ${view.get("question")}`;
  view.root.prepend(title);

  // On a logarithmic slider the input moves in hundredths of the way and the trait holds the number.
  const steps = 200;
  const fromSlider = (position) => {
    if (!scale.log) return Number(position);
    const value = scale.min * (scale.max / scale.min) ** (position / steps);
    return Math.min(scale.max, Math.max(scale.min, scale.digits || scale.step < 1 ? value : Math.round(value)));
  };
  const toSlider = (value) => (scale.log ? (steps * Math.log(value / scale.min)) / Math.log(scale.max / scale.min) : value);
  const middle = numeric && fromSlider(scale.log ? steps / 2 : scale.min + scale.step * Math.round((scale.max - scale.min) / scale.step / 2));
  const words = (value) => number(value, scale.log && value >= 100 ? 0 : scale.digits) + scale.unit;

  // The guess stays here until the reader commits: Python must not see a half-made mind.
  let pending = view.get("guess") ?? (numeric ? middle : null);
  let control;
  if (numeric) control = slider(); else control = radios();
  const commit = html("button", { type: "button", onclick: () => open(pending) }, "This is my guess");
  const skip = html("button", { type: "button", class: "tk-quiet", onclick: () => open(null) }, "Skip, show me");
  const buttons = html("div", { class: "tk-buttons" }, commit, skip);
  view.readout.before(buttons);
  view.readout.setAttribute("tabindex", "-1");
  commit.disabled = pending === null;
  if (view.get("opened")) reveal(view.get("guess"), false);
  else draw();
  view.onSize(() => draw());

  function slider() {
    const id = tk.newId();
    const input = html("input", {
      type: "range", id, "data-lm-suppress-shortcuts": "true",
      min: scale.log ? 0 : scale.min, max: scale.log ? steps : scale.max, step: scale.log ? 1 : scale.step, value: toSlider(pending),
      oninput: () => { pending = fromSlider(input.value); label(); draw(); },
    });
    const label = () => input.setAttribute("aria-valuetext", words(pending));
    label();
    view.controls.append(html("div", { class: "tk-control" }, html("label", { for: id }, "Your guess"), html("div", { class: "tk-slide" }, input)));
    return [input];
  }

  function radios() {
    const name = tk.newId();
    const inputs = options.map((option, i) => html("input", {
      type: "radio", name, id: `${name}-${i}`, "data-lm-suppress-shortcuts": "true", checked: option === pending,
      onchange: () => { pending = option; commit.disabled = false; draw(); },
    }));
    const rows = inputs.map((input, i) => html("label", { for: input.id, class: "tk-option" }, input, html("span", {}, options[i]), html("span", { class: "tk-tag" })));
    view.stage.append(html("fieldset", { class: "tk-control tk-options" }, html("legend", {}, "Your guess"), ...rows));
    return inputs;
  }

  // Before the reveal a line with the guess on it; afterwards the answer as well.
  function draw(answer = null, skipped = false) {
    if (view.get("opened") && answer === null) ({ answer } = sealed());
    if (numeric) line(answer, skipped || (view.get("opened") && view.get("guess") === null));
    else control.forEach((input, i) => {
      const row = input.parentElement, mine = options[i] === pending;
      row.classList.toggle("tk-mine", mine);
      row.classList.toggle("tk-right", options[i] === answer);
      row.querySelector(".tk-tag").textContent = answer === null ? "" : options[i] === answer ? (mine ? "the answer, and yours" : "the answer") : mine ? "your guess" : "";
    });
  }

  function line(answer, skipped) {
    const width = Math.max(240, view.stage.clientWidth || view.root.clientWidth - 34 || 600), edge = 8; // the mark stays under the slider's thumb
    const y = answer === null ? 12 : 44, height = y + 44;
    const at = (value) => edge + (width - 2 * edge) * (toSlider(value) - toSlider(scale.min)) / (toSlider(scale.max) - toSlider(scale.min));
    const label = (value, top, text, color, weight) => {
      const half = text.length * 3.4, x = Math.min(width - half - 2, Math.max(half + 2, at(value)));
      return svg("text", { x, y: top, "text-anchor": "middle", style: `fill:var(--tk-${color});font-weight:${weight}` }, text);
    };
    const parts = [
      svg("line", { x1: edge, x2: width - edge, y1: y, y2: y, stroke: "var(--tk-edge)", "stroke-width": 1.5 }),
      ...[scale.min, scale.max].flatMap((end, i) => [
        svg("line", { x1: at(end), x2: at(end), y1: y - 5, y2: y + 5, stroke: "var(--tk-edge)", "stroke-width": 1.5 }),
        svg("text", { x: i ? width - 2 : 2, y: height - 4, "text-anchor": i ? "end" : "start", class: "tk-soft" }, number(end, Number.isInteger(end) ? 0 : scale.digits) + scale.unit),
      ]),
    ];
    if (!skipped) parts.push(
      svg("circle", { cx: at(pending), cy: y, r: 7, fill: "var(--tk-pruning)", stroke: "var(--tk-paper)", "stroke-width": 2 }),
      label(pending, y + 24, `you: ${words(pending)}`, "pruning", 400));
    if (answer !== null) parts.push(
      svg("rect", { x: -7, y: -7, width: 14, height: 14, transform: `translate(${at(answer)} ${y}) rotate(45)`, fill: "var(--tk-quantization)", stroke: "var(--tk-paper)", "stroke-width": 2 }),
      label(answer, y - 18, `answer: ${sealed().text}`, "quantization", 700));
    const says = answer === null ? `Your guess: ${words(pending)}` : `The answer: ${sealed().text}.${skipped ? "" : ` Your guess: ${words(pending)}.`}`;
    view.stage.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says }, ...parts));
  }

  function distance(guess, answer) {
    if (guess === answer) return "exactly right";
    const off = Math.abs(guess - answer), unit = scale.unit.trim(), side = guess < answer ? "low" : "high", ratio = guess / answer;
    // A share of a share, or of a logarithm, is a number that nobody can use.
    if (unit === "%" || unit === "dB") {
      const apart = number(off, scale.digits);
      if (Number(apart) === 0) return "right to the figures shown";
      return `${apart} ${unit === "dB" ? unit : apart === "1" ? "point" : "points"} too ${side}`;
    }
    if (answer === 0) return `${words(off)} off`;
    if (ratio >= 2 || (ratio > 0 && ratio <= 0.5)) return `${number(Math.max(ratio, 1 / ratio), 1)} times too ${side}`;
    const percent = 100 * off / Math.abs(answer);
    return percent < 0.5 ? "right to the figures shown" : `${number(percent)} % too ${side}`;
  }

  function open(guess) {
    view.model.set("guess", guess);
    view.set("opened", true);
    reveal(guess, true);
    view.root.dispatchEvent(new CustomEvent("tk-opened", { bubbles: true })); // the page unfolds what waits for it
  }

  function reveal(guess, move) {
    const secret = sealed(), skipped = guess === null;
    if (!skipped) pending = guess;
    control.forEach((input) => { input.disabled = true; });
    buttons.remove();
    draw(secret.answer, skipped);
    let verdict = "", say = "";
    if (numeric && !skipped) {
      say = ` You said ${words(guess)}: ${distance(guess, secret.answer)}.`;
      const near = Math.abs(guess - secret.answer) <= secret.tolerance * Math.abs(secret.answer);
      verdict = near ? secret.near : guess < secret.answer ? secret.low : secret.high;
    } else if (!skipped) {
      say = guess === secret.answer ? " That is what you said." : ` You said: ${guess}.`;
      verdict = guess === secret.answer ? secret.near : secret.wrong[guess] || "";
    }
    const headline = html("p", { class: "tk-headline" }, html("strong", {}, /[.!?]$/.test(secret.text) ? secret.text : `${secret.text}.`), say);
    const prose = html("div", {});
    prose.innerHTML = verdict + (skipped ? secret.skipped : secret.reveal);
    const said = skipped ? "" : numeric ? words(guess) : guess;
    const walk = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) walk.currentNode.textContent = walk.currentNode.textContent.replaceAll("{guess}", said);
    view.readout.replaceChildren(headline, prose);
    if (move) view.readout.focus();
  }
});
