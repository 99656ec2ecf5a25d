"""Scores words again and again; what it has scored it prints."""

import signal
import threading


def score(word: str) -> int:
    """One for a vowel, two for any other letter."""
    return sum(1 if letter in "aeiou" else 2 for letter in word.lower() if letter.isalpha())


def main() -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    print(f"scored hello: {score('hello')}", flush=True)
    stopped.wait()


if __name__ == "__main__":
    main()
