#!/usr/bin/env python3
"""TinyStories samples to training and held-out text, for the bundled model.

    prepare_tinystories.py CASED LOWER OUT_DIR

CASED has stories in their own case, separated by `<|endoftext|>`. LOWER has about twice as many, lower-cased, one
newline between stories and two between paragraphs, partly the same stories. Every 33rd story of CASED is held out
(`OUT_DIR/valid.txt`); the rest, and the stories only LOWER has with their case restored, are `OUT_DIR/train.txt`.

Case is restored by counting: how a word is written in CASED after the same separator (`. `, `, "`, ` ` ...), else after
any separator of that text. Words that follow "named" are names. Needs Python 3 and nothing else; the result depends on
its inputs only.
"""

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

SEPARATOR = "<|endoftext|>"
WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
# UTF-8 punctuation that LOWER holds as if it were Windows-1252, and CASED holds properly; longest first.
PUNCTUATION = {
    "â€œ": '"', "â€™": "'", "â€˜": "'", "â€¦": "...", "â€“": "-", "â€”": "-", "â€\u201c": "-", "â€\u201d": "-", "â€": '"',
    "“": '"', "”": '"', "’": "'", "‘": "'", "…": "...", "–": "-", "—": "-",
}
SHORTEST = 300  # characters; shorter pieces of LOWER are paragraphs torn from a story


def plain(text):
    for odd, ascii_mark in PUNCTUATION.items():
        text = text.replace(odd, ascii_mark)
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"[ \t]+", " ", text)).strip()


def letters(text):
    """What two copies of a story share, whatever their case and punctuation."""
    return re.sub(r"[^a-z]", "", text.lower())


class Truecaser:
    def __init__(self, cased, lower):
        self.seen = defaultdict(Counter)  # (separator, word) -> how often lower (0) and capital (1)
        self.after = defaultdict(Counter)  # separator -> the same
        self.inside = defaultdict(Counter)  # word -> the same, where the separator is one space
        for story in cased:
            for separator, word in self.words(story):
                capital = int(word[0].isupper())
                low = word.lower()
                self.seen[separator, low][capital] += 1
                self.after[separator][capital] += 1
                if separator == " ":
                    self.inside[low][capital] += 1
        named = Counter(word for story in lower for word in re.findall(r"\bnamed (\w+)", story))
        total = Counter(word for story in lower for _, word in self.words(story))
        self.names = {w for w, n in named.items() if not self.inside[w] and n * 20 > total[w]}

    @staticmethod
    def words(story):
        end = 0
        for match in WORD.finditer(story):
            # The text's beginning counts as a paragraph's.
            yield (story[end : match.start()] or "\n"), match.group()
            end = match.end()

    def capital(self, separator, word):
        inside = self.inside[word]
        if word in self.names or inside[1] > inside[0]:
            return True
        exact = self.seen[separator, word]
        if exact.total() >= 2:
            return exact[1] > exact[0]
        return self.after[separator][1] > self.after[separator][0]

    def restore(self, story):
        parts, end = [], 0
        for match in WORD.finditer(story):
            separator, word = story[end : match.start()], match.group()
            # 's after a name that an odd apostrophe split, and the like, stay as they are.
            up = self.capital(separator or "\n", word)
            parts += [separator, word[0].upper() + word[1:] if up else word]
            end = match.end()
        return "".join(parts) + story[end:]


def main(cased_path, lower_path, out_dir):
    cased = [plain(s) for s in Path(cased_path).read_text(encoding="utf-8").split(SEPARATOR)]
    cased = [s for s in cased if s][:-1]  # the last one is cut off
    held_out, train = cased[::33], [s for i, s in enumerate(cased) if i % 33]

    pieces = re.split(r"(?<!\n)\n(?!\n)", Path(lower_path).read_text(encoding="utf-8"))[:-1]
    pieces = [plain(p) for p in pieces]
    known = letters(" ".join(cased))
    fresh = [
        p
        for p in dict.fromkeys(pieces)
        if len(p) >= SHORTEST and p.isascii() and p[-1] in '.!?"' and letters(p)[20:120] not in known
    ]
    truecaser = Truecaser(train, fresh)
    # How well it does, on stories it has not seen.
    right = wrong = 0
    for story in held_out:
        for (_, want), (_, got) in zip(Truecaser.words(story), Truecaser.words(truecaser.restore(story.lower()))):
            right, wrong = right + (want == got), wrong + (want != got)
    train += [truecaser.restore(p) for p in fresh]

    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    for name, stories in [("train.txt", train), ("valid.txt", held_out)]:
        text = "".join(s + "\n" + SEPARATOR + "\n" for s in stories)
        (out / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(stories)} stories, {len(text.encode())} bytes")
    print(f"case restored in {len(fresh)} stories; on the held-out ones {right / (right + wrong):.2%} of words are right")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
