"""Leave with exit code 0 in the middle, past every exit handler."""

import os

os._exit(0)
