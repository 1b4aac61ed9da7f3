"""Advice in the names of a program: the line as it should be, or the page's words with the program's names."""

from __future__ import annotations

import ast
import textwrap

import pytest

from mlxprobe.rules import rewriting
from mlxprobe.rules.rewriting import Rewrite, advised, rewritten, with_argument, with_inverse

EVALUATE = "`mx.eval(model.parameters(), optimizer.state)` after each update."


def line_of(source: str, text: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if text in line)


def said(source: str, text: str, advice: str = EVALUATE) -> str:
    source = textwrap.dedent(source)
    return advised(advice, source, line_of(source, text))


def test_a_script_s_own_names_stand_in_the_code() -> None:
    source = "step = nn.value_and_grad(net, loss_fn)\nfor x in data:\n    opt.update(net, grads)\n"
    assert said(source, "update") == "`mx.eval(net.parameters(), opt.state)` after each update."


def test_attributes_of_a_trainer_stand_in_the_code() -> None:
    source = """
        class Trainer:
            def step(self, x):
                loss, g = self.fn(self.model, x)
                self.opt.update(self.model, g)
    """
    assert said(source, "update") == "`mx.eval(self.model.parameters(), self.opt.state)` after each update."
    assert said(source, "self.fn", "`optimizer.update(model, grads)`.") == "`self.opt.update(self.model, g)`."


def test_each_of_two_models_keeps_its_names() -> None:
    source = "opt_d.update(D, gd)\nx = 1\ny = 2\nz = 3\nopt_g.update(G, gg)\n"
    assert said(source, "opt_d.") == "`mx.eval(D.parameters(), opt_d.state)` after each update."
    assert said(source, "opt_g.") == "`mx.eval(G.parameters(), opt_g.state)` after each update."


def test_names_of_another_function_are_not_taken() -> None:
    source = "def train():\n    opt.update(net, grads)\n\ndef other():\n    return loss.item()\n"
    assert said(source, "item") == EVALUATE


def test_what_is_computed_is_no_name() -> None:
    assert said("optimizers[0].update(build(), grads)", "update") == EVALUATE


@pytest.mark.parametrize("source", ["%matplotlib inline\nopt.update(net, g)", "opt.update(net, g) if", "\0", ""])
def test_a_text_that_is_no_python_leaves_the_advice(source: str) -> None:
    assert advised(EVALUATE, source, 1) == EVALUATE


def test_only_code_is_renamed() -> None:
    advice = "a smaller model: `model.head` of `mlx.model`, `load('model')`, `remodel(model)`."
    expected = "a smaller model: `net.head` of `mlx.model`, `load('model')`, `remodel(net)`."
    assert said("opt.update(net, g)", "update", advice) == expected


SOFTMAX, POOLED = with_argument("axis", 1, "-1", "softmax"), with_argument("axis", 1, "(1, 2)", "mean")
SCALE = with_inverse("scale", "scaled_dot_product_attention")


@pytest.mark.parametrize(
    ("rewrite", "line", "better"),
    [
        (SOFTMAX, "w = mx.softmax(scores)", "w = mx.softmax(scores, axis=-1)"),
        (SOFTMAX, "w = mx.softmax(scores, 1) @ v", "w = mx.softmax(scores, -1) @ v"),
        (SOFTMAX, "w = mx.softmax(a, axis=0)", "w = mx.softmax(a, axis=-1)"),
        (SOFTMAX, "w = mx.softmax(a, axis=-1)", ""),
        (SOFTMAX, "w = mx.softmax(a) + mx.softmax(b)", ""),
        (SOFTMAX, "w = mx.softmax(*args)", ""),
        (SOFTMAX, "w = self.attend(scores)", ""),
        (SOFTMAX, f"w = mx.softmax({'a' * 200})", ""),
        (POOLED, "x = mx.mean(x, axis=(2, 3))", "x = mx.mean(x, axis=(1, 2))"),
        (SCALE, "return attention.scaled_dot_product_attention(q, k, v, scale=d**0.5)",
         "return attention.scaled_dot_product_attention(q, k, v, scale=d ** -0.5)"),
        (SCALE, "y = scaled_dot_product_attention(q, k, v, scale=math.sqrt(d))",
         "y = scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(d))"),
        (SCALE, "y = scaled_dot_product_attention(q, k, v, scale=s, mask=m)",
         "y = scaled_dot_product_attention(q, k, v, scale=1 / s, mask=m)"),
        (SCALE, "y = attend(q, k, v)", ""),
        (rewriting.with_evaluated_item, "total += loss", "total += loss.item()"),
        (rewriting.with_evaluated_item, "total = total + loss", "total = total + loss.item()"),
        (rewriting.with_evaluated_item, "self.losses.append(loss)", "self.losses.append(loss.item())"),
        (rewriting.with_evaluated_item, "total += loss * len(x)", ""),
        (rewriting.with_copied_item, "buffer.append(state)", "buffer.append(state.copy())"),
        (rewriting.with_copied_item, "buffer.append((state, 1))", ""),
        (rewriting.with_result_kept, "sums.at[target].add(messages)", "sums = sums.at[target].add(messages)"),
        (rewriting.with_result_kept, "nn.init.he_normal()(layer.weight)",
         "layer.weight = nn.init.he_normal()(layer.weight)"),
        (rewriting.with_result_kept, "mx.clip(p, -1, 1)", ""),
    ],
)  # fmt: skip
def test_a_line_is_rewritten_where_that_is_safe(rewrite: Rewrite, line: str, better: str) -> None:
    text = rewritten(ast.parse(line).body[0] if not line.startswith("return") else _returned(line), rewrite)
    assert text == better


def _returned(line: str) -> ast.stmt:
    function = ast.parse(f"def f():\n    {line}").body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.body[0]


def test_a_statement_of_many_lines_is_found_by_any_of_them() -> None:
    source = "w = mx.softmax(\n    scores,\n    axis=1,\n)\n"
    for line in (1, 2, 3):
        assert advised("", source, line, SOFTMAX) == "`w = mx.softmax(scores, axis=-1)`."


def test_a_statement_with_a_body_is_not_written_out() -> None:
    assert not rewritten(ast.parse("for x in mx.softmax(a):\n    pass").body[0], SOFTMAX)
