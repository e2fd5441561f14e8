"""Imported before JAX: keeps the process on one core.

XLA splits work by the cores it sees, and the order of sums follows the split. On one core the same seed gives the
same bytes whatever the machine's number of cores (Linux; elsewhere there is no such call and the last digits differ).
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
if hasattr(os, "sched_setaffinity"):
    # The last core the caller allows, so that `taskset` still chooses.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
