"""Errors of CUDA and of the CPU's compiler."""

from __future__ import annotations

from mlxprobe.diagnosis.errors.row import Known

ROWS = (
    Known(
        "cuda-headers", "CUDA", r"Can not find locations of CUDA headers",
        "MLX builds kernels on first use, and finds no headers of CUDA to build them with",
        ("a wheel installed where no CUDA toolkit is, and the packages with the headers did not come with it",),
        "install the packages with the headers of CUDA's runtime and of CCCL, or set CUDA_HOME to a toolkit",
        ("ml-explore/mlx#3859",),
    ),
    Known(
        "cuda-no-memory", "CUDA", r"cudaMalloc\w*(?:\([^)]*\))? failed",
        "the GPU gave MLX no more memory; MLX may call it an illegal access, and the process may hang on its way out",
        ("arrays of all steps are kept", "a batch or a sequence longer than all before"),
        "see which arrays are kept (MP103, MP105); mx.set_memory_limit; smaller batches",
        ("ml-explore/mlx#2821", "ml-explore/mlx#2874"),
    ),
    Known(
        "cuda-too-many-resources", "CUDA", r"too many resources requested for launch",
        "a fused kernel needs more registers than one launch may have",
        ("mx.compile over many half-precision inputs in one expression",),
        "a newer MLX; compile smaller functions; mx.disable_compile() shows whether it is that",
        ("ml-explore/mlx#2628",),
    ),
    Known(
        "cuda-launch", "CUDA", r"cudaGraphAddKernelNode\(.*\) failed: invalid argument",
        "a kernel was started with a grid that CUDA does not take",
        ("an array so large that one dimension of the grid overflows: RoPE over a batch of long sequences",),
        "smaller batches or shorter sequences; a newer MLX",
        ("ml-explore/mlx#3659",),
    ),
    Known(
        "cuda-cache-thrashing", "CUDA", r"Cache thrashing is happening, please set the environment variable MLX_CUDA_",
        "MLX keeps a CUDA graph for each shape of work, 400 at a time, and gives up at the 800th that it has to make, "
        "however many it found again in between",
        ("lengths or batch sizes that are new all the time, each a graph of its own",
         "a long run of many kinds of work: the misses of its whole life are counted"),
        "set the variable that it names to 2000 or more, before mlx is imported; pad to a few lengths",
        ("ml-explore/mlx#2600", "lablup/mlxcel#818", "lablup/mlxcel#820"),
    ),
    Known(
        "cuda-kernel-list", "CUDA", r"There is no kernel named mlx::core::cu::",
        "MLX keeps each built kernel on disk as two files, and the list of a module's kernels is missing",
        ("two processes that began at once with an empty cache: one read what the other had half written",
         "a process that was killed while it wrote, after which every later one fails"),
        "delete the folder mlx/VERSION/ptx below the temporary folder; MLX_PTX_CACHE_DIR, another for each process, "
        "keeps them apart",
        ("ml-explore/mlx#2276",),
    ),
    Known(
        "cuda-capture", "CUDA", r"failed due to a previous error during capture",
        "MLX records kernels into a graph, and one of them did something that must not be recorded",
        ("a fault of one operation in this release, such as argpartition",),
        "a newer MLX; evaluate before and after the operation that does it, and report that",
        ("ml-explore/mlx#2537",),
    ),
    Known(
        "cpu-compiler", "CPU", r"\[Compile::eval_cpu\] Failed to compile function",
        "on the CPU, mx.compile writes C++ and has g++ build it; that failed, and the compiler's words follow",
        ("there is no g++: `sh: g++: No such file or directory`",
         "a g++ whose headers do not go with those that MLX was built with"),
        "install g++, another version of it where the words are of headers; MLX_DISABLE_COMPILE=1 does without",
        ("ml-explore/mlx#1756", "ml-explore/mlx#3430", "exo-explore/exo#2156"),
    ),
    Known(
        "eval-in-transformation", "MLX",
        r"\[eval\] Attempting to eval an array (?:without a primitive|during function transformations)",
        "an array of a trace, which has no value, is read or evaluated",
        ("`.item()`, `float()`, `if array:`, printing or mx.eval inside a compiled or differentiated function",
         "a state that a compiled function changes and that is not among its outputs (MP501)"),
        "leave out what reads; put state among inputs and outputs of mx.compile",
        ("ml-explore/mlx#1083",),
    ),
    Known(
        "stream-of-another-thread", "MLX", r"There is no Stream\(\w+, \d+\) in current thread",
        "on Metal since MLX 0.31.2 and on the CPU since 0.32.0 each thread has its own streams; this array waits for a "
        "stream of another thread (MP602)",
        ("a lazy array is made in one thread and evaluated in another: a loader, a server's worker",
         "a stream made when a module was imported, in the main thread"),
        "evaluate before the array changes threads; make streams in the thread that uses them",
        ("ml-explore/mlx-lm#1181", "Blaizzy/mlx-vlm#1049", "Blaizzy/mlx-vlm#1134", "Blaizzy/mlx-vlm#1614",
         "mflux-community/mflux#502"),
    ),
)  # fmt: skip
