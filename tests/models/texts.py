"""Texts that tests of several models take."""

PYTHON = b"""import argparse
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the file to read")
    args = parser.parse_args()
    with open(args.path, encoding="utf-8") as file:
        print(len(file.read()), file=sys.stderr)
"""
