"""Small stories from a grammar and a seed: each keeps its names and its thing to the end.

Rules are rows: a rule's text holds other rules in braces, and the people and things of the story in
angle brackets. Knows no token.
"""

from __future__ import annotations

import random
import re

RULES: dict[str, tuple[str, ...]] = {
    "story": ("{start} {wish} {trouble} {help} {turn} {end}",),
    "start": (
        "Once there was a {size} {kind} named <hero>. <hero> lived {place}.",
        "In a {size} house {place} lived a {kind} named <hero>.",
        "One {weather} morning, a {kind} named <hero> woke up early.",
        "<hero> was a {mood} {kind} who lived {place}.",
    ),
    "wish": (
        "<hero> had a {look} <thing>. <hero> loved the <thing> very much.",
        "Every day <hero> played with a {look} <thing>.",
        "<hero> wanted to show the {look} <thing> to <friend>.",
        "That day, <hero> found a {look} <thing> {spot}.",
    ),
    "trouble": (
        "But then the <thing> fell {into}. <hero> felt {sad}.",
        "Suddenly the wind took the <thing> and blew it {into}. <hero> began to cry.",
        'But the <thing> was gone! "Where is my <thing>?" asked <hero>.',
        'When <hero> looked again, the <thing> was broken. "Oh no!" said <hero>.',
    ),
    "help": (
        '<friend> came by and said, "Do not be {sad}, <hero>. I can help you."',
        '"I know what to do," said <friend>. "Let us {act} together."',
        "<hero> told <friend> about the <thing>. <friend> thought for a while.",
        "<friend> saw that <hero> was {sad} and wanted to help.",
    ),
    "turn": (
        "They looked {spot}, and there was the <thing>!",
        "<friend> and <hero> {acted} until the sun went down. At last they had the <thing> back.",
        "<hero> held the ladder, and <friend> climbed up and got the <thing>.",
        "It took a long time, but <hero> and <friend> did not stop.",
    ),
    "end": (
        '"Thank you, <friend>," said <hero>. From then on they were best friends.',
        "<hero> was {glad} and gave <friend> a big hug. Then they went home and had {meal}.",
        "<hero> and <friend> laughed and shared the <thing>. It was a good day.",
        'That night <hero> put the <thing> beside the bed. "Good night, <thing>," said <hero>.',
    ),
    "size": ("little", "small", "tiny", "big"),
    "kind": ("fox", "girl", "boy", "rabbit", "bear", "mouse", "bird", "frog", "cat", "turtle"),
    "place": (
        "near the forest",
        "by the lake",
        "on a green hill",
        "at the end of the village",
        "under an old oak tree",
    ),
    "weather": ("sunny", "cold", "rainy", "windy"),
    "mood": ("happy", "shy", "brave", "curious", "sleepy"),
    "look": ("red", "blue", "shiny", "soft", "round", "golden", "new"),
    "spot": ("under the bridge", "behind the barn", "in the tall grass", "next to the well"),
    "into": ("into the river", "into a deep hole", "onto the roof", "over the fence"),
    "sad": ("sad", "very sad", "lonely", "afraid"),
    "act": ("look for it", "try again", "ask the owl", "build a boat"),
    "acted": ("dug and dug", "searched and searched", "worked and sang", "walked and walked"),
    "glad": ("so happy", "very glad", "full of joy"),
    "meal": ("warm soup", "apple pie", "bread and honey", "a cup of milk"),
}
NAMES = ("Mia", "Tom", "Lily", "Ben", "Anna", "Max", "Sara", "Leo", "Nora", "Sam", "Ella", "Finn")
THINGS = ("ball", "kite", "hat", "drum", "lamp", "boat", "book", "cake", "key", "flower", "bell")
PART = re.compile(r"\{(\w+)\}")
ROLE = re.compile(r"<(\w+)>")


def story(seed: int, number: int, *, hero: str | None = None, thing: str | None = None) -> str:
    """The `number`-th story of a seed, about this hero and this thing where they are given."""
    chance = random.Random(f"{seed} {number}")
    first, second = chance.sample(NAMES, 2)
    friend = first if second == hero else second
    people = {"hero": hero or first, "friend": friend, "thing": thing or chance.choice(THINGS)}
    text = "{story}"
    while PART.search(text):
        text = PART.sub(lambda part: chance.choice(RULES[part[1]]), text)
    return ROLE.sub(lambda role: people[role[1]], text)
