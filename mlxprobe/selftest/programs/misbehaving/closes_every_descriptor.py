"""Close every descriptor, the agent's too, as a daemon does; then go on."""

import os
import time

os.closerange(0, 65536)
while True:
    time.sleep(0.1)
