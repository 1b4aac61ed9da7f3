"""Errors of Metal. Written from threads alone: this project has run on no Mac."""

from __future__ import annotations

from mlxprobe.diagnosis.errors.row import Known

FAILED = r"Command buffer execution failed: "
ROWS = (
    Known(
        "resource-limit", "Metal", r"\[metal::malloc\] Resource limit \(\d+\) exceeded",
        "more buffers are alive than MLX allows on Metal (499,000, unless the system names another number); it counts "
        "them, of any size, so memory may look flat all the time",
        ("a compiled function is traced again for every length, and each trace keeps its constants for ever (MP114)",
         "arrays of every step are kept: batches made in advance, outputs, caches",
         "a lazy graph is carried from step to step and never evaluated"),
        "pad to few lengths; let no compiled function see all of them; keep numbers, not arrays; mx.clear_cache() "
        "does not give back what is still held",
        ("ml-explore/mlx#4464", "unslothai/unsloth-zoo#918", "unslothai/unsloth#6990", "ml-explore/mlx-lm#1185",
         "Blaizzy/mlx-vlm#2016", "ml-explore/mlx#3849", "ml-explore/mlx#1718"),
    ),
    Known(
        "insufficient-memory", "Metal", FAILED + r"Insufficient Memory|CallbackErrorOutOfMemory",
        "Metal could not have resident at once what one command buffer needs; newer releases of MLX raise it, older "
        "ones abort",
        ("a sequence or a batch longer than all before: look for the longest of the data",
         "Metal's working set is smaller than the machine's memory, and others use it too: a second model, a browser",
         "MLX's cache of freed buffers, which grows where lengths vary (MP113)"),
        "smaller batches, shorter sequences, gradient checkpointing; mx.set_cache_limit; compare mx.get_peak_memory() "
        "with max_recommended_working_set_size of mx.device_info()",
        ("ml-explore/mlx#479", "ml-explore/mlx-lm#236", "ml-explore/mlx-examples#481", "ml-explore/mlx#3539",
         "ml-explore/mlx-lm#1808", "ml-explore/mlx-lm#828", "madroidmaq/mlx-omni-server#59"),
    ),
    Known(
        "gpu-timeout", "Metal", FAILED + r"Caused GPU Timeout Error|CallbackErrorTimeout",
        "one command buffer took longer than the system lets it, a few seconds; with several ranks its waiting for a "
        "peer counts too",
        ("communication in one graph with the GPU's work: it waits for a slower rank",
         "one evaluation that is too large for this GPU"),
        "evaluate in smaller parts; evaluate before a collective, and give send and recv stream=mx.cpu",
        ("exo-explore/exo#1620", "ml-explore/mlx#3207", "jundot/omlx#2029", "ollama/ollama#17902"),
    ),
    Known(
        "impacting-interactivity", "Metal", FAILED + r"Impacting Interactivity|CallbackErrorImpactingInteractivity",
        "the system's watchdog took the GPU away from a command buffer that kept the screen waiting; it is no lack of "
        "memory",
        ("a step that is too large for one command buffer: a long sequence, a large batch",
         "the screen and other programs want the same GPU"),
        "a batch of one, shorter sequences, evaluation in parts; let the screen sleep or train over ssh; "
        "AGX_RELAX_CDM_CTXSTORE_TIMEOUT=1 before MLX is imported, undocumented, helped many and not all",
        ("ml-explore/mlx#3267", "jundot/omlx#1387", "dgrauet/ltx-2-mlx#75", "Mcourtyard/m-courtyard#8",
         "Acelogic/LTX-2-MLX#5"),
    ),
    Known(
        "internal-error", "Metal", FAILED + r"Internal Error",
        "the GPU ran too long at one operation, as MLX's maintainers read it: the older name of a timeout",
        ("one very large operation: a wide output layer, a large batch",
         "several processes on one GPU",
         "memory in swap, which makes every operation slow"),
        "smaller batches, shorter sequences; one process at a time; watch the swap",
        ("ml-explore/mlx#1231", "ml-explore/mlx#1335", "ml-explore/mlx#1363", "ml-explore/mlx-examples#664"),
    ),
    Known(
        "gpu-hang", "Metal", FAILED + r"Caused GPU Hang Error|CallbackErrorHang",
        "a kernel did not come to its end, and the system reset the GPU",
        ("a kernel of this release that fails at some shapes: it came back with the same model and prompt",),
        "another release of MLX; reduce the shapes until it goes away, and report that",
        ("Blaizzy/mlx-vlm#1064",),
    ),
    Known(
        "gpu-address-fault", "Metal", FAILED + r"Caused GPU Address Fault Error|CallbackErrorPageFault",
        "a kernel read or wrote outside of its buffers",
        ("a kernel of this release that fails at some shapes: it came back with the same model and prompt",),
        "another release of MLX; check that every index is within its array (MP304), then report the shapes",
        ("Blaizzy/mlx-vlm#1064",),
    ),
    Known(
        "innocent-victim", "Metal", FAILED + r"Discarded|CallbackErrorInnocentVictim",
        "another command buffer failed, and this one was thrown away with it: look for the first error",
        ("several requests or programs at one GPU at the same time",),
        "read what was printed before; run alone",
        ("cubist38/mlx-openai-server#169",),
    ),
    Known(
        "submissions-ignored", "Metal", FAILED + r"Ignored \(for causing|CallbackErrorSubmissionsIgnored",
        "the system takes no more work from a process whose command buffers failed before: look for the first error",
        ("an earlier timeout or lack of memory that was caught, and the program went on",),
        "read what was printed before; restart the process",
        ("ollama/ollama#17902",),
    ),
    Known(
        "invalid-resource", "Metal", FAILED + r"Invalid Resource|CallbackErrorInvalidResource",
        "a command buffer uses a buffer that was freed or never made resident",
        ("not found out in the thread: one model, one prompt",),
        "another release of MLX; look at memory before it",
        ("Blaizzy/mlx-vlm#270",),
    ),
    Known(
        "buffer-too-large", "Metal", r"greater than the maximum allowed buffer size",
        "one single array is larger than Metal lets one buffer be, though memory may be free",
        ("attention scores of a whole prompt in one piece: length times length times heads",),
        "process the sequence in chunks; smaller batches; see max_buffer_length of mx.device_info()",
        ("lmstudio-ai/lmstudio-bug-tracker#2240", "exo-explore/exo#1048"),
    ),
    Known(
        "unable-to-allocate", "memory", r"\[malloc(?:_or_wait)?\] Unable to allocate",
        "the machine gave MLX no more memory",
        ("the program holds more than the machine has: smaller machines meet it first",
         "a graph of many steps in one evaluation"),
        "smaller batches or weights; evaluate more often; a newer release, which may use swap",
        ("ml-explore/mlx#63", "ml-explore/mlx-examples#21", "ml-explore/mlx-examples#823"),
    ),
    Known(
        "compiler-service", "Metal", r"Unable to reach MTLCompilerService",
        "the system's compiler of kernels does not answer this process any more",
        ("the service ended while the process ran on",),
        "restart the process",
        ("jundot/omlx#1335",),
    ),
    Known(
        "kernel-missing", "Metal", r"\[metal::Device\] Unable to load kernel",
        "the library of kernels that came with MLX has no such kernel, or this system cannot load it",
        ("an operation that has no kernel for this type, such as complex numbers",
         "a release of MLX for a newer system, or a GPU older than MLX supports",
         "a setting that the released wheels are not built for, such as MLX_METAL_FAST_SYNCH=1"),
        "another type or mx.cpu for this operation; the newest MLX that this system's version has",
        ("ml-explore/mlx#2098", "ml-explore/mlx#4389", "ml-explore/mlx#1993", "ml-explore/mlx-swift-examples#198"),
    ),
    Known(
        "metal-language", "Metal", r"invalid value 'metal[\d.]+' in '-std|MetalPerformancePrimitives.*file not found",
        "MLX asks for a newer Metal than this system has",
        ("a release of MLX that was built for a newer macOS",),
        "upgrade macOS, or take an older MLX",
        ("ml-explore/mlx-lm#697", "youssofal/MTPLX#461"),
    ),
    Known(
        "library-not-built", "Metal", r"\[metal::Device\] Unable to build metal library from source",
        "a kernel that is built on first use does not compile",
        ("MLX was built from source while Xcode's Metal toolchain was missing: its headers are incomplete",
         "a toolchain newer than this MLX",
         "a fault of one kernel, of this release or the program's own: the compiler's words follow"),
        "install the wheel, or the toolchain and build again from a clean folder",
        ("ml-explore/mlx#3332", "ml-explore/mlx#3337", "ml-explore/mlx#1158"),
    ),
    Known(
        "metallib-missing", "Metal", r"Failed to load the default metallib",
        "the file with MLX's kernels is not next to the program",
        ("a program built with `swift build`, or copied without its resources",),
        "build with xcodebuild; keep default.metallib next to the program",
        ("VincentGourbin/ltx-video-swift-mlx#3",),
    ),
    Known(
        "no-metal-device", "Metal", r"-\[__NSArray0 objectAtIndex:\]: index 0 beyond bounds",
        "the system shows this process no GPU",
        ("a session without a screen, a sandbox, a virtual machine",),
        "run in a logged-in session; in CI choose the CPU: mx.set_default_device(mx.cpu)",
        ("ml-explore/mlx#3397", "ml-explore/mlx#3428"),
    ),
    Known(
        "paravirtual-gpu", "Metal", r"AppleParavirtDevice",
        "a virtual machine's GPU lacks what MLX uses",
        ("macOS in a virtual machine",),
        "the CPU, or the machine itself",
        ("ml-explore/mlx#31",),
    ),
    Known(
        "no-metal-backend", "Metal", r"\[metal::\w+\] Cannot get \w+(?: \w+)? without metal backend",
        "code asks Metal of an MLX that was built without it",
        ("a program for Macs on Linux",
         "a Python that is not native on a Mac: `platform.processor()` is i386"),
        "mx.device_info() and mx.metal.is_available() in its place; on a Mac a native Python",
        ("ml-explore/mlx-examples#1306", "ml-explore/mlx#2292", "ml-explore/mlx-lm#238"),
    ),
)  # fmt: skip
