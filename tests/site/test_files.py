"""Every page opened from a file, as from a USB stick: no server, no network, nothing missing."""

from .controls import CONTROLS, kind_of, move, usable


def test_formulas_are_drawn(file_visit):
    drawn = file_visit.page.evaluate(
        "() => [...document.querySelectorAll('mjx-container')].filter(formula => formula.offsetWidth > "
        "2).length"
    )
    assert drawn >= file_visit.formulas_expected


def test_icons_are_drawn_with_their_font(file_visit):
    loaded = file_visit.page.evaluate(
        "() => document.fonts.ready.then(() => [...document.fonts].filter(f => f.status === "
        "'loaded').map(f => f.family))"
    )
    assert any("Font Awesome" in family for family in loaded), loaded


def test_images_are_loaded(file_visit):
    broken = file_visit.page.evaluate(
        """() => Promise.all([...document.images].map(image => {
             image.loading = "eager";
             return image.decode().then(() => "", () => image.getAttribute("src"));
           })).then(results => results.filter(Boolean))"""
    )
    assert not broken


def test_widgets_are_alive(file_visit):
    instruments = file_visit.page.locator(".tk-instrument")
    assert instruments.count() >= file_visit.widgets_expected
    for instrument in instruments.all():
        controls = [control for control in instrument.locator(CONTROLS).all() if usable(control)]
        controls.sort(key=lambda control: kind_of(control) == "button")
        assert controls and move(file_visit, instrument, controls[0]), instrument.get_attribute(
            "data-instrument"
        )


def test_nothing_failed(file_visit):
    assert not file_visit.faults, f"{file_visit.name}:\n" + "\n".join(file_visit.faults)
