"""Raise an exception with a long message in a script of three bytes a character."""

raise ValueError("学习率不能为负数" * 100)
