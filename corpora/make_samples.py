"""Makes `corpora/samples/`: a small file of each common kind, the same bytes on every machine.

    python corpora/make_samples.py            write the samples and SHA256SUMS
    python corpora/make_samples.py --check    compare them with what is in the tree

Everything is made from integers and the text in this file: no floating point, no clock, no library outside the
standard one, and no random module (its shuffles differ between versions; `Random` below does not). The prose was
written for nzip; `prose.txt` continues it with a Markov chain over its own words, so its second part has the words
of English and not its sense. The samples are under the licence of nzip.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "samples"
SUMS = "SHA256SUMS"
MASK = (1 << 64) - 1


class Random:
    """The splitmix64 generator: a counter and a mixing function, in integers."""

    def __init__(self, seed: int):
        self._state = seed & MASK

    def word(self) -> int:
        """Return 64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit: int) -> int:
        """Return 0 .. limit-1 (the bias of the multiplication is below 2^-32 here)."""
        return ((self.word() >> 32) * limit) >> 32

    def between(self, low: int, high: int) -> int:
        """Return low .. high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[Any]) -> Any:
        """Return one of `items`."""
        return items[self.below(len(items))]

    def skewed(self, items: Sequence[Any]) -> Any:
        """Return one of `items`, the early ones more often."""
        return items[min(self.below(len(items)), self.below(len(items)))]

    def bell(self, spread: int) -> int:
        """Return an integer around 0, about normal, of standard deviation near `spread`."""
        return (sum(self.below(2 * spread + 1) for _ in range(3))) - 3 * spread


PROSE = """\
THE KEEPER OF MEASURES

I.

In the year the new road came to Harrow Ford, the town council found itself with a second-hand balance, nine brass
weights, a yard of boxwood with silver ends, and nobody to look after them. The old keeper had died in the spring. His
daughter, who had carried the lamp for him every market day since she was six, was asked whether she would hold the
keys until somebody was found. She held them for fifty-one years, and nobody was ever found, because after the first
month nobody was looking.

Her name was Ysolde Marrin, and she was not a warm person. People who came to the weighing house to quarrel went away
agreeing, less because they were persuaded than because it was cold in there and she would not light the stove for a
quarrel. "A pound is a pound," she used to say. "You may be angry at it if you like. It does not mind." She kept two
books. In the first she wrote what was weighed, for whom, and what it came to. In the second she wrote what she had
learned, and that is the book I have before me now.

It begins with the weights. There were nine of them, and they ran from one ounce to sixteen pounds, each the double of
the one before. She had not been told why. She worked it out by candle in her second winter, putting them on the pan
in every way she could think of, and found that with the nine she could make any weight at all from one ounce up to
five hundred and eleven, and each of them in one way only. "It is as though," she wrote, "each weight asks a question,
and the answer is yes or no, and when nine questions have been answered there is nothing more to ask." Below this she
drew a line with the ruler, and below the line she put: "Nine questions. Not eight. I have tried with eight."

II.

The grain merchants did not love her. Before her time it had been the habit to weigh each sack, and there were forty
sacks to a wagon, and the wagons stood in the street from dawn until noon. She watched this for a season. Then one
morning she weighed the first sack of a wagon from Dunmore in the ordinary way, and before the second was lifted she
said, "Sixty-two pounds and a half," and set the weights upon the pan beforehand. The beam moved a hair and stood
still. She did the same with the third. By the tenth sack the carter had stopped laughing.

What she had noticed was that the sacks of one farm were filled by one hand, and that the hand did not change its mind
between one sack and the next. "If I must ask all the questions anew for each sack," the book says, "I am a fool who
listens to nothing. The last sack has told me most of what this one has to say. I need only ask how it differs." For
the sacks from Dunmore she needed, as a rule, two weights lifted and one put down. For the sacks from Upper Lacey,
where the sons took turns and did not speak to one another, she needed five or six. She kept a slate by the balance
with the name of each farm on it and, beside the name, the weight she expected; and after every sack she moved the
figure a little toward what the sack had really been. Not all the way. She had tried going all the way, and it made
her slave to every accident. She had tried not moving at all, and it made her deaf.

"A sixteenth part of the difference," she wrote at last, "is about right for Dunmore. An eighth for Lacey. When a farm
is new I know nothing, and I move by half, then by a third, then by a quarter, until I am moving by a sixteenth, and
there I stay." It is the only page in the book with a drawing: a curve like the neck of a swan, steep and then level.

III.

There came a year of bad harvests when the farms bought from one another and the sacks got mixed. A sack with the mark
of Dunmore might hold grain from anywhere. Her slate, which had been right so often that the carters used to bet on
it, was wrong eleven times on a single morning, and the town enjoyed this very much. She closed the weighing house at
noon, which she had never done, and sat with the second book until it was dark.

The entry for that day is long and much crossed out. She had, it seems, been asking herself whom to believe. The mark
on the sack said one thing. The name of the carter said another, for a carter who lived near Lacey was likely to carry
what Lacey grew. The sack before said a third. "Each of them is right some of the time," she wrote, "and each of them
is a liar in his own manner. It will not do to choose one and follow him. It will not do to let them vote either, for
two fools outvote a wise man. I must give each a voice as loud as he has earned, and I must raise it or lower it each
day by how well he spoke the day before."

She made herself a second slate. On it were three names: Mark, Carter, and Last; and under each a number, which began
the same for all. Every time a sack was weighed she looked at what each of the three would have said, and those that
had leaned the right way were given a little more, and those that had leaned the wrong way lost a little, and the more
wrong she had been altogether the more she moved them all. Within a fortnight Last was the loudest. By Michaelmas it
was Carter. When the next good harvest came, Mark rose again so slowly that she did not notice it until Advent.

"I was asked today," says a note in the margin, in another ink, "by the schoolmaster, which of my three is the true
one. I said that I do not keep the true one. I keep the three and I keep the numbers. He thought it a strange answer.
He has only ever had one clock."

IV.

I do not want to make her into more than she was. She had no Latin. She was mistaken about the moon, which she thought
made brass heavier, and she spent most of one year failing to prove it. She was hard on the apprentices, of whom there
were seven; six of them left. When the railway came, and the new weighbridge with it, which took a whole wagon at
once and printed the answer on a card, she went to look at it and came home and said that it was accurate, and would
say no more. The weighing house became a shop for lamps, then a tea room, then a place where bicycles could be left.

The seventh apprentice was my grandmother. It was she who told me what Ysolde Marrin did on the last evening, when the
council's man was coming in the morning for the keys. She took down the slates and washed them. My grandmother, who
was nineteen and soft-hearted, asked whether it was not a pity, all those numbers, fifty-one years of them; for there
was not a farm in the valley that was not on the slates, and each figure had been moved ten thousand times, a little
this way and a little that, until it stood where it stood.

"Anyone may have them again," said the old woman, "who begins where I began and weighs what I weighed, in the same
order, and moves them as I moved them. I have written down how. It is all in the book." She dried her hands. "That is
what the book is for. The numbers are only what happened. You do not need to carry them about with you if the other
fellow can make them for himself; you need only be certain that he makes them exactly as you did. To the sixteenth
part. If he rounds where you did not round, then on the first day you will differ by a hair, and on the second by two,
and by harvest you will be talking of different sacks."

Then she put out the lamp, because oil was dear, and they walked home by the river in the dark.

V.

The balance is in the county museum, in a case by the stairs, with a card that gives its maker and date: Aldous Venn,
1794. The nine weights are beside it. If you ask the attendant, and if it is a quiet day, he will open the case and
let you put them on the pan. I have done it. I put on the one, the four, and the sixteen, and on the other side I laid
the book; and the beam swung over, and came back, and swung a little less, and came back, and after what seemed to me
a very long time it stood still. It was not level. I had expected, I do not know why, that it would be level.

So I took off the four and put on the two and the eight. I asked, that is, another question. And the museum was
closing, and the attendant had his coat on, and there were, by my count, six questions left to ask.

A NOTE ON THE TEXT. The second book has 212 leaves, of which 9 are blank and 3 are cut out. Spelling follows the
manuscript except in the names of farms, where she was not consistent herself: Dunmore is "Dunmoor" until 1811, Upper
Lacey is "Lacy", "Lacie" and once, in what must have been a hurried week, only "L." Prices are in shillings and pence.
Where a word cannot be read it is given as [—]; doubtful readings are in brackets with a question mark [thus?]. The
marginal notes in French (« à refaire », « non », « déjà vu ») are by a later hand, perhaps the schoolmaster's.
"""


def prose(random: Random) -> bytes:
    """The text above, then as much again several times over from a chain that knows two words back."""
    words = PROSE.split()
    follow: dict[tuple[str, str], list[str]] = {}
    for first, second, third in zip(words, words[1:], words[2:], strict=False):
        follow.setdefault((first, second), []).append(third)
    starts = [pair for pair in follow if pair[0][0].isupper() and pair[0][-1] not in '.!?"']
    paragraphs = []
    size = 0
    while size < 56_000:
        sentences = []
        for _ in range(random.between(3, 8)):
            pair = random.pick(starts)
            sentence = list(pair)
            while len(sentence) < 60 and not sentence[-1].endswith((".", "?", '."')):
                options = follow.get((sentence[-2], sentence[-1]))
                if options is None:
                    break
                # Now and then a word from elsewhere: the chain must not copy the text for long.
                sentence.append(random.pick(options) if random.below(9) else random.pick(words))
            sentences.append(" ".join(sentence))
        lines, line = [], ""
        for word in " ".join(sentences).split():
            if len(line) + 1 + len(word) > 118:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
        paragraphs.append("\n".join(lines))
        size += len(paragraphs[-1].encode()) + 2
    return (PROSE + "\n" + "\n\n".join(paragraphs) + "\n").encode()


def _words(text: str) -> list[str]:
    return text.split()


NOUNS = _words(
    """
    account batch block buffer cache channel client cluster column counter cursor device document edge
    entry event field filter frame graph group header index item job key label layer ledger limit line
    lock market message metric model module node offset order page panel parser path peer point policy
    pool port price query queue range record region report request result route row rule sample schema
    score sensor session shard signal slot source stage state station stream table task template ticket
    token topic track tree unit user value vector version view window worker zone
    """
)
ARGUMENTS = [noun for noun in NOUNS if noun != "limit"]  # every method has a limit already
VERBS = _words(
    """
    add append apply assign build check clear close collect compare count create drop encode fetch fill
    find flush get insert join list load lookup merge move open pack parse pop publish push put read
    remove render reset resolve restore save scan select send set shift sort split start stop store swap
    sync take trim unpack update validate visit wait walk write
    """
)
NAMES = _words(
    """
    Ada Amir Bea Chen Dara Eli Esme Femi Grete Hana Ines Ivo Jun Kofi Lena Luca Mara Mei Nia Noor Olu
    Omar Petra Quinn Rafa Rosa Sami Sven Tala Uma Vera Wim Xenia Yara Yusuf Zoe
    """
)
TOWNS = _words(
    """
    Aldermoor Brackwater Calder Dunmore Eastwick Farrow Glenholt Harrow Inchley Kestrel Lacey Marden
    Northgate Oakham Pellam Quarry Redmere Stanwell Thornby Ullesk Venn Westerby Yarrow
    """
)


def code(random: Random) -> bytes:
    """Source text in the shape of Python: imports, classes, methods, loops. It parses, and does nothing of use."""
    out = [
        '"""Generated module: the shape of source code, none of its purpose."""',
        "",
        "from __future__ import annotations",
        "",
        "import math",
        "from dataclasses import dataclass, field",
        "",
    ]
    size = 0
    while size < 44_000:
        first, second = random.skewed(NOUNS), random.skewed(NOUNS)
        fields = list(dict.fromkeys(random.skewed(NOUNS) for _ in range(random.between(2, 5))))
        lines = ["", "@dataclass", f"class {first.title()}{second.title()}:"]
        lines += [f'    """A {first} that keeps its {second} and {random.pick(VERBS)}s it when asked."""', ""]
        for name in fields:
            number, word, fraction = random.below(1000), random.pick(NOUNS), random.below(100)
            kind, default = random.pick((("int", str(number)), ("str", f'"{word}"'), ("float", f"{fraction}.5")))
            lines.append(f"    {name}: {kind} = {default}")
        lines.append(f"    {first}_{second}s: list[int] = field(default_factory=list)")
        for verb in dict.fromkeys(random.skewed(VERBS) for _ in range(random.between(2, 6))):
            argument, local = random.skewed(ARGUMENTS), random.skewed(NOUNS)
            one = random.pick(fields)
            most = 1 << random.between(3, 16)
            lines += ["", f"    def {verb}_{argument}(self, {argument}: int, *, limit: int = {most}) -> int:"]
            shape = random.below(4)
            if shape == 0:
                lines += [
                    f"        if {argument} < 0 or {argument} > limit:",
                    f'            raise ValueError(f"{argument} {{{argument}}} is not in 0..{{limit}}")',
                    f"        self.{first}_{second}s.append({argument})",
                    f"        return len(self.{first}_{second}s)",
                ]
            elif shape == 1:
                lines += [
                    f"        {local}_total = 0",
                    f"        for index, value in enumerate(self.{first}_{second}s):",
                    f"            if value % {random.between(2, 17)} == index & {(1 << random.between(1, 5)) - 1}:",
                    f"                {local}_total += value * {argument}",
                    f"        return {local}_total",
                ]
            elif shape == 2:
                lines += [
                    f"        # {random.pick(NAMES)}: the {one} must not outlive the {local}.",
                    f"        {local}_size = math.isqrt({argument} + {random.below(64)})",
                    f"        while {local}_size > limit:",
                    f"            {local}_size //= 2",
                    f"        return {local}_size",
                ]
            else:
                lines += [
                    f"        {local}_map = {{str(value): value for value in self.{first}_{second}s}}",
                    f"        return {local}_map.get(str({argument}), limit)",
                ]
        lines.append("")
        out += lines
        size += sum(len(line) + 1 for line in lines)
    return ("\n".join(out) + "\n").encode()


def records(random: Random) -> bytes:
    """A JSON list of orders, as an API would answer."""
    orders = []
    for number in range(150):
        items = [
            {
                "sku": f"{random.pick(NOUNS)[:3].upper()}-{random.between(1000, 9999)}",
                "title": f"{random.pick(VERBS)} {random.skewed(NOUNS)}".title(),
                "quantity": random.between(1, 5),
                "price": {"amount": random.between(99, 24999), "currency": random.skewed(("EUR", "GBP", "CHF"))},
            }
            for _ in range(random.between(1, 4))
        ]
        orders.append(
            {
                "id": f"{random.word():016x}",
                "number": 48210 + number,
                "customer": {
                    "name": f"{random.pick(NAMES)} {random.pick(TOWNS)}",
                    "email": f"{random.pick(NAMES).lower()}@{random.skewed(TOWNS).lower()}.example",
                    "verified": random.below(4) > 0,
                },
                "status": random.skewed(("shipped", "paid", "open", "cancelled", "returned")),
                "items": items,
                "note": None if random.below(3) else f"leave it with {random.pick(NAMES)}",
            }
        )
    return (json.dumps(orders, indent=2) + "\n").encode()


def table(random: Random) -> bytes:
    """CSV of weather stations: times that count up, values that drift, a few gaps."""
    lines = ["station,date,hour,temperature_c,humidity_pct,wind_ms,pressure_hpa,rain_mm,remark"]
    state = [[random.between(60, 180), random.between(45, 85), 30, random.between(10050, 10200)] for _ in range(5)]
    for step in range(260):
        day, hour = divmod(step, 24)
        for station in range(5):
            values = state[station]
            values[0] += random.bell(4) + (3 if 6 <= hour < 15 else -2)
            values[1] = max(20, min(100, values[1] + random.bell(2)))
            values[2] = max(0, values[2] + random.bell(5))
            values[3] += random.bell(2)
            tenths, wind, pressure = values[0], values[2], values[3]
            sign = "-" if tenths < 0 else ""
            rain = f"0.{random.below(10)}" if values[1] > 88 else "0.0"
            humidity = "" if random.below(60) == 0 else str(values[1])
            remark = '"sensor cleaned, ok"' if random.below(90) == 0 else ""
            lines.append(
                f"{TOWNS[station * 4]},2024-03-{day + 1:02d},{hour:02d}:00,"
                f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10},"
                f"{humidity},{wind // 10}.{wind % 10},{pressure // 10}.{pressure % 10},{rain},{remark}"
            )
    return ("\r\n".join(lines) + "\r\n").encode()


def log(random: Random) -> bytes:
    """Lines of a service's log: a clock that goes forward, few message shapes, many values."""
    lines: list[str] = []
    milliseconds = 0
    hosts = [f"10.{random.below(4)}.{random.below(256)}.{random.below(256)}" for _ in range(24)]
    while len(lines) < 900:
        milliseconds += random.below(random.pick((40, 400, 4000)))
        seconds, rest = divmod(milliseconds, 1000)
        day, hour, minute = 5 + seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
        clock = f"2024-03-{day:02d} {hour:02d}:{minute:02d}:{seconds % 60:02d},{rest:03d}"
        host, thread = random.skewed(hosts), random.between(1, 8)
        shape = random.below(10)
        if shape < 5:
            status = random.skewed((200, 200, 200, 304, 404, 500))
            text = (
                f"INFO  [http-{thread}] access: {host} {random.skewed(('GET', 'POST', 'PUT'))} "
                f"/api/v2/{random.skewed(NOUNS)}s/{random.below(100000)} {status} {random.between(180, 90000)}B "
                f"{random.between(1, 900)}ms"
            )
        elif shape < 7:
            key = f"{random.pick(NOUNS)}:{random.word() >> 32:08x}"
            text = f"DEBUG [pool-{thread}] cache: {random.pick(('hit', 'hit', 'miss'))} key={key}"
        elif shape < 9:
            job = f"{random.pick(VERBS)}_{random.pick(NOUNS)}"
            text = f"INFO  [sched-{thread}] job {job} finished in {random.below(60000)} ms, {random.below(500)} rows"
        else:
            slow, name = random.between(1000, 9000), f"{random.skewed(NOUNS)}_{random.skewed(NOUNS)}"
            text = f"WARN  [db-{thread}] slow query ({slow} ms) on {name}, retry {random.between(1, 3)} of 3"
        lines.append(f"{clock} {text}")
    return ("\n".join(lines) + "\n").encode()


def page(random: Random) -> bytes:
    """An HTML page: a head, a menu, a table and paragraphs of the prose."""
    sentences = [part.strip() for part in " ".join(PROSE.split()).split(". ") if len(part) > 40]
    out = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '  <meta charset="utf-8">',
        "  <title>Weights and measures of Harrow Ford</title>",
        '  <link rel="stylesheet" href="/static/site.css">',
        "  <style>",
    ]
    for name in NOUNS[:24]:
        colour = random.below(1 << 24)
        out.append(f"    .{name} {{ margin: 0 {random.below(32)}px; color: #{colour:06x}; }}")
    out += ["  </style>", "</head>", "<body>", '  <nav class="menu">', "    <ul>"]
    for town in TOWNS:
        out.append(f'      <li class="item"><a href="/towns/{town.lower()}.html">{town}</a></li>')
    out += ["    </ul>", "  </nav>", "  <main>"]
    for chapter in range(1, 9):
        out.append(f'    <h2 id="chapter-{chapter}">Chapter {chapter}: {random.pick(TOWNS)}</h2>')
        for _ in range(3):
            text = ". ".join(random.pick(sentences) for _ in range(3))
            text = text.replace("&", "&amp;").replace('"', "&quot;")
            out.append(f'    <p class="{random.pick(NOUNS)}">{text}.</p>')
        out.append("    <table>")
        out.append("      <tr><th>Farm</th><th>Sacks</th><th>Pounds</th><th>Ounces</th></tr>")
        for _ in range(8):
            values = (random.pick(TOWNS), random.below(60), random.between(40, 80), random.below(16))
            cells = "".join(f"<td>{value}</td>" for value in values)
            out.append(f"      <tr>{cells}</tr>")
        out.append("    </table>")
    out += ["  </main>", "</body>", "</html>"]
    return ("\n".join(out) + "\n").encode()


def sine(phase: int, amplitude: int) -> int:
    """Return about amplitude * sin(2 pi phase / 65536): Bhaskara's fraction, in integers."""
    phase &= 0xFFFF
    half = phase & 0x7FFF
    product = half * (0x8000 - half)
    value = amplitude * 16 * product // (5 * (1 << 30) - 4 * product)
    return value if phase < 0x8000 else -value


def image(random: Random) -> bytes:
    """A PPM of 160 x 112 pixels: a sky, hills, a sun and their grain."""
    width, height = 160, 112
    noise = [[random.below(256) for _ in range(12)] for _ in range(9)]

    def smooth(x: int, y: int) -> int:
        """Value noise on a grid of 16 pixels, 0..255."""
        left, top, fx, fy = x >> 4, y >> 4, x & 15, y & 15
        upper = noise[top][left] * (16 - fx) + noise[top][left + 1] * fx
        lower = noise[top + 1][left] * (16 - fx) + noise[top + 1][left + 1] * fx
        return (upper * (16 - fy) + lower * fy) >> 8

    out = bytearray(f"P6\n{width} {height}\n255\n".encode())
    for y in range(height):
        for x in range(width):
            cloud = smooth(x, y)
            hill = 70 + sine(x * 420, 10) + sine(x * 1130 + 9000, 5)
            distance = (x - 118) ** 2 + (y - 26) ** 2
            if y < hill:
                red, green, blue = 90 + y + cloud // 6, 130 + y // 2 + cloud // 8, 215 - y // 3
                if distance < 196:
                    red, green, blue = 250, 232 - distance // 8, 170
                elif distance < 900:
                    glow = (900 - distance) // 18
                    red, green = red + glow, green + glow * 2 // 3
            else:
                shade = (y - hill) * 2 + cloud // 5
                red, green, blue = 60 + shade // 2, 110 + shade // 3 - (y - hill), 45 + shade // 4
            for value in (red, green, blue):
                out.append(max(0, min(255, value + random.bell(2))))
    return bytes(out)


def sound(random: Random) -> bytes:
    """A WAV, mono, 16 bit, 16 kHz: eight plucked notes with overtones, an echo and a little hiss."""
    rate, length = 16_000, 1_500
    frequencies = (262, 330, 392, 523, 440, 349, 294, 392)
    dry = []
    for frequency in frequencies:
        for step in range(length * 3):
            phase = step * frequency * 65536 // rate
            level = 9_000 * (length * 3 - step) ** 2 // (length * 3) ** 2
            if step < 64:
                level = level * step // 64
            value = sine(phase, level) + sine(2 * phase + 700, level * 2 // 5) + sine(3 * phase, level // 5)
            dry.append(value + random.bell(12))
    samples = [value + (dry[index - 2400] // 3 if index >= 2400 else 0) for index, value in enumerate(dry)]
    body = struct.pack(f"<{len(samples)}h", *(max(-32768, min(32767, value)) for value in samples))
    header = b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data" + struct.pack("<I", len(body))
    return header + body


def noise(random: Random) -> bytes:
    """Bytes that nothing can make smaller."""
    return b"".join(random.word().to_bytes(8, "little") for _ in range(2_048))


def structs(random: Random) -> bytes:
    """1,400 records of 24 bytes: id, time, flags, kind, three readings, a check."""
    out = bytearray(b"TBL1" + struct.pack("<HH", 24, 1_400))
    time, readings = 1_709_600_000, [512, 2_048, 30_000]
    for number in range(1_400):
        time += random.between(1, 9)
        readings = [value + random.bell(spread) for value, spread in zip(readings, (3, 20, 150), strict=True)]
        flags = (1 << random.below(4)) if random.below(6) == 0 else 0
        record = struct.pack("<IIHHiii", 70_000 + number * 3, time, flags, random.skewed((1, 2, 3, 7)), *readings)
        out += record
    return bytes(out)


def bitmap(random: Random) -> bytes:
    """A PBM of 640 x 400: rows of made-up letters on a page, a frame, a filled ring."""
    width, height = 640, 400
    rows = [[0] * width for _ in range(height)]
    glyphs = []
    for _ in range(26):
        # A letter is strokes on a grid of 6 x 9.
        cells = set()
        for _ in range(random.between(2, 4)):
            if random.below(2):
                column, start = random.below(6), random.below(5)
                cells |= {(column, line) for line in range(start, min(9, start + random.between(4, 9)))}
            else:
                line, start = random.below(9), random.below(3)
                cells |= {(column, line) for column in range(start, min(6, start + random.between(3, 6)))}
        glyphs.append(cells)
    words = [[random.skewed(glyphs) for _ in range(random.between(2, 9))] for _ in range(60)]
    for baseline in range(24, 300, 15):
        x = 32
        while x < 560:
            for glyph in random.skewed(words):
                for column, line in glyph:
                    rows[baseline + line][x + column] = 1
                x += 8
            x += 9
    for y in range(height):
        for x in range(width):
            upright = x in (12, 13, 626, 627) and 10 <= y < 390
            level = y in (10, 11, 388, 389) and 12 <= x < 628
            if upright or level or 900 < (x - 560) ** 2 + (y - 345) ** 2 < 1_500:
                rows[y][x] = 1
    out = bytearray(f"P4\n{width} {height}\n".encode())
    for row in rows:
        for start in range(0, width, 8):
            value = 0
            for bit in row[start : start + 8]:
                value = value * 2 + bit
            out.append(value)
    return bytes(out)


MAKERS = {
    "prose.txt": prose,
    "code.py": code,
    "records.json": records,
    "table.csv": table,
    "service.log": log,
    "page.html": page,
    "image.ppm": image,
    "sound.wav": sound,
    "random.bin": noise,
    "structs.bin": structs,
    "bitmap.pbm": bitmap,
}


def build() -> dict[str, bytes]:
    """Return every sample by name, and SHA256SUMS."""
    files = {name: make(Random(seed)) for seed, (name, make) in enumerate(MAKERS.items(), 1)}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return {**files, SUMS: sums.encode()}


def main(arguments: Sequence[str]) -> int:
    """Write the samples, or with `--check` compare them."""
    files = build()
    if "--check" in arguments:
        different = [name for name, data in files.items() if (FOLDER / name).read_bytes() != data]
        for name in different:
            print(f"{name} differs")
        return 1 if different else 0
    FOLDER.mkdir(exist_ok=True)
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
        print(f"{len(data):9,}  {name}")
    print(f"{sum(map(len, files.values())):9,}  in all")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
