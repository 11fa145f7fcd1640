"""One spelling for one label of a host's name, as SQL: letters composed (NFC), an IDN's ASCII form (punycode) read.

References
----------
RFC 3492 (punycode: the decoder is its section 6.2), Unicode Standard Annex 15 (composition)
"""

from __future__ import annotations

import unicodedata

from alertgraph_spark.normalise.columns import sql_text

_LETTERS = (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
_COMPOSED = {
    unicodedata.normalize("NFD", chr(code)): chr(code)
    for code in _LETTERS
    if len(unicodedata.normalize("NFD", chr(code))) == 2 and chr(code).islower()
}
"""A letter and one mark behind it, to the letter that has it; for the Latin letters of Unicode's first blocks."""

# One literal: each of Spark's rules would walk a map of hundreds, time and again.
_TABLE = sql_text("".join(f" {pair}:{letter}" for pair, letter in _COMPOSED.items()) + " ")
_MARK = r"[\x{300}-\x{36f}]"


def first_label(name: str) -> str:
    """SQL for the first label of a host's name in lower case, with its letters composed: macOS writes two for `ü`.

    The dot of the root is no label, nor is the `$` behind a machine's account.
    """
    label = f"trim(substring_index(trim(trailing '.$' from {name}), '.', 1))"
    mark = "concat(' ', u, ':')"
    is_pair = f"length(u) = 2 and contains({_TABLE}, {mark})"
    letter = f"if({is_pair}, substring_index(substring_index({_TABLE}, {mark}, -1), ' ', 1), u)"
    units = f"regexp_extract_all({label}, r'(?s)(.{_MARK}?)', 1)"
    return f"if({name} rlike r'{_MARK}', array_join(transform({units}, u -> {letter}), ''), {label})"


_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"
_FIELDS = ("out", "n", "i", "old", "w", "k", "bias", "way", "ok")


def _state(**changed: str) -> str:
    """SQL for the state of the decoder, `a` with some of its fields changed."""
    fields = [f"'{name}', {changed.get(name, 'a.' + name)}" for name in _FIELDS]
    return f"named_struct({', '.join(fields)})"


def decoded(label: str) -> str:
    """SQL for a label out of punycode (`xn--bro-pc7-n2a` is `büro-pc7`); any other, and what cannot be read, stays.

    One pass over the digits: `w` weighs the next one, `k` is its place, `i` the number so far. A digit below the threshold
    ends a number, which says what letter comes next (`n`) and where. The step behind each digit settles the bias of the
    thresholds by the `way` from the letter before, where there is one. `label` names a column or a field.
    """
    tail = f"substring({label}, 5)"
    coded = f"substring_index({tail}, '-', -1)"
    basic = f"if(contains({tail}, '-'), left({tail}, length({tail}) - length({coded}) - 1), '')"
    values = f"transform(filter(split({coded}, ''), c -> c != ''), c -> cast(instr('{_DIGITS}', c) - 1 as bigint))"
    steps = f"flatten(transform({values}, v -> array(v, -2L)))"
    start = _state(out=basic, n="128L", i="0L", old="0L", w="1L", k="36L", bias="72L", way="-1L", ok="true")
    number, size = "(a.i + v * a.w)", "(length(a.out) + 1)"
    threshold = "greatest(1L, least(26L, a.k - a.bias))"
    letter, place = f"(a.n + {number} div {size})", f"cast({number} % {size} as int)"
    put = f"concat(left(a.out, {place}), {_char(letter)}, substring(a.out, {place} + 1))"
    after = f"{number} % {size} + 1"
    way = f"({number} - a.old) div if(a.old = 0, 700, 2)"
    next_letter = _state(out=put, n=letter, i=after, old=after, w="1L", k="36L", way=way, ok=f"{letter} < 65536")
    next_digit = _state(i=number, w=f"a.w * (36 - {threshold})", k="a.k + 36", ok="a.w < 1000000000L")
    # `adapt`: a loop that divides by 35 until the rest is 455 or less.
    far = "(a.way + a.way div length(a.out))"
    rests = [f"{36 * m} + (36 * ({far} div {35**m})) div ({far} div {35**m} + 38)" for m in range(4)]
    bias = " ".join(f"when {far} < {456 * 35**m} then {rest}" for m, rest in enumerate(rests))
    step = (
        f"case when not a.ok or v = -1 then {_state(ok='false')}"
        f" when v = -2 then if(a.way < 0, a, {_state(bias=f'case {bias} end', way='-1L')})"
        f" when v < {threshold} then {next_letter} else {next_digit} end"
    )
    read = f"aggregate({steps}, {start}, (a, v) -> {step}, a -> if(a.ok and a.w = 1, a.out, {label}))"
    return f"if(startswith({label}, 'xn--'), {read}, {label})"


def _char(code: str) -> str:
    """SQL for the character of a code point below 65,536: `char` knows 256."""
    return f"decode(unhex(lpad(hex({code}), 4, '0')), 'UTF-16BE')"
