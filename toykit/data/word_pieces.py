"""From a sentence to the numbers of its word pieces, as BERT and MiniLM read it.

A sentence is cut at spaces and punctuation; each word is then cut, from the left, into the longest pieces
that the vocabulary of 30,522 has. Pieces inside a word begin with `##`: "palettize" becomes pale, ##tti,
##ze.
"""

import unicodedata
from functools import cache

import numpy as np

from .._files import checked
from ..compressed import check_each, check_int, check_type

CHECKSUM = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"  # SHA-256 of vocab.txt
LONGEST = 100  # characters; a longer word is unknown


@cache
def vocabulary():
    """The number of each piece, a dict of str to int.

    Raises
    ------
    FileNotFoundError
        If the file was not brought; the message says how.
    """
    text = checked("minilm", "vocab.txt", CHECKSUM).read_text(encoding="utf-8")
    return {piece: number for number, piece in enumerate(text.split("\n")[:-1])}


def pieces(sentence):
    """Cut a sentence into word pieces.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    list of str
        Without the marks of beginning and end, [CLS] and [SEP].

    References
    ----------
    Wu et al., "Google's Neural Machine Translation System", 2016, section 4.1; J. Devlin et al., "BERT",
    NAACL 2019, for what comes before it: lower case, no accents, a cut at each punctuation mark.

    Examples
    --------
    >>> pieces("Palettize me, please!")
    ['pale', '##tti', '##ze', 'me', ',', 'please', '!']
    """
    check_type("sentence", sentence, str, "a text")
    return [piece for word in _words(sentence) for piece in _cut(word)]


def numbers(sentences, longest=128):
    """The numbers of the pieces of sentences, filled up to one length.

    Parameters
    ----------
    sentences : list of str
    longest : int
        Pieces a sentence may have, its two marks included; what is over is left off.

    Returns
    -------
    (n, t) int32 array
        [CLS] is 101, [SEP] 102, and 0 fills up; t is what the longest sentence needs.
    (n, t) float32 array
        1 where a piece stands.

    Raises
    ------
    TypeError
        For what is no list of str; also for a single string, which is a list of letters to Python.
    ValueError
        If `longest` is not from 2 to 512, the number of places that the network knows.

    Examples
    --------
    >>> found, mask = numbers(["Hello!", "Hi"])
    >>> found.tolist()
    [[101, 7592, 999, 102], [101, 7632, 102, 0]]
    >>> mask.sum(axis=1).tolist()
    [4.0, 3.0]
    """
    if isinstance(sentences, str):
        raise TypeError(f"sentences must be a list of str; got one str, {sentences!r}: write [sentence]")
    sentences = check_each("sentences", sentences, str, "texts")
    longest = check_int("longest", longest, range(2, 513))
    known = vocabulary()
    rows = [
        [known["[CLS]"], *[known[piece] for piece in pieces(one)][: longest - 2], known["[SEP]"]]
        for one in sentences
    ]
    length = max(map(len, rows), default=0)
    found = np.zeros((len(rows), length), np.int32)
    for row, values in zip(found, rows):
        row[: len(values)] = values
    return found, (np.arange(length) < np.array([[len(row)] for row in rows])).astype(np.float32)


def _words(sentence):
    """Lower case without accents; spaces cut, and so does each punctuation mark and each Chinese character."""
    plain = "".join(" " if c in "\t\n\r" else c for c in sentence if not _is_control(c))
    plain = "".join(c for c in unicodedata.normalize("NFD", plain.lower()) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if _stands_alone(c) else c for c in plain).split()


def _is_control(character):
    return character in "\0\ufffd" or (
        unicodedata.category(character).startswith("C") and character not in "\t\n\r"
    )


def _stands_alone(character):
    code = ord(character)
    # All ASCII that is neither letter nor digit, Unicode's punctuation, and the blocks of CJK ideographs.
    return (
        (code < 128 and not character.isalnum() and not character.isspace())
        or unicodedata.category(character).startswith("P")
        or any(
            first <= code <= last
            for first, last in (
                (0x4E00, 0x9FFF),
                (0x3400, 0x4DBF),
                (0x20000, 0x2A6DF),
                (0x2A700, 0x2B73F),
                (0x2B740, 0x2B81F),
                (0x2B920, 0x2CEAF),
                (0xF900, 0xFAFF),
                (0x2F800, 0x2FA1F),
            )
        )
    )


def _cut(word):
    known, found, rest = vocabulary(), [], word
    while rest:
        mark = "##" if found else ""
        length = next((n for n in range(len(rest), 0, -1) if mark + rest[:n] in known), 0)
        if not length or len(word) > LONGEST:
            return ["[UNK]"]
        found.append(mark + rest[:length])
        rest = rest[length:]
    return found
