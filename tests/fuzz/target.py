"""One format under Atheris: ``python -m tests.fuzz.target FORMAT [libFuzzer's options and folders]``.

The first byte of an input chooses the content type; the rest is a payload on a known band's topic. An escape is an
exception, or what ``accounting`` does not allow.
"""

import sys

import atheris

with atheris.instrument_imports(include=["ingest", "schemas"]):
    from schemas.topics import Format
    from tests.fuzz.accounting import CONTENT_TYPES, account


def main() -> None:
    format_ = Format(sys.argv.pop(1))

    def judge(data: bytes) -> None:
        account(format_, data[1:], CONTENT_TYPES[data[0] % len(CONTENT_TYPES)] if data else None)

    atheris.Setup(sys.argv, judge)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
