"""The pages for teachers, as Markdown: the minutes of all chapters and routes, and the lessons of a part."""

from toykit.exercises import check

from . import board, course, live_coding, teaching

ROUTES = {"workshop": "Ninety minutes", "day": "A day", "evenings": "Ten evenings"}


def timing(_=None):
    """The minutes of each chapter and each part, teaching and exercises apart."""
    lines = ["| chapter | teaching | exercises | transfer | together |", "|---|--:|--:|--:|--:|"]
    recipe, *_ = chapters = course.chapters().values()
    lines.append(_of_chapter(recipe))
    for part in teaching.parts().values():
        lines += map(_of_chapter, part.chapters)
        lines.append(_row(f"[{part.caption}](teaching_part_{part.number}.md)", part.minutes, "**"))
    return "\n".join([*lines, _row("All chapters", teaching.minutes(chapters), "**")])


def _of_chapter(chapter):
    return _row(f"[{chapter.label}](../notebooks/{chapter.page}.ipynb)", teaching.minutes([chapter]))


def routes(_=None):
    """The minutes of each part of each route, with the breaks."""
    lines = ["| route | teaching | exercises | together | breaks |", "|---|--:|--:|--:|--:|"]
    for name, words in ROUTES.items():
        parts = course.parts(name)
        lines += [_of_steps(caption, steps) for caption, steps in parts if len(parts) > 1]
        lines.append(_of_steps(f"[{words}](route_{name}.md)", _steps(name), "**"))
    return "\n".join(lines)


def _steps(route):
    return [step for _, steps in course.parts(route) for step in steps]


def _of_steps(name, steps, mark=""):
    pauses = sum(step.minutes for step in steps if step.pause)
    return f"{_row(name, _minutes(steps), mark)} {pauses or ''} |"


def _minutes(steps):
    """Minutes of teaching and of exercises."""
    doing = sum(step.doing for step in steps)
    return sum(step.minutes for step in steps if not step.pause) - doing, doing


def _row(name, minutes, mark=""):
    return "| " + " | ".join(f"{mark}{one}{mark}" for one in (name, *minutes, sum(minutes))) + " |"


def route(name):
    """Where a route's minutes are added up, and what helps to teach it."""
    taught, doing = _minutes(_steps(name))
    pages = {step.chapter.page for step in _steps(name) if step.chapter}
    lessons = [
        f"[{part.caption}](teaching_part_{part.number}.md)"
        for part in teaching.parts().values()
        if pages & {*part.pages}
    ]
    return (
        f"{taught} minutes of teaching and {doing} of exercises. For teachers: [the timing](teaching.md#timing), and "
        f"what to draw, to ask and to type for {', '.join(lessons)}."
    )


def lesson(name):
    """All that a teacher is told of a part."""
    part = teaching.parts()[name]
    script = live_coding.scripts()[part.number]
    quiz = part.quiz.removeprefix("book/")
    taught, exercises, transfer = part.minutes
    head = (
        f"{taught} minutes of teaching and {exercises + transfer} of exercises; [the timing](teaching.md#timing) has "
        f"each chapter. [The quiz]({quiz}.md) asks the questions of this page with other numbers."
    )
    return "\n\n".join([head, _script(script), *map(_chapter, part.chapters)])


def _script(script):
    steps = "\n\n".join(
        f"{number}. {step.words}\n\n{_indented(step.code)}" for number, step in enumerate(script.steps, 1)
    )
    return (
        f"## Live coding\n\n**{script.title}** {script.about} A comment says what the class sees. The script is "
        f"`book/live_coding/{script.path.name}`.\n\n{steps}"
    )


def _indented(code):
    return "\n".join(f"   {line}" for line in ("```python", *code.splitlines(), "```"))


def _chapter(chapter):
    gives = "\n".join(f"- {one}" for one in chapter.gives)
    told = [
        f"## {chapter.label}",
        f"[The chapter](../notebooks/{chapter.page}.ipynb), {chapter.times} minutes.",
        f"**Objectives.** Afterwards everyone can\n\n{gives}",
        f"**On the board.** {teaching.notes()[chapter.page]['draw']}\n\n{board.sketch(chapter.page)}",
        f"**Misconceptions, and what reveals them**\n\n{_misconceptions(chapter.page)}",
        f"**Exercises**\n\n{_exercises(chapter.page)}",
    ]
    return "\n\n".join(told)


def _misconceptions(page):
    return "\n".join(map(_misconception, teaching.misconceptions(page)))


def _misconception(one):
    drawn = one.drawn
    return (
        f"- *{one.belief}*\\\n"
        f"  Ask: {drawn.text} **{one.told_by}** gives it away; **{drawn.right}** is right. {drawn.because}\\\n"
        f"  Then: {one.then}"
    )


def _exercises(page):
    return "\n".join(
        f"- [`{name}`](../notebooks/{page}.ipynb{course.anchor(place)}), {course.kind(name, place)}: "
        f"{check.all()[name].task}"
        for name, place in course.places_of_exercises(page).items()
    )


WRITERS = {"timing": timing, "routes": routes, "teach": route, "lesson": lesson}
