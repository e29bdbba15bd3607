"""The alphabets of digits in text, as flags."""

STANDARD, URL, LOWER, UPPER = 1, 2, 4, 8
BASE64, HEXADECIMAL = STANDARD | URL, LOWER | UPPER
BREAKING = 16  # may stand between lines
LETTERS = (
    (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", BASE64), (b"+/", STANDARD), (b"-_", URL),
    (b"0123456789abcdef", LOWER), (b"0123456789ABCDEF", UPPER), (b" \t\r\n\"',\\#%*>|;:()[]", BREAKING),
)  # fmt: skip
