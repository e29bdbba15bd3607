"""The alphabets of digits in text, as flags."""

STANDARD, URL, LOWER, UPPER = 1, 2, 4, 8
BASE64, HEXADECIMAL = STANDARD | URL, LOWER | UPPER
