import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
import torch
from ganforge.training.tuning.malloc import M_MMAP_THRESHOLD, keep_freed_memory

ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**17)  # freed memory goes back to the system, whatever the default threshold
if sys.argv[1] == "keep":
    assert keep_freed_memory()
torch.set_num_threads(1)

def work():
    tensors = [torch.ones(2**20) for _ in range(8)]  # 4 MB each
    return sum(float(tensor[0]) for tensor in tensors)

for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""

AFTERWARDS = """
import torch
from ganforge.training.tuning.malloc import give_back_freed_memory, keep_freed_memory

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

assert keep_freed_memory()
freed, last = [torch.ones(2**22) for _ in range(8)], torch.ones(1)  # 16 MB each, and one block after them
del freed
kept = megabytes()
assert give_back_freed_memory()
print(kept - megabytes())
"""

only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")


@pytest.mark.slow
@only_glibc
def test_memory_freed_by_one_step_is_reused_without_page_faults():
    faults = {}
    for mode in ("plain", "keep"):
        out = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
        faults[mode] = float(out.stdout)
    assert faults["keep"] < faults["plain"] / 5


@pytest.mark.slow
@only_glibc
def test_freed_memory_goes_back_after_training():
    out = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, check=True)
    assert float(out.stdout) > 100
