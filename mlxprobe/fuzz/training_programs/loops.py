"""The training loops of random programs: plain, in a function, or in a class; compiled or accumulating or neither."""

from __future__ import annotations

import textwrap

from mlxprobe.fuzz.training_programs.plan import Plan

UPDATES = 36


def indented(lines: list[str], depth: int = 1) -> list[str]:
    """Return lines indented `depth` levels deeper."""
    return textwrap.indent("\n".join(lines), "    " * depth).splitlines() if lines else []


class Loop:
    """Write what trains a model on batches of the given `names`, and what calls it."""

    def __init__(self, plan: Plan, names: str) -> None:
        self.plan, self.names = plan, names
        self.own = "self." if plan.style == "class" else ""
        self.m, self.o, self.g = f"{self.own}model", f"{self.own}optimizer", f"{self.own}gradients"
        self.averaged = plan.accumulate > 1 and plan.averages == "gradients"

    def setup(self) -> list[str]:
        lines = [f"{self.g} = nn.value_and_grad({self.m}, loss_fn)"]
        if self.plan.compiled:
            random = ", mx.random.state" if "dropout" in self.plan.layers else ""
            lines.append(f"{self.own}state = [{self.m}.state, {self.o}.state{random}]")
            captured = f"inputs={self.own}state, outputs={self.own}state"
            if self.own:
                lines.append(f"self.fast_step = mx.compile(self.step, {captured})")
            elif self.plan.nested:
                lines += [f"@partial(mx.compile, {captured})", *self.step("fast_step")]
            else:
                lines += [*self.step("step"), f"fast_step = mx.compile(step, {captured})"]
        return lines

    def step(self, name: str) -> list[str]:
        me = "self, " if self.own else ""
        lines = [f"loss, grads = {self.gradients()}", *self.update(), "return loss"]
        return [f"def {name}({me}{self.names}):", *indented(lines)]

    def gradients(self) -> str:
        return f"{self.g}({self.m}, {self.names})"

    def update(self) -> list[str]:
        lines = ["grads, _ = optim.clip_grad_norm(grads, max_norm=1.0)"] * self.plan.clips
        return [*lines, f"{self.o}.update({self.m}, grads)"]

    def evaluation(self, loss: str) -> list[str]:
        forms = [f"{self.m}.parameters(), {self.o}.state", f"{loss}{self.m}.state, {self.o}.state"]
        return [f"mx.eval({[*forms, f'{self.own}state' if self.plan.compiled else forms[0]][self.plan.evaluates]})"]

    def apply(self) -> list[str]:
        """Write the update of what `grads`, or `total` of `count` micro-batches, holds."""
        scaled = ["grads = tree_map(lambda grad: grad / count, total)" if self.averaged else "grads = total"]
        return [*scaled * (self.plan.accumulate > 1), *self.update()]

    def body(self) -> list[str]:
        """Write the whole loop over `data`."""
        plan, together = self.plan, self.plan.accumulate > 1
        if plan.compiled:
            turn = [f"loss = {self.own}fast_step({self.names})", *self.evaluation("loss, ")]
        elif together:
            turn = [f"loss, grads = {self.gradients()}", "count += 1"]
            turn += ["total = grads if total is None else tree_map(mx.add, total, grads)"]
            turn += ["mx.eval(loss, total)"]
            turn += [f"if count == {plan.accumulate}:", *indented([*self.applied(), "total, count = None, 0"])]
        else:
            turn = [f"loss, grads = {self.gradients()}", *self.applied()]
        turn += [*self.reading(), *self.extras()]
        names = f"({self.names})" if "," in self.names else self.names
        lines = ["total, count = None, 0"] * together + ["losses, running = [], 0.0"]
        lines += [f"for number, {names} in enumerate(data):", *indented(turn)]
        if self.averaged:
            lines += ["if count:", *indented(self.applied())]
        return lines + self.ending()

    def applied(self) -> list[str]:
        if not self.own:
            return [*self.apply(), *self.evaluation("loss, ")]
        return ["self.apply(total, count)" if self.plan.accumulate > 1 else "self.apply(grads)"]

    def reading(self) -> list[str]:
        every = [f"if number % {self.plan.every} == 0:", '    print(f"{number}: {loss.item():.4f}")']
        return {"list": ["losses.append(loss.item())"], "sum": ["running += float(loss)"]}.get(self.plan.reads, every)

    def ending(self) -> list[str]:
        shown = {"list": "{losses[0]:.4f} -> {losses[-1]:.4f}", "sum": "{running / (number + 1):.4f}"}
        return [f'print(f"{shown.get(self.plan.reads, "{number + 1} batches")}")']

    def extras(self) -> list[str]:
        lines = []
        if self.plan.validates:
            held = "*HELD" if "," in self.names else "HELD"
            value = f"print(f'held out: {{loss_fn({self.m}, {held}).item():.4f}}')"
            lines += ["if number % 10 == 9:", *indented([f"{self.m}.eval()", value, f"{self.m}.train()"])]
        if self.plan.saves:
            state = f"dict(tree_flatten({self.o}.state))"
            lines += ["if number % 15 == 14:"]
            lines += [f'    {self.m}.save_weights(f"{{FOLDER.name}}/step{{number}}.safetensors")']
            lines += [f'    mx.save_safetensors(f"{{FOLDER.name}}/optimizer{{number}}.safetensors", {state})']
        return lines

    def trainer(self) -> str:
        """Write the function or the class; nothing for a plain script."""
        if self.plan.style == "plain":
            return ""
        if self.plan.style == "function":
            return "\n".join(["def train(model, optimizer, data):", *indented([*self.setup(), *self.body()])])
        lines = ["def __init__(self, model, optimizer):", "    self.model, self.optimizer = model, optimizer"]
        lines += indented(self.setup())
        if self.plan.compiled:
            lines += ["", *self.step("step")]
        else:
            given = "total, count" if self.plan.accumulate > 1 else "grads"
            lines += ["", f"def apply(self, {given}):", *indented([*self.apply(), *self.evaluation("")])]
        return "\n".join(["class Trainer:", *indented([*lines, "", "def fit(self, data):", *indented(self.body())])])

    def main(self) -> str:
        plan = self.plan
        left = plan.accumulate - 1 if self.averaged and plan.nested else 0
        count = UPDATES * plan.accumulate + left
        data = f"batches({count})" if plan.streams else f"list(batches({count}))"
        run = {"plain": [*self.setup(), *self.body()], "function": ["train(model, optimizer, data)"]}
        train = [f"data = {data}"] + ["mx.eval(data)"] * (not plan.streams)
        train += run.get(plan.style, ["Trainer(model, optimizer).fit(data)"])
        lines = ["model, optimizer = build()", *self.start(train), *train]
        if plan.style != "plain" and plan.evaluates == 1:
            lines = ["def main():", *indented(lines), "", "", 'if __name__ == "__main__":', "    main()"]
        held = ["HELD = next(batches(1))", "mx.eval(HELD)"] * plan.validates
        return "\n".join(["FOLDER = tempfile.TemporaryDirectory()", *held, *lines])

    def start(self, train: list[str]) -> list[str]:
        weights, state = '(f"{FOLDER.name}/weights.safetensors"', '(f"{FOLDER.name}/optimizer.safetensors"'
        if self.plan.start == "pretrained":
            return [f"build()[0].save_weights{weights})", f"model.load_weights{weights})"]
        if self.plan.start == "resumed":
            lines = [*train, f"model.save_weights{weights})"]
            lines += [f"mx.save_safetensors{state}, dict(tree_flatten(optimizer.state)))", "model, optimizer = build()"]
            restored = f"optimizer.state = tree_unflatten(list(mx.load{state}).items()))"
            return [*lines, f"model.load_weights{weights})", restored]
        return []
