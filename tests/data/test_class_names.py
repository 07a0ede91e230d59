"""Class names: their order, and the user's selection of classes."""

import unicodedata

import pytest

from ganforge.data.class_names import in_order, labels_of, number_of, parse_classes
from ganforge.errors import UserError

DIGITS_1_TO_9 = [str(digit) for digit in range(1, 10)]


def test_names_are_in_natural_order():
    assert in_order(["10", "9", "0", "12"]) == ["0", "9", "10", "12"]
    assert in_order(["cls10", "cls2", "b", "a"]) == ["a", "b", "cls2", "cls10"]
    assert in_order(["007", "7", "6"]) == ["6", "007", "7"]


@pytest.mark.parametrize(
    ("text", "names", "classes"),
    [
        ("1,2,8", DIGITS_1_TO_9, ["1", "2", "8"]),
        ("1-3", DIGITS_1_TO_9, ["1", "2", "3"]),
        ("9-12", [str(n) for n in range(13)], ["9", "10", "11", "12"]),
        ("0-9", [str(n) for n in range(13)], [str(n) for n in range(10)]),
        ("red, bright", ["blue", "red, bright"], ["red, bright"]),
        ('blue,"red, bright"', ["blue", "red, bright"], ["blue", "red, bright"]),
        ('"red, bright", blue', ["blue", "red, bright"], ["red, bright", "blue"]),
        ("ankle boot, bag", ["ankle boot", "bag"], ["ankle boot", "bag"]),
        ("bag-coat", ["bag", "cap", "coat"], ["bag", "cap", "coat"]),
        ("t-shirt-x-ray", ["t-shirt", "u", "x-ray"], ["t-shirt", "u", "x-ray"]),
        ("0,2", ["bag", "cap", "coat"], ["bag", "coat"]),
        ("Bag", ["bag", "cap"], ["bag"]),
        ("a,A", ["A", "a"], ["a", "A"]),
        (unicodedata.normalize("NFD", "é"), ["e", "é"], ["é"]),
    ],
)
def test_texts_select_classes(text, names, classes):
    assert [names[number] for number in parse_classes(text, names)] == classes


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("0", DIGITS_1_TO_9, "'0' is not a class; there are 1, 2"),
        ("7-10", DIGITS_1_TO_9, "'7-10' is not a class"),
        ("3-1", DIGITS_1_TO_9, "is in reverse order; write 1-3"),
        ("A", ["ab", "cd"], "'A' is not a class"),
        ("", DIGITS_1_TO_9, "names no class"),
        (" , ", DIGITS_1_TO_9, "names no class"),
        ("2", ["bag", "cap"], "'2' is not a class"),
        ("0", ["bag", "1"], "'0' is not a class"),
    ],
)
def test_unknown_classes_are_refused_in_one_line(text, names, words):
    with pytest.raises(UserError) as caught:
        parse_classes(text, names)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_label_in_python_is_a_name_or_a_number():
    assert number_of(9, DIGITS_1_TO_9) == number_of("9", DIGITS_1_TO_9) == 8
    assert number_of(1, ["bag", "cap"]) == number_of("cap", ["bag", "cap"]) == 1
    with pytest.raises(UserError, match="label 0 is not a class"):
        number_of(0, DIGITS_1_TO_9)
    assert labels_of([0, 7], DIGITS_1_TO_9) == [1, 8]
    assert labels_of([1, 0], ["bag", "cap"]) == ["cap", "bag"]
