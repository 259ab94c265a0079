"""`python3 -m tokensim_profiler` is `tokensim-profile` without an installation."""

import sys

from tokensim_profiler.cli import main

sys.exit(main())
