"""`configurator`: which form, for which systems, and the Core ML Tools code that makes it."""

import json

import traitlets

from ..compressed import check_each, check_names, shown
from .base import Instrument, one_of, table
from .wording import code, configuration, name_of

TECHNIQUES = {
    "prune": "Pruning",
    "quantize": "Linear quantization",
    "palettize": "Palettes",
    "joint": "Two at once",
}
COLORS = {"prune": "pruning", "quantize": "quantization", "palettize": "palettization", "joint": "joint"}
SYSTEMS = {  # deployment target: what a package for it runs on
    "iOS16": "iOS 16, macOS 13, tvOS 16, watchOS 9",
    "iOS17": "iOS 17, macOS 14, tvOS 17, watchOS 10, visionOS 1",
    "iOS18": "iOS 18, macOS 15, tvOS 18, watchOS 11, visionOS 2",
    "iOS26": "iOS 26, macOS 26, tvOS 26, watchOS 26, visionOS 26",
}


class Configurator(Instrument, js="configurator"):
    """The widget; `technique`, `form`, `target` and `network` follow its controls, and may be set."""

    technique = traitlets.Unicode().tag(sync=True)
    form = traitlets.Unicode().tag(sync=True)
    target = traitlets.Unicode("iOS18").tag(sync=True)
    network = traitlets.Unicode().tag(sync=True)
    forms = traitlets.List().tag(sync=True)
    systems = traitlets.Dict().tag(sync=True)
    before = traitlets.Dict().tag(sync=True)

    @traitlets.validate("form")
    def _check_form(self, proposal):
        return one_of(proposal, [form["name"] for form in self.forms])

    @traitlets.validate("target")
    def _check_target(self, proposal):
        return one_of(proposal, SYSTEMS)

    @traitlets.validate("network")
    def _check_network(self, proposal):
        return one_of(proposal, self.before)

    def code(self):
        """The Python code for the form and the target that are chosen."""
        chosen = next(form for form in self.forms if form["name"] == self.form)
        return chosen["code"].replace("{target}", self.target)

    def fallback(self):
        networks = list(self.before)
        rows = [
            (
                form["name"],
                SYSTEMS[form["since"]].partition(",")[0],
                form["configurations"],
                *(f"{form['sizes'][name] / 1e6:.2f}" for name in networks),
            )
            for form in self.forms
        ]
        columns = ["Form", "From", "Configuration", *(f"{name}, MB" for name in networks)]
        return table(self.label, columns, rows, "forms")


def configurator(rows, networks=("CREPE", "ResNet-50")):
    """Choose a form of compression and read the Core ML Tools code for it.

    Parameters
    ----------
    rows : iterable of dict
        Packages that were compressed and weighed, as the lines of notebooks/data/post_training.csv:
        `network`, `target` (the oldest system), `technique` ("none" for float16), `options` in JSON,
        `package_bytes`, and `within_10` where the network was asked, else "".
    networks : tuple of str
        Those to choose from. A form is offered if all of them have it.

    Returns
    -------
    Configurator

    Raises
    ------
    ValueError
        If a network has no row of technique "none", or no form is left.

    Examples
    --------
    >>> row = {"network": "a", "target": "iOS16", "within_10": ""}
    >>> float16 = row | {"technique": "none", "options": "{}", "package_bytes": "2000"}
    >>> small = row | {"technique": "palettize", "options": '{"bits": 4}', "package_bytes": "600"}
    >>> configurator([float16, small], ("a",)).form
    '4-bit palette'
    """
    rows, networks = check_each("rows", rows, dict, "dicts"), check_names("networks", networks)
    if not networks:
        raise ValueError("networks must name at least one network")
    found = {name: {} for name in networks}
    for row in rows:
        for column in ("network", "target", "technique", "options", "package_bytes", "within_10"):
            if not isinstance(row.get(column), str):
                raise ValueError(f"every one of rows needs a text in column {column!r}; got {shown(row)}")
        if row["network"] in found:
            found[row["network"]][row["technique"], row["options"]] = row
    for name in networks:
        if ("none", "{}") not in found[name]:
            raise ValueError(
                f"network {name!r} has no row in rows of technique 'none', which says what it weighs in "
                "float16"
            )
    first, *others = found.values()
    shared = [key for key in first if key[0] != "none" and all(key in rows for rows in others)]
    if not shared:
        raise ValueError(f"no form was measured for all of {', '.join(networks)}")
    forms = []
    for technique, text in shared:
        options = json.loads(text)
        steps = list(options.items()) if technique == "joint" else [(technique, options)]
        forms.append(
            {
                "name": name_of(technique, options),
                "technique": TECHNIQUES[technique],
                "color": COLORS[technique],
                "since": first[technique, text]["target"],
                "configurations": ", then ".join(configuration(*step) for step in steps),
                "code": code(steps),
                "sizes": {name: int(rows[technique, text]["package_bytes"]) for name, rows in found.items()},
                "heard": {
                    name: float(rows[technique, text]["within_10"])
                    for name, rows in found.items()
                    if rows[technique, text]["within_10"]
                },
            }
        )
    forms.sort(key=lambda form: list(TECHNIQUES.values()).index(form["technique"]))
    return Configurator(
        label="Forms of compression and their code",
        forms=forms,
        systems=SYSTEMS,
        before={name: int(rows["none", "{}"]["package_bytes"]) for name, rows in found.items()},
        technique=forms[0]["technique"],
        form=forms[0]["name"],
        network=networks[0],
    )
