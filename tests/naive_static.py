"""The static model of `nzip.models.static` in dictionaries, from the formulas of docs/reference/EQUALINFO.md."""

from collections import Counter, defaultdict

LEAST = (1, 1, 1, 2, 2, 3, 3, 3)
DISCOUNT = (64, 128, 160, 180, 180, 180, 180, 180)
STRENGTH = (256, 5120, 10240, 15360, 15360, 12800, 10240, 10240)


class NaiveStatic:
    """A `ByteModel` trained on texts with weights."""

    def __init__(self, texts, order):
        self.order = order
        self.known = defaultdict(Counter)
        for text, weight in texts:
            for length in range(order + 1):
                for i in range(length, len(text)):
                    self.known[text[i - length : i]][text[i]] += weight
        self.known = {c: f for c, f in self.known.items() if sum(f.values()) >= LEAST[len(c)]}
        self.reset()

    def reset(self):
        self.context = b""

    def update(self, byte):
        context = (self.context + bytes([byte]))[-self.order :] if self.order else b""
        while context not in self.known:
            context = context[1:]
        self.context = context

    def frequencies(self):
        row = [4096] * 256
        for length in range(len(self.context) + 1):
            counts = self.known[self.context[len(self.context) - length :]]
            whole = 256 * sum(counts.values()) + STRENGTH[length]
            left = {byte: max(256 * count - DISCOUNT[length], 0) for byte, count in counts.items()}
            share = min(((whole - sum(left.values())) << 12) // whole, 4095)
            row = [value * share >> 12 for value in row]
            for byte, value in left.items():
                row[byte] += (value << 20) // whole
        return [value + 1 for value in row]
