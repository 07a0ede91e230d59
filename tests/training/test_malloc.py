import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
import torch
from ganforge.training.malloc import M_MMAP_THRESHOLD, keep_freed_memory

ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**17)  # what was freed goes back: without this it depends on luck
if sys.argv[1] == "keep":
    assert keep_freed_memory()
torch.set_num_threads(1)

def work():
    several = [torch.ones(2**20) for _ in range(8)]  # 4 MB each
    return sum(float(one[0]) for one in several)

for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""

AFTERWARDS = """
import torch
from ganforge.training.malloc import give_back_freed_memory, keep_freed_memory

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

assert keep_freed_memory()
freed, last = [torch.ones(2**22) for _ in range(8)], torch.ones(1)  # 16 MB each, and something behind them
del freed
kept = megabytes()
assert give_back_freed_memory()
print(kept - megabytes())
"""

only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")


@pytest.mark.slow
@only_glibc
def test_what_a_step_frees_the_next_one_takes_without_new_pages():
    faults = {}
    for how in ("plain", "keep"):
        out = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
        faults[how] = float(out.stdout)
    assert faults["keep"] < faults["plain"] / 5


@pytest.mark.slow
@only_glibc
def test_after_training_its_freed_memory_goes_back():
    out = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, check=True)
    assert float(out.stdout) > 100
