"""Deadlock in C with the interpreter's lock held, so that no Python thread and no Python signal handler runs."""

import ctypes

libc = ctypes.PyDLL(None)
mutex = ctypes.create_string_buffer(128)
libc.pthread_mutex_init(mutex, None)
libc.pthread_mutex_lock(mutex)
libc.pthread_mutex_lock(mutex)
