// What an exploration found: pictures that are drawn already, in which a recipe and a weight are marked.
export default tk.instrument("recipes", (view) => {
  const { html, number, bytes } = tk;
  const recipes = view.get("recipes"), weights = view.get("weights"), before = view.get("before");
  if (recipes.length > 1) view.controls.append(view.range({
    label: "Recipe, from the smallest", trait: "recipe", min: 0, max: recipes.length - 1,
    text: (i) => `${bytes(recipes[i].nbytes)}, ${recipes[i].words}`,
  }).node);
  const pictures = html("div"), table = html("div", { class: "tk-picture" });
  pictures.innerHTML = view.get("picture");
  const names = weights.map(({ name }, i) => [i, name]);
  const which = view.choice({ label: "A weight and its settings", trait: "weight", options: names, many: true });
  which.node.classList.add("tk-picture-which");
  view.stage.append(pictures, which.node, table);
  view.stage.before(view.readout); // beside the slider that it follows

  function mark(picks) {
    pictures.querySelectorAll("[data-recipe]").forEach((point) =>
      point.classList.toggle("tk-here", Number(point.dataset.recipe) === view.get("recipe")));
    pictures.querySelectorAll("[data-weight]").forEach((row) => {
      const at = Number(row.dataset.weight), place = picks[at];
      row.querySelectorAll("[data-setting]").forEach((one) =>
        one.classList.toggle("tk-here", Number(one.dataset.setting) === place));
      row.lastElementChild.textContent = place < 0 ? "as it is" : weights[at].settings[place][0];
    });
  }

  function list(picks) {
    const at = view.get("weight"), { nbytes, settings } = weights[at];
    const rows = [["as it is", number(nbytes), "the same answers"], ...settings].map((cells, place) =>
      html("tr", {}, ...[...cells, place - 1 === picks[at] ? "in the recipe" : ""].map((text) => html("td", {}, text))));
    table.replaceChildren(html("table", {}, html("thead", {}, html("tr", {},
      ...["Setting", "Bytes", "The answers, with it alone", ""].map((text) => text ? html("th", { scope: "col" }, text) : html("td")))),
    html("tbody", {}, ...rows)));
  }

  function update() {
    const recipe = recipes[view.get("recipe")], picks = recipe ? recipe.places : weights.map(() => -1);
    mark(picks);
    list(picks);
    if (!recipe) return;
    view.readout.replaceChildren(html("p", { class: "tk-headline" }, html("strong", {}, bytes(recipe.nbytes)),
      `, ${number(before / recipe.nbytes, 1)}\u00d7 smaller; `, html("strong", {}, recipe.words), " on what it was searched with"),
    recipe.next ? html("p", { class: "tk-soft" }, "For the best package within as many bytes, which measures no weight again: ",
      html("code", {}, recipe.next)) : html("p", { class: "tk-soft" }, "This is the recipe that was written."));
  }
  for (const trait of ["recipe", "weight"]) view.on(trait, update);
  update();
});
