"""Close Python's own output streams and end well."""

import sys

print("the last words")
sys.stdout.close()
sys.stderr.close()
