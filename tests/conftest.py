"""Settings of all tests: under several workers every one keeps its linear algebra on one thread."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers that each start a thread per core wait for one another: a 3x3 solve then takes milliseconds.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
