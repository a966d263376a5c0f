"""A small subset of Markdown for the sentences inside instruments and exercises.

Paragraphs, ``**strong**``, ``*emphasis*``, `` `code` `` and ``[text](address)``. Not here: lists, tables and
formulas, which belong in the page around an instrument.
"""

import html
import re

_INLINE = (
    (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*(.+?)\*"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\(((?:https?://|#|\.{0,2}/)?[\w./#%~?=&;+-]+)\)"), r'<a href="\2">\1</a>'),
)
_SENTENCE = re.compile(r"(?<=[.!?:])\s+")


def inline(text):
    """Return one line of text as HTML, everything else escaped.

    Examples
    --------
    >>> inline("**16 bits**, `a < b`")
    '<strong>16 bits</strong>, <code>a &lt; b</code>'
    """
    parts = re.split(r"`([^`]+)`", text)
    for i, part in enumerate(parts):
        part = html.escape(part, quote=True)
        if i % 2:
            part = f"<code>{part}</code>"
        else:
            for pattern, result in _INLINE:
                part = pattern.sub(result, part)
        parts[i] = part
    return "".join(parts)


def plain(text):
    """Return one line of text without its marks, for a name that is read aloud.

    Examples
    --------
    >>> plain("**16 bits**, `a < b`")
    '16 bits, a < b'
    """
    return html.unescape(re.sub(r"<[^>]+>", "", inline(text)))


def to_html(text):
    """Return paragraphs, separated by blank lines, as HTML."""
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", text.strip())]
    return "".join(f"<p>{inline(p)}</p>" for p in paragraphs if p)


def without_sentences(text, placeholder):
    """Drop the sentences that hold `placeholder`, for a reader to whom it does not apply.

    Examples
    --------
    >>> without_sentences("You said {guess}. It is 9.", "{guess}")
    'It is 9.'
    """
    paragraphs = re.split(r"\n\s*\n", text.strip())
    kept = [" ".join(s for s in _SENTENCE.split(p) if placeholder not in s) for p in paragraphs]
    return "\n\n".join(kept)
