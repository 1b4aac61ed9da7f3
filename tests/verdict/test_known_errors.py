"""What is said of the error that ended a program, and of what came before it."""

from making import raised, record, record_row, seen
from msgspec.structs import replace

from mlxprobe.reports import FORMATS, WATCH_FORMATS
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.live import Looked
from mlxprobe.schema.observation import MlxSample, Raised, Step
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.verdict.errors import in_log, known_error
from mlxprobe.verdict.remarks import remarks

LIMIT = "[metal::malloc] Resource limit (499000) exceeded."
ABORT = "terminating due to uncaught exception: [METAL] Command buffer execution failed: Insufficient Memory (8)\n"


def test_an_exception_is_told_with_what_was_seen_before_it() -> None:
    steps = tuple(Step(n=n, t_s=n, step_s=3.0 if n == 7 else 0.1, active_bytes=n * 1_000_000) for n in range(1, 33))
    memory = (MlxSample(t_s=1.0, active_bytes=1, cache_bytes=2_000_000, peak_bytes=9_000_000),)
    sheet = Sheet(batches={f"8×{n}": 1 for n in range(20)})
    (told,) = known_error(raised(LIMIT, steps=steps, memory=memory, sheet=sheet))
    assert told.name == "known error" and not told.grave
    assert told.message.startswith("resource-limit (Metal): more buffers are alive than MLX allows")
    for word in ("(1) a compiled", "ml-explore/mlx#4464", "32 steps, the slowest 3.0 s at step 7", "peak memory 9.0 MB",
                 "cache memory 2.0 MB", "grew by 1.0 MB a step", "20 shapes"):  # fmt: skip
        assert word in told.message


def test_an_exception_that_another_was_raised_from_counts() -> None:
    text = f"Traceback …\n  File 'a.py'\nRuntimeError: {LIMIT}\n\nThe above exception was …\nValueError: bad"
    error = Raised(type="ValueError", message="bad", traceback=text)
    assert [one.name for one in known_error(raised(raised=error))] == ["known error"]


def test_a_line_of_code_in_a_traceback_is_no_error() -> None:
    text = f"Traceback …\n    if '{LIMIT}' in text:\nValueError: bad"
    assert not list(known_error(raised(raised=Raised(type="ValueError", message="bad", traceback=text))))


def test_a_crash_is_told_by_the_end_of_what_it_printed() -> None:
    crashed = seen(exit_code=-6, finished=False, output_tail=f"Iter 1\n{ABORT}")
    (told,) = known_error(crashed)
    assert told.message.startswith("insufficient-memory (Metal)")
    assert told in remarks(crashed)


def test_an_abort_whose_words_only_the_terminal_has_says_where_to_ask() -> None:
    (told,) = known_error(seen(exit_code=-6, finished=False))
    assert told.name == "aborted"
    assert "if anything" in told.message  # `os.abort` says nothing
    assert "mlxprobe explain" in told.message


def test_a_program_that_went_on_and_ended_well_gets_nothing() -> None:
    assert not list(known_error(seen(output_tail=ABORT)))
    assert not list(known_error(seen(exit_code=3, output_tail=ABORT)))  # it chose its exit code at its end
    assert not list(known_error(raised("bad shape")))
    assert not list(known_error(seen(exit_code=-9, finished=False, output_tail=ABORT)))  # another rank said it


def test_the_log_of_a_process_that_runs_is_read() -> None:
    (told,) = in_log(Looked(pid=1, looked_s=1.0, limit_s=1.0, said=ABORT))
    assert told.name == "its stderr has insufficient-memory (Metal)"
    assert told.thread.startswith("https://github.com/ml-explore/mlx/")
    assert in_log(Looked(pid=1, looked_s=1.0, limit_s=1.0, said="Iter 1: loss 3.2")) == ()


def test_reports_of_all_forms_tell_it() -> None:
    (known,) = known_error(raised(LIMIT))
    user = record_row(Outcome.ERROR, scenario="", variant="", program="train.py", remarks=(known,))
    for name, form in WATCH_FORMATS.items():
        if name not in ("github",):
            assert "resource-limit" in form(record(user)), name
    variant = replace(user, scenario="toy", variant="healthy", program="")
    assert "resource-limit" in FORMATS["text"](record(variant))
