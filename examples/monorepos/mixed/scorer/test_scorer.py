import unittest

from scorer import score


class Score(unittest.TestCase):
    def test_vowels_count_once_and_other_letters_twice(self) -> None:
        self.assertEqual(score("hello"), 8)

    def test_what_is_no_letter_counts_nothing(self) -> None:
        self.assertEqual(score("4 2!"), 0)
