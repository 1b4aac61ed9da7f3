"""What agent and supervisor agree on: names of variables and files, the signal, the length of a line."""

import signal

LINE_BYTES = 4096  # the most that Linux promises to write to a pipe in one piece (PIPE_BUF)

FD_VARIABLE = "MLXPROBE_EVENTS_FD"
FOLDER_VARIABLE = "MLXPROBE_FOLDER"
PATH_VARIABLE = "MLXPROBE_PYTHONPATH"  # the program's own
EVENTS_FILE = "events"
PYTHONS_FILE = "pythons"  # a line of each Python that starts below a watched command: process, version, executable
DEVICE_VARIABLE = "MLXPROBE_DEVICE"
SUPERVISOR_VARIABLE = "MLXPROBE_SUPERVISOR"  # its process number
WITH_VARIABLE = "MLXPROBE_WITH"  # interventions
STEPS_VARIABLE = "MLXPROBE_STEPS"  # after which somebody has seen enough
OWN_VARIABLES = (DEVICE_VARIABLE, WITH_VARIABLE, STEPS_VARIABLE)  # of the process that is watched, and no other

BOX_FILE = "collectives"  # the last that were evaluated
BOX_ROW = "<IIIIIddd"  # kind, two numbers, step, whether it is sure; when it was built, begun, done
STACKS_FILE = "stacks.txt"
ASK_FILE = "stacks.ask"
THEIRS = ".theirs"  # beside the file: the program has a handler of its own for the signal
STACKS_END = b"that is all\n"  # below the stacks that the agent's own thread tells
STACK_SIGNAL = signal.SIGURG  # ignored by who has no handler for it, and unlike SIGUSR1 no training script's own

COLLECTIVE = (  # a row of the event `collectives`: fields of the value of that name, with `site` for its place
    "group",
    "n",
    "operation",
    "shape",
    "dtype",
    "peer",
    "step",
    "site",
    "built_s",
    "begun_s",
    "done_s",
    "nth",
    "leaf",
    "sure",
    "traced",
    "passed",
    "within",
)
COLLECTIVE_FLAGS = COLLECTIVE[-4:]  # told as 0 and 1
