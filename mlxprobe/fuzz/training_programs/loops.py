"""The training loops of random programs: plain, in a function, or in a class; compiled or accumulating or neither."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from mlxprobe.fuzz.training_programs.plan import Plan

UPDATES = 36
MARKED_AT_THE_GRADIENT = ("remainder dropped", "rate times 10,000")


def indented(lines: list[str], depth: int = 1) -> list[str]:
    """Return lines that stand so much deeper."""
    return textwrap.indent("\n".join(lines), "    " * depth).splitlines() if lines else []


class Loop:
    """Write what trains a model on batches of the given `names`, and what calls it."""

    def __init__(self, plan: Plan, fault: str, names: str, at: Callable[..., str]) -> None:
        self.plan, self.fault, self.names, self.at = plan, fault, names, at
        self.own = "self." if plan.style == "class" else ""
        self.m, self.o, self.g = f"{self.own}model", f"{self.own}optimizer", f"{self.own}gradients"
        self.averaged = plan.accumulate > 1 and plan.averages == "gradients" and fault != "sum of gradients"
        self.reads = "list" if fault == "loss kept unevaluated" and plan.reads == "every" else plan.reads

    def setup(self) -> list[str]:
        lines = []
        if self.fault == "copy updated":
            lines.append(f"{self.own}shadow = copy.deepcopy({self.m})")
        if self.fault == "frozen part trained":
            body = [f"{self.m}.update(parameters)", f"return loss_fn({self.m}, *batch)"]
            lines += ["def of_parameters(parameters, *batch):", *indented(body)]
            lines.append(f"{self.g} = mx.value_and_grad(of_parameters)")
        else:
            lines.append(f"{self.g} = nn.value_and_grad({self.m}, loss_fn)")
        if self.plan.compiled:
            random = ", mx.random.state" if "dropout" in self.plan.layers else ""
            lines.append(f"{self.own}state = [{self.m}.state, {self.o}.state{random}]")
            lines += ["self.fast_step = mx.compile(self.step" + self.captures()] if self.own else self.compiled()
        return lines

    def captures(self) -> str:
        if self.fault == "compiled without state":
            return f"){self.at('compiled without state')}"
        return f", inputs={self.own}state, outputs={self.own}state)"

    def compiled(self) -> list[str]:
        if self.plan.nested and self.fault != "compiled without state":
            return ["@partial(mx.compile, inputs=state, outputs=state)", *self.step("fast_step")]
        return [*self.step("step"), f"fast_step = mx.compile(step{self.captures()}"]

    def step(self, name: str) -> list[str]:
        counter = ", number" if self.fault == "counter of a compiled step" else ""
        lines = [f"loss, grads = {self.gradients()}"]
        lines += ["grads = tree_map(lambda grad: grad * 0.99**number, grads)"] * bool(counter)
        me = "self, " if self.own else ""
        return [f"def {name}({me}{self.names}{counter}):", *indented([*lines, *self.update(), "return loss"])]

    def gradients(self) -> str:
        first = f"{self.m}.parameters()" if self.fault == "frozen part trained" else self.m
        mark = self.at(*MARKED_AT_THE_GRADIENT, *["nothing to learn"] * (not self.plan.compiled))
        return f"{self.g}({first}, {self.names}){mark}"

    def update(self) -> list[str]:
        lines = ["grads, _ = optim.clip_grad_norm(grads, max_norm=1.0)"] * self.plan.clips
        marked = ["copy updated", "result dropped", "frozen part trained", "sum of gradients"]
        mark = self.at(*marked, *["no evaluation"] * (not self.plan.compiled))
        if self.fault == "result dropped":
            return [*lines, f"{self.o}.apply_gradients(grads, {self.m}.trainable_parameters()){mark}"]
        model = f"{self.own}shadow" if self.fault == "copy updated" else self.m
        return [*lines, f"{self.o}.update({model}, grads){mark}"]

    def evaluation(self, loss: str) -> list[str]:
        if self.fault == "no evaluation":
            return []
        if self.fault == "evaluates a generator":
            return [f"mx.eval(one for _, one in tree_flatten({self.m}.parameters())){self.at(self.fault)}"]
        if self.fault == "copy updated":
            return [f"mx.eval({self.own}shadow.parameters(), {self.o}.state)"]
        if self.fault == "loss kept unevaluated":
            loss = ""
        forms = [f"{self.m}.parameters(), {self.o}.state", f"{loss}{self.m}.state, {self.o}.state"]
        return [f"mx.eval({[*forms, f'{self.own}state' if self.plan.compiled else forms[0]][self.plan.evaluates]})"]

    def apply(self) -> list[str]:
        """Write the update of what `grads`, or `total` of `count` micro-batches, holds."""
        scaled = ["grads = tree_map(lambda grad: grad / count, total)" if self.averaged else "grads = total"]
        return [*scaled * (self.plan.accumulate > 1), *self.update()]

    def body(self) -> list[str]:
        """Write the whole loop over `data`."""
        plan, together = self.plan, self.plan.accumulate > 1
        turn: list[str] = []
        if plan.compiled:
            counter = ", number" if self.fault == "counter of a compiled step" else ""
            mark = self.at("counter of a compiled step", "no evaluation", "nothing to learn")
            turn = [f"loss = {self.own}fast_step({self.names}{counter}){mark}", *self.evaluation("loss, ")]
        elif together:
            held = {"no evaluation": [], "loss kept unevaluated": ["mx.eval(total)"]}
            turn = [f"loss, grads = {self.gradients()}", "count += 1"]
            turn += ["total = grads if total is None else tree_map(mx.add, total, grads)"]
            turn += held.get(self.fault, ["mx.eval(loss, total)"])
            turn += [f"if count == {plan.accumulate}:", *indented([*self.applied(), "total, count = None, 0"])]
        else:
            turn = [f"loss, grads = {self.gradients()}", *self.applied()]
        turn += [*self.reading(), *self.extras()]
        names = f"({self.names})" if "," in self.names else self.names
        lines = ["total, count = None, 0"] * together + ["losses, running = [], 0.0"]
        lines += [f"for number, {names} in enumerate(data):", *indented(turn)]
        if together and self.averaged and self.fault != "remainder dropped":
            lines += ["if count:", *indented(self.applied())]
        return lines + self.ending()

    def applied(self) -> list[str]:
        if not self.own:
            return [*self.apply(), *self.evaluation("loss, ")]
        return ["self.apply(total, count)" if self.plan.accumulate > 1 else "self.apply(grads)"]

    def reading(self) -> list[str]:
        if self.fault == "no evaluation":
            return []
        if self.fault == "loss kept unevaluated":
            kept = "losses.append(loss)" if self.reads == "list" else "running = running + loss"
            return [f"{kept}{self.at(self.fault)}"]
        every = [f"if number % {self.plan.every} == 0:", '    print(f"{number}: {loss.item():.4f}")']
        return {"list": ["losses.append(loss.item())"], "sum": ["running += float(loss)"]}.get(self.reads, every)

    def ending(self) -> list[str]:
        if self.fault == "no evaluation":
            return ['print(f"{loss.item():.4f}")']
        if self.fault == "loss kept unevaluated":
            kept = "mx.stack(losses).mean()" if self.reads == "list" else "(running / number)"
            return [f'print(f"{{{kept}.item():.4f}}")']
        shown = {"list": "{losses[0]:.4f} -> {losses[-1]:.4f}", "sum": "{running / (number + 1):.4f}"}
        return [f'print(f"{shown.get(self.reads, "{number + 1} batches")}")']

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
        left = plan.accumulate - 1 if (self.averaged and plan.nested) or self.fault == "remainder dropped" else 0
        count = UPDATES * plan.accumulate + left
        data = f"batches({count})" if plan.streams else f"list(batches({count}))"
        run = {"plain": [*self.setup(), *self.body()], "function": ["train(model, optimizer, data)"]}
        train = [f"data = {data}"] + ["mx.eval(data)"] * (not plan.streams)
        train += run.get(plan.style, ["Trainer(model, optimizer).fit(data)"])
        lines = ["model, optimizer = build()", *self.start(train), *train]
        if self.fault == "fork":
            lines += [
                f"child = os.fork(){self.at('fork')}",
                "if child == 0:",
                "    import signal",
                "    signal.alarm(1)  # else it may wait for ever",
                "    mx.eval(mx.ones((2,)) + 1)",
                "    os._exit(0)",
                "os.waitpid(child, 0)",
            ]
        if plan.style != "plain" and plan.evaluates == 1:
            lines = ["def main():", *indented(lines), "", "", 'if __name__ == "__main__":', "    main()"]
        held = ["HELD = next(batches(1))", "mx.eval(HELD)"] * plan.validates
        return "\n".join(["FOLDER = tempfile.TemporaryDirectory()", *held, *lines])

    def start(self, train: list[str]) -> list[str]:
        weights, state = '(f"{FOLDER.name}/weights.safetensors"', '(f"{FOLDER.name}/optimizer.safetensors"'
        if self.plan.start == "pretrained" and self.fault == "prefix dropped":
            renamed = '{f"model.{key}": one for key, one in tree_flatten(build()[0].parameters())}'
            loads = f"model.load_weights{weights}, strict=False){self.at(self.fault)}"
            return [f"mx.save_safetensors{weights}, {renamed})", loads]
        if self.plan.start == "pretrained":
            return [f"build()[0].save_weights{weights})", f"model.load_weights{weights})"]
        if self.plan.start == "resumed":
            lines = [*train, f"model.save_weights{weights})"]
            lines += [f"mx.save_safetensors{state}, dict(tree_flatten(optimizer.state)))", "model, optimizer = build()"]
            lines += [f"model.load_weights{weights}){self.at('optimizer state unread')}"]
            restored = [f"optimizer.state = tree_unflatten(list(mx.load{state}).items()))"]
            return lines + restored * (self.fault != "optimizer state unread")
        return []
