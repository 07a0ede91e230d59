"""The judge is chosen by the real images that it has to read."""

import torch

from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.files import ensure_writable
from ganforge.judge.choice import choose_judge
from ganforge.judge.shipped import DIGITS_FILE, load_judge
from ganforge.judge.user_judges import kept_file


def test_a_judge_that_misreads_the_data_it_lies_with_has_no_say():
    noise = torch.randint(0, 256, (400, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    splits = load(ImageSet(noise, torch.arange(400) % 10, tuple("0123456789"), "noise"))
    judge, why = choose_judge(splits)
    assert judge is None
    assert why == "no judge fits these images: the judge of digits agrees with the labels of 10% of them"
    file = ensure_writable(kept_file(splits))
    file.write_bytes(DIGITS_FILE.read_bytes())
    judge, why = choose_judge(splits)
    assert judge is None and "digits-1 classifies only" in why and "of the real images correctly" in why
    file.write_bytes(b"damaged")
    assert choose_judge(splits)[0] is None


def test_digits_are_read_by_the_judge_of_digits():
    assert choose_judge(load("digits")) == (load_judge(), "")
