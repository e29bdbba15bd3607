"""FASTA, FASTQ, SAM and VCF files that tests make."""

from __future__ import annotations

import random


def dna(count: int, seed: int, of: str = "ACGT") -> str:
    dice = random.Random(seed)
    return "".join(dice.choice(of) for _ in range(count))


def fasta(letters: str, line: int = 70, end: str = "\n", name: str = ">one two three") -> bytes:
    lines = [letters[at : at + line] for at in range(0, len(letters), line)]
    return (name + end + end.join(lines) + end).encode()


def reads(count: int = 30, length: int = 50, end: str = "\n", named: bool = False, ns: str = "#") -> bytes:
    dice, out = random.Random(count), ""
    for number in range(count):
        size = length + dice.randrange(3)
        qualities = "".join(dice.choice("FFFF:,#") for _ in range(size))
        letters = "".join("N" if q in ns else dice.choice("ACGT") for q in qualities)
        name = f"M0:28:1:{1100 + number}:{dice.randrange(9999)}"
        out += end.join(("@" + name, letters, "+" + name * named, qualities)) + end
    return out.encode()


def placed(count: int = 40) -> bytes:
    dice, genome, lines, place = random.Random(count), dna(2000, 5), list[str](), 1
    waiting: list[tuple[str, int, int]] = []
    for number in range(count):
        place += dice.randrange(9)
        length = dice.choice((20, 20, 25))
        letters = "".join(dice.choice("ACGTN") if dice.random() < 0.05 else c for c in genome[place : place + length])
        qualities = "".join(dice.choice("<;7") for _ in letters)
        flag, shape = dice.choice((99, 147)), dice.choice((f"{length}M",) * 5 + (f"3S{length - 3}M",))
        if waiting and dice.random() < 0.5:
            name, other, span = waiting.pop(0)
            mate, span = other, dice.choice((-span, -span, 7))
        else:
            name, mate = f"EAS:{number}", place + dice.choice((0, 50, 61))
            span = mate - place + length if mate > place else 0
            waiting.append((name, place, span))
        tags = f"\tNM:i:{dice.randrange(3)}" * dice.randrange(2)
        lines.append(f"{name}\t{flag}\tchr1\t{place}\t99\t{shape}\t=\t{mate}\t{span}\t{letters}\t{qualities}{tags}\n")
    lines.append("last\t4\t*\t0\t0\t*\t*\t0\t0\t*\t*\n")
    return "".join(lines).encode()


VCF_HEADER = """##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description="All filters passed">
##INFO=<ID=DP,Number=1,Type=Integer,Description="Total Depth">
##INFO=<ID=NS,Number=1,Type=Integer,Description="Number of Samples With Data">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype"> and more
##contig=<ID=chr7,length=999>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"""


def variants(
    count: int = 30, samples: int = 4, blocks: bool = False, header: str = VCF_HEADER, of: str = "GT:DP"
) -> bytes:
    """Return a VCF file; with `blocks` most of its lines are blocks of the reference."""
    dice, place = random.Random(count), 1000
    lines = [header + "\tFORMAT" * (samples > 0) + "".join(f"\tNA{k}" for k in range(samples))] * bool(header)
    for number in range(count):
        block = blocks and dice.random() < 0.8
        reference = dna(dice.randrange(9, 40) if block else dice.choice((1, 1, 2)), number) if number % 7 != 6 else "N"
        about = f"NS=2;DP={dice.randrange(99)}" + (f";END={place + 50}" if number % 5 == 4 else "")
        alternative = "." if block else dice.choice("ACGT")
        fields = [f"chr{7 + number * 2 // count}", str(place), ".", reference, alternative, "30.5", "PASS", about]
        if samples:
            cells = [f"{dice.choice(('0/0', '0|1', './.'))}:{dice.randrange(50)}" for _ in range(samples)]
            fields += [of, *(cell[: len(cell) if ":" in of else 3] for cell in cells)]
        lines.append("\t".join(fields))
        place += (51 if number % 5 == 4 else len(reference)) if blocks else dice.randrange(500)
        if number % 9 == 8:
            place -= 100
    return ("\n".join(lines) + "\n").encode()
