"""The table of errors: every row knows the text of its threads, and none knows an ordinary one."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from mlxprobe.cli import main
from mlxprobe.diagnosis import RULES
from mlxprobe.diagnosis.errors import KNOWN, address, known, page

ABORT = "libc++abi: terminating due to uncaught exception of type std::runtime_error: "
FAILED = f"{ABORT}[METAL] Command buffer execution failed: "
TEXTS = (  # as they stand in the threads, shortened at their ends
    ("resource-limit", "RuntimeError: [metal::malloc] Resource limit (499000) exceeded."),
    ("insufficient-memory", f"{FAILED}Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"),
    ("insufficient-memory", "aborted due to an error during execution. Insufficient Memory "
     "(00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"),
    ("gpu-timeout", f"{FAILED}Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)."),
    ("impacting-interactivity", f"{FAILED}Impacting Interactivity "
     "(0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)"),
    ("internal-error", f"{FAILED}Internal Error (0000000e:Internal Error)"),
    ("gpu-hang", f"{FAILED}Caused GPU Hang Error (00000003:kIOGPUCommandBufferCallbackErrorHang)"),
    ("gpu-address-fault", f"{FAILED}Caused GPU Address Fault Error "
     "(0000000b:kIOGPUCommandBufferCallbackErrorPageFault)"),
    ("innocent-victim", f"{FAILED}Discarded (victim of GPU error/recovery) "
     "(00000005:kIOGPUCommandBufferCallbackErrorInnocentVictim)"),
    ("submissions-ignored", "error: [METAL] Command buffer execution failed: Ignored (for causing prior/excessive GPU "
     "errors) (00000004:kIOGPUCommandBufferCallbackErrorSubmissionsIgnored). (exit: signal: abort trap)"),
    ("invalid-resource", f"{FAILED}Invalid Resource (00000009:kIOGPUCommandBufferCallbackErrorInvalidResource)"),
    ("buffer-too-large", "RuntimeError: [metal::malloc] Attempting to allocate 48736917632 bytes which is greater "
     "than the maximum allowed buffer size of 30150672384 bytes."),
    ("unable-to-allocate", f"{ABORT}[malloc_or_wait] Unable to allocate 134217728 bytes."),
    ("compiler-service", "[metal::Device] Unable to load kernel carg_block_sort_uint32_uint32_bn128_tn4\n"
     "Unable to reach MTLCompilerService. The process is unavailable because the compiler is no longer active."),
    ("kernel-missing", "RuntimeError: [metal::Device] Unable to load kernel v_Sqrtcomplex64complex64"),
    ("kernel-missing", "[metal::Device] Unable to load kernel v_copyint32float32"),
    ("kernel-missing", f"{ABORT}[metal::Device] Unable to load kernel qmm_t_float16_t_gs_64_b_4_alN_true_batch_0\n"
     "Compiler encountered an internal error"),
    ("metal-language", "RuntimeError: [metal::Device] Unable to build metal library from source\n"
     "error: invalid value 'metal4.0' in '-std=metal4.0'"),
    ("metal-language", "[metal::Device] Unable to build metal library from source\nmlx/backend/metal/kernels/utils.h:"
     "470:10: fatal error: 'MetalPerformancePrimitives/MetalPerformancePrimitives.h' file not found"),
    ("library-not-built", "RuntimeError: [metal::Device] Unable to build metal library from source\n"
     "mlx/backend/metal/kernels/utils.h:64:25: error: unknown type name 'bfloat16_t'"),
    ("metallib-missing", "MLX error: Failed to load the default metallib. library not found library not found"),
    ("no-metal-device", "*** Terminating app due to uncaught exception 'NSRangeException', reason:\n"
     "'*** -[__NSArray0 objectAtIndex:]: index 0 beyond bounds for empty array'"),
    ("paravirtual-gpu", "'NSInvalidArgumentException', reason: '-[AppleParavirtDevice newArgumentEncoderWithLayout:]: "
     "unrecognized selector sent to instance 0x149029e00'"),
    ("no-metal-backend", "RuntimeError: [metal::device_info] Cannot get device info without metal backend"),
    ("stream-of-another-thread", "RuntimeError: There is no Stream(gpu, 0) in current thread."),
    ("stream-of-another-thread", "RuntimeError: There is no Stream(cpu, 0) in current thread"),
    ("cuda-headers", "RuntimeError: Can not find locations of CUDA headers, please set\n"
     "environment variable CUDA_HOME or CUDA_PATH."),
    ("cuda-no-memory", "RuntimeError: cudaMallocManaged failed: an illegal memory access was encountered."),
    ("cuda-too-many-resources", "RuntimeError: cudaGraphInstantiate(&handle_, graph, nullptr, nullptr, 0) failed: too "
     "many resources requested for launch"),
    ("cuda-cache-thrashing", "terminate called after throwing an instance of 'std::runtime_error'\n  what():  Cache "
     "thrashing is happening, please set the environment variable MLX_CUDA_GRAPH_CACHE_SIZE to a larger value than 400 "
     "to fix degraded performance."),
    ("cuda-kernel-list", "RuntimeError: There is no kernel named mlx::core::cu::gather<int64_t, int32_t, 1>."),
    ("cuda-launch", "RuntimeError: cudaGraphAddKernelNode(&node, graph_, NULL, 0, &params) failed: invalid argument"),
    ("cuda-capture", "terminate called after throwing an instance of 'std::runtime_error'\n  what():  "
     "cudaStreamEndCapture(stream, &handle_) failed: operation failed due to a previous error during capture"),
    ("cpu-compiler", "RuntimeError: [Compile::eval_cpu] Failed to compile function Cf4BroadcastBDf4: Failed to execute "
     "command with return code 127: \"g++ …\", the output is: sh: g++: No such file or directory"),
    ("eval-in-transformation", "ValueError: [eval] Attempting to eval an array without a primitive"),
    ("no-connection", "[jaccl] Couldn't connect (error: 60)"),
    ("ring-transfer-too-large", "[ring] Sending to socket 3 failed with errno 22\n"
     "[ring] Too many send/recv errors. Aborting..."),
    ("ring-aborted", "[ring] Receiving from socket 51 failed with errno 14\n"
     "[ring] Too many send/recv errors. Aborting..."),
    ("ring-peer-lost", "RuntimeError: [ring] connection to a peer was lost"),
    ("jaccl-ready-to-receive", "[jaccl] Changing queue pair to RTR failed with errno 22"),
    ("jaccl-queue-pairs", "[jaccl] Creating the queue pair failed with errno 16. Thunderbolt RDMA devices"),
    ("jaccl-no-device", "Couldn't allocate protection domain"),
    ("jaccl-side-channel", "Recv failed with errno=2"),
    ("mpi-missing", "RuntimeError: Cannot initialize MPI"),
    ("nccl-unhandled", "RuntimeError: NCCL error: unhandled cuda error (run with NCCL_DEBUG=INFO for details)"),
    ("nccl-unhandled", "NCCL error in: ProcessGroupNCCL.cpp:260, unhandled system error"),
    ("nccl-remote", "async NCCL error: remote process exited or there was a network error"),
    ("not-safetensors", "RuntimeError: [load_safetensors] Invalid json header length file model.safetensors"),
    ("load-header", "RuntimeError: [load] Invalid header in file model-00001-of-00002.safetensors"),
    ("extra-parameters", "ValueError: Received 269 parameters not in model: \naudio_tower.conformer.0.k_proj.biases,"),
    ("extra-parameters", "ValueError: Received parameters not in model: model.layers.5.mlp.up_proj.weight"),
    ("missing-parameters", "ValueError: Missing 2 parameters: \nmulti_modal_projector.layer_norm.bias,"),
    ("libmlx-missing", "ImportError: libmlx.so: cannot open shared object file: No such file or directory"),
    ("libmlx-missing", "ImportError: dlopen(core.cpython-313-darwin.so, 0x0002): Library not loaded: "
     "@rpath/libmlx.dylib"),
    ("libmlx-of-another-release", "ImportError: dlopen(core.cpython-39-darwin.so, 0x0002): Symbol not found: "
     "__ZN3mlx4core8allcloseERKNS0_5arrayES3_dd"),
)  # fmt: skip
ORDINARY = (
    "Traceback (most recent call last):\n  File \"train.py\", line 3, in <module>\n    main()\nKeyboardInterrupt",
    "ValueError: [matmul] Last dimension of first input with shape (8,16) must match second to last dimension",
    "ValueError: [broadcast_shapes] Shapes (3,4) and (5) cannot be broadcast.",
    "RuntimeError: [Load::load_npy] no such file", "MemoryError", "Killed", "Segmentation fault (core dumped)",
    "FileNotFoundError: [Errno 2] No such file or directory: 'weights.safetensors'",
    "ConnectionRefusedError: [Errno 111] Connection refused", "TimeoutError: timed out", "Iter 1: Val loss 4.472",
    "ImportError: libcublas.so.12: cannot open shared object file: No such file or directory",
    "TypeError: missing 2 required positional arguments: 'x' and 'y'", "ValueError: Missing parameters file a.yaml",
    "warnings.warn('resource_tracker: There appear to be %d leaked semaphore objects')", "out of memory",
    "AssertionError: the GPU hangs now and then", "loss is nan", "[INFO] Loading", "error: internal error",
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.87 GiB",
)  # fmt: skip
REFERENCE = re.compile(r"[\w.-]+/[\w.-]+#\d+")


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=[f"{name}-{k}" for k, (name, _) in enumerate(TEXTS)])
def test_a_row_knows_the_text_of_its_threads(name: str, text: str) -> None:
    row = known(text)
    assert row is not None
    assert row.name == name


def test_every_row_has_a_text_that_it_knows() -> None:
    assert {row.name for row in KNOWN} == {name for name, _ in TEXTS}


@pytest.mark.parametrize("text", ORDINARY)
def test_no_row_knows_an_ordinary_text(text: str) -> None:
    assert known(text) is None


def test_no_row_knows_what_another_says_of_itself() -> None:
    """A report that comes back in a log, or in somebody's question, is no error."""
    assert [row.name for row in KNOWN if known(page(row))] == []


def test_no_row_knows_an_error_of_python_itself() -> None:
    for program in ("1/0", "import nowhere", "open('nowhere')", "[][0]", "raise SystemExit('over')", "{}['k']", "x ="):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.stderr and known(done.stderr) is None


def test_rows_are_whole_and_named_once() -> None:
    assert len({row.name for row in KNOWN}) == len(KNOWN) >= 25
    for row in KNOWN:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name)
        assert row.backend and row.means and row.causes and row.do and row.threads
        assert all(REFERENCE.fullmatch(thread) for thread in row.threads)
        assert set(re.findall(r"MP\d{3}", page(row))) <= RULES.keys()


def test_a_thread_has_an_address() -> None:
    assert address("ml-explore/mlx#4464") == "https://github.com/ml-explore/mlx/issues/4464"


@pytest.mark.parametrize("word", ["RuntimeError: [metal::malloc] Resource limit (499000) exceeded.", "resource-limit"])
def test_explain_finds_an_error_by_its_text_and_by_its_name(word: str) -> None:
    told = CliRunner().invoke(main, ["explain", word])
    assert told.exit_code == 0
    assert told.output.startswith("resource-limit  (Metal)")
    assert "https://github.com/ml-explore/mlx/issues/4464" in told.output


def test_explain_suggests_the_nearest_name() -> None:
    assert "did you mean gpu-timeout?" in CliRunner().invoke(main, ["explain", "gpu-timeuot"]).output
