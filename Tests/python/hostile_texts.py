"""Texts that tokenizers trip over: every plane, marks, runs, controls, what looks like a mark."""

from __future__ import annotations

import random
import sys

LONG = 100_000
PLANES = 17

FIXED = [
    *("", " ", "  ", "\n", "\r\n", "\t", "\0", "a\0b", "\x7f", "\x1b[31m", "\u2028\u2029", "\x85"),
    *(chr(code) for code in range(0x20)),
    "<|endoftext|>",
    "a<|endoftext|>b <|endoftext|>",
    "<s> </s><unk>",
    "<|im_start|>user\nhi<|im_end|>",
    "<0x41><0xFF>",
    "▁ ▁▁ \u2581",
    "e\u0301 a\u0300\u0301\u0302\u0303" + "\u0336" * 50,
    # Joined and coloured faces, flags of two letters.
    "👨\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 👩🏽\u200d🚀 🇩🇪🇯🇵",
    "مرحبا بالعالم שלום \u202eabc\u202c \u200f\u200e",
    "नमस्ते ไทย 한국어 日本語 \U0001d573\U0001d58a\U0001d591",
    "\ufeff\ufffe\uffff\ufffd\u200b\u200d\u2060\u00ad",
    "I'm you're it's we'll they'd I've don't 'S 'LL",
    "x=1;y  =  2\n\n\n   def f():\n\treturn 3.14e-10  ",
    "a" * 700,
    " " * 300,
    "\n" * 300,
    "1" * 300,
    "!?" * 300,
]

RUNS = ["a" * LONG, " " * LONG, "\n" * LONG, "é" * LONG, "😀" * LONG, "\0" * LONG, "ab " * LONG]


def hostile_texts(count: int, seed: int = 0) -> list[str]:
    """The fixed ones, then `count` random ones that go through all planes."""
    rng = random.Random(seed)
    odd = [
        *"abehot  \n\t\r<>|0xA/s▁é漢😀\0\x7f\u200b\ufeff\ufffd'\u017f",
        "e\u0301",
        "<|endoftext|>",
    ]

    def of_plane(plane: int) -> str:
        return "".join(
            character
            for _ in range(rng.randint(1, 20))
            if not "\ud800" <= (character := chr(plane << 16 | rng.randrange(1 << 16))) <= "\udfff"
        )

    makers = (
        lambda: "".join(rng.choice(odd) for _ in range(rng.randint(0, 40))),
        lambda: "".join(chr(rng.randrange(0x250)) for _ in range(rng.randint(1, 30))),
        lambda: "".join(chr(rng.randrange(0xD800)) for _ in range(rng.randint(1, 15))),
        lambda: "".join(rng.choice("aeht no'") for _ in range(rng.randint(0, 80))),
    )
    planes = [of_plane(index % PLANES) for index in range(count // 2)]
    return FIXED + planes + [makers[index % len(makers)]() for index in range(count // 2)]


def every_character() -> list[str]:
    """All code points but surrogates, 4096 to a text."""
    codes = [code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    return ["".join(map(chr, codes[i : i + 4096])) for i in range(0, len(codes), 4096)]
