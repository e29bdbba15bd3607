"""What all tests share: the hypothesis profiles, chosen by NZIP_HYPOTHESIS_PROFILE, and tests/ on the import path."""

import os
import signal
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Under nohup the tests' own programs would ignore it too, as they should; the tests want to see it arrive.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("small", max_examples=8, deadline=None, suppress_health_check=SLOW)
settings.register_profile("dev", max_examples=30, deadline=None, suppress_health_check=SLOW)
settings.register_profile("ci", max_examples=200, deadline=None, suppress_health_check=SLOW)
settings.register_profile("expensive", max_examples=5000, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("NZIP_HYPOTHESIS_PROFILE", "dev"))
