"""`python3 -m tokensim.profiler` is `tokensim-profile` without an installation."""

import sys

from tokensim.profiler.cli import main

sys.exit(main())
