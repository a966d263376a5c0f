"""The pages for teachers, as Markdown: the minutes of all chapters and routes, and the lessons of a part."""

from . import board, course, live_coding, teaching

ROUTES = {"workshop": "Ninety minutes", "day": "A day", "evenings": "Ten evenings"}


def timing(_=None):
    """The minutes of each chapter and each part, teaching and exercises apart."""
    lines = ["| chapter | teaching | exercises | together |", "|---|--:|--:|--:|"]
    recipe, *_ = course.chapters().values()
    lines.append(
        _row(f"[{recipe.label}](../notebooks/{recipe.page}.ipynb)", recipe.reading, recipe.exercises)
    )
    for part in teaching.parts().values():
        for chapter in part.chapters:
            name = f"[{chapter.label}](../notebooks/{chapter.page}.ipynb)"
            lines.append(_row(name, chapter.reading, chapter.exercises))
        name = f"**[{part.caption}](teaching_part_{part.number}.md)**"
        lines.append(_row(name, part.reading, part.exercises, "**"))
    everything = course.chapters().values()
    sums = (sum(one.reading for one in everything), sum(one.exercises for one in everything))
    return "\n".join([*lines, _row("**All chapters**", *sums, "**")])


def routes(_=None):
    """The minutes of each part of each route, with the breaks."""
    lines = ["| route | teaching | exercises | together | breaks |", "|---|--:|--:|--:|--:|"]
    for name, words in ROUTES.items():
        parts = course.parts(name)
        for caption, steps in parts if len(parts) > 1 else ():
            lines.append(_steps(caption, steps))
        lines.append(
            _steps(f"[{words}](route_{name}.md)", [one for _, steps in parts for one in steps], "**")
        )
    return "\n".join(lines)


def _row(name, teaching_minutes, exercises, mark=""):
    numbers = (teaching_minutes, exercises, teaching_minutes + exercises)
    return f"| {name} | " + " | ".join(f"{mark}{one}{mark}" for one in numbers) + " |"


def _steps(name, steps, mark=""):
    doing = sum(step.doing for step in steps)
    taught = sum(step.minutes for step in steps if not step.pause) - doing
    pauses = sum(step.minutes for step in steps if step.pause)
    return f"{_row(f'{mark}{name}{mark}', taught, doing, mark)} {pauses or ''} |"


def route(name):
    """Where a route's minutes are added up, and what helps to teach it."""
    steps = [step for _, there in course.parts(name) for step in there]
    doing = sum(step.doing for step in steps)
    taught = sum(step.minutes for step in steps if not step.pause) - doing
    pages = {step.chapter.page for step in steps if step.chapter}
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
    head = (
        f"{part.reading} minutes of teaching and {part.exercises} of exercises; [the timing](teaching.md#timing) has "
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
    from toykit.exercises import check

    places = course.places_of_exercises(page)
    return "\n".join(
        f"- [`{name}`](../notebooks/{page}.ipynb{course.anchor(place)}): {check.all()[name].task}"
        for name, place in places.items()
    )


WRITERS = {"timing": timing, "routes": routes, "teach": route, "lesson": lesson}
