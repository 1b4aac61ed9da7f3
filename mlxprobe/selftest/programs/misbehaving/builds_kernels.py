"""Build twelve kernels one after the other, as MLX does in the first evaluation of a compiled step, and end well."""

import os
import shutil
import subprocess
import tempfile

compiler = os.path.join(tempfile.gettempdir(), "cc1plus")
os.symlink(str(shutil.which("sleep")), compiler)
for _ in range(12):
    subprocess.run([compiler, "0.2"], check=True)
