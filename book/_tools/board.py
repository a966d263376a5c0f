"""What to draw on the board for each chapter: sketches in plain text, and pictures where a text would not do.

How to draw it is said in book/teaching.toml. Times are computed here.
"""

import html

from . import board_pictures


def sketch(page):
    """What to draw for a chapter, as Markdown around HTML: a sketch keeps its lines on a phone, and scrolls."""
    if page in board_pictures.PICTURES:
        drawn = f"<figure>{board_pictures.image(page)}</figure>"
    else:
        drawn = f'<pre class="course-board" tabindex="0">{html.escape(text(page))}</pre>'
    return f"```{{raw}} html\n{drawn}\n```"


def text(page):
    """A sketch in plain text."""
    drawn = SKETCHES[page]
    return (drawn if isinstance(drawn, str) else drawn()).strip("\n")


def faster(old=2.0, new=1.5):
    """Three sentences about one pair of times."""
    return "\n".join(
        [
            f"old  {'#' * round(old * 12)}  {old} ms",
            f"new  {'#' * round(new * 12)}  {new} ms",
            "",
            f"takes      {100 * (1 - new / old):.0f} % less time",
            f"is         {100 * (old / new - 1):.0f} % faster",
            f"is         {old / new:.2f} times as fast",
        ]
    )


def stages(lengths=(2, 3, 2), requests=4, width=2):
    """When each request is in each stage, if a stage works on one at a time."""
    free, rows = [0] * len(lengths), [""] * len(lengths)
    for request in range(1, requests + 1):
        now = 0
        for number, length in enumerate(lengths):
            start = max(now, free[number])
            now = free[number] = start + length
            rows[number] = rows[number].ljust(width * start) + str(request) * (width * length - 1) + " "
    names = ("prepare", "predict", "read out")
    return "\n".join(f"{name:9}|{row.rstrip()}" for name, row in zip(names, rows, strict=True))


SKETCHES = {
    "00_recipe": """
torch --convert--> Model.mlpackage --compress--> Small.mlpackage -verify-> ships
                   float16                       fewer bits      same answers?
""",
    "06_accuracy": r"""
right |-----------------------.
      |                        \
      |                         \
      |                          `-------
      +-----------------------------------> smaller
                     where? ^
""",
    "06b_which_layers": """
damage
  |      __
  |     |  |            ____________________
  |     |  |    ___    |                    |
  +-----|__|---|___|---|____________________|----
         A      B              C
              width: bytes it would take
""",
    "08b_a_transformer": """
          token 1    token 1,000    which token?
weights   [######]   [######]       [######]
cache     [.]        [...]          [......]
""",
    "08c_breaks_at_thirty_percent": """
picture 1          picture 2            inputs around zero
  3 --(+e)--.        3 --(+e)--.          1 --(+e)--.
  3 --(+e)--+--> y   3 --(+e)--+--> y    -2 --(+e)--+--> y
  3 --(-e)--'        3 --(-e)--'          1 --(-e)--'
  moved by 3 e       moved by 3 e         moved by -2 e, and otherwise next time
""",
    "09_from_pytorch": """
x --> [ w x + b ] --> [ g (y - m) / s + h ] -->

x --> [ (g w / s) x  +  g (b - m) / s + h ] -->
""",
    "10_post_training": """
layer             type     rules
stem              conv     everything     8 bits
block.0.conv      conv     type conv      6 bits
block.0.narrow    linear   name stem      3 bits
head              linear   name head      None
""",
    "11_training_time": """
prepare           a mask, a scale or a table comes to each layer
  |
  v
[ forward, backward, optimizer, step ]  <-- again and again
  |
  v
finalize          the weights are what they will be stored as
""",
    "12_inside_a_package": """
Model.mlpackage
  model.mlmodel    conv(x, weight = at 64) ... relu ...
                                     |
                                     v
  weight.bin       | header | record | data .... | record | data .. |
                   0        64       128
""",
    "12b_core_ai": """
layer.mlpackage                      layer.aimodel
  model.mlmodel  weight.bin            main.mlirb  main.hash  metadata.json
                     |                     |
                     v                     v
             +-----------------------------------+
             |  codes 16,384    scales 2,048     |
             +-----------------------------------+
""",
    "14_neural_engine": faster,
    "16_strategy": """
 \\  limits: bytes, share of right answers, system     /   how many pass?
  \\   explore: what costs no data                    /
   \\     profile: what costs a run on a device      /
    \\       evaluate: what costs a test set        /
     \\        train: what costs a day             /
      \\_________________one___________________  /
""",
    "17_async": stages,
    "18_your_own_model": """
samples to search with --> many recipes --> one of them --> a decision log
                                                ^
samples that judge -----------------------------'     nothing goes back
""",
}
