"""Functions of one number, sampled: some by name, and any that can be written down, such as `y = sin(6 * x) / x`."""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.errors import ConfigurationError

Function = Callable[[np.ndarray], np.ndarray]
SAMPLES = 1000
LONGEST = 500
"""Characters of a formula."""

BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
NAMED: dict[str, Function] = {
    name: getattr(np, name)
    for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "abs", "sign", "floor", "ceil", "tanh", "arctan")
}
CONSTANTS = {"pi": math.pi, "e": math.e}
DOMAIN = re.compile(r",\s*x\s*=\s*(?P<low>[-+.\de]+)\s*\.\.\s*(?P<high>[-+.\de]+)\s*$")


def steps(x: np.ndarray) -> np.ndarray:
    """Four flights of stairs up and one down, (points,), for x in [-1, 1]."""
    return np.select([x < -0.6, x < -0.2, x < 0.2, x < 0.6], [0.0, 0.5, 1.5, 2.0], 1.0)


def sawtooth(x: np.ndarray) -> np.ndarray:
    """Three teeth that rise from -1 to 1 and fall at once, (points,), for x in [-1, 1]."""
    return 2 * ((1.5 * (x + 1)) % 1) - 1


def sine_wave(x: np.ndarray) -> np.ndarray:
    """Two periods of a sine, (points,), for x in [-1, 1]."""
    return np.sin(2 * np.pi * x)


def mexican_hat(x: np.ndarray) -> np.ndarray:
    """(1 - z^2) exp(-z^2 / 2) for z = 5 x, (points,), the second derivative of a Gaussian upside down."""
    return (1 - (5 * x) ** 2) * np.exp(-((5 * x) ** 2) / 2)


def samples_of(function: Function, low: float = -1.0, high: float = 1.0) -> Callable[..., Dataset]:
    """Return a generator of samples of a function, of x drawn evenly from [low, high]."""

    def generated(random: np.random.Generator, count: int | None) -> Dataset:
        x = random.uniform(low, high, count or SAMPLES)
        return Dataset.of(
            name="",
            kind="tabular",
            inputs=x[:, None],
            targets=function(x)[:, None].astype(np.float32),
            column_names=("x",),
            target_names=("y",),
        )

    return generated


def is_formula(source: str) -> bool:
    """Whether a name of data is a formula.

    >>> is_formula("y = x**2"), is_formula("y.csv")
    (True, False)
    """
    return re.match(r"\s*y\s*=", source) is not None


def of_formula(source: str) -> Callable[..., Dataset]:
    """Return a generator of samples of a formula such as `y = sin(3 * x), x = -2..2`; x is from -1 to 1 when not said.

    Numbers, x, pi, e, + - * / % **, brackets and sin, cos, tan, exp, log, sqrt, abs, sign, floor, ceil, tanh, arctan.

    Raises:
        ConfigurationError: it is no such formula, or has no value somewhere between the ends.

    >>> of_formula("y = 2 * x")(np.random.default_rng(0), 3).inputs.shape
    (3, 1)
    """
    if len(source) > LONGEST:
        raise _refused(source[:40] + "...", f"{len(source)} characters", f"at most {LONGEST}")
    domain = DOMAIN.search(source)
    low, high = (_end(source, domain[name]) for name in ("low", "high")) if domain else (-1.0, 1.0)
    if not low < high:
        raise _refused(source, f"x = {low:g}..{high:g}", "a smaller end first")
    body = source[source.index("=") + 1 : domain.start() if domain else None].replace("^", "**").strip()
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(source, repr(body), "a formula of x") from None
    function = _function(source, tree)
    return samples_of(lambda x: _finite(source, x, function(x)), low, high)


def _function(source: str, tree: ast.expr) -> Function:
    """Return the function that a parsed formula is; nothing but what is listed above is ever called."""

    def value(node: ast.expr, x: np.ndarray) -> Any:
        match node:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                raise _refused(source, ast.unparse(node), "a number")
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id="x"):
                return x
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in BINARY:
                return BINARY[type(operation)](value(left, x), value(right, x))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in UNARY:
                return UNARY[type(sign)](value(operand, x))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in NAMED:
                return NAMED[name](value(argument, x))
            case _:
                raise _refused(source, ast.unparse(node), f"numbers, x, pi, e, + - * / % ** and {', '.join(NAMED)}")

    def function(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            try:
                return np.broadcast_to(np.asarray(value(tree, x), dtype=float), x.shape)
            except (OverflowError, ZeroDivisionError, RecursionError, TypeError):
                raise _refused(source, "no number", "a value for every x") from None

    return function


def _finite(source: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if not np.isfinite(y).all():
        at = float(x[~np.isfinite(y)][0])
        raise _refused(source, f"no value at x = {at:.4g}", "a value for every x", "say where: y = log(x), x = 0.1..2")
    return y


def _end(source: str, written: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise _refused(source, f"x = {written}", "two numbers, as in x = -2..2") from None


def _refused(source: str, found: str, expected: str, remedy: str = "") -> ConfigurationError:
    return ConfigurationError(
        "this formula cannot be taken", where=source, expected=expected, found=found, remedy=remedy or "y = sin(3 * x)"
    )


FUNCTIONS = {
    "steps": samples_of(steps),
    "sawtooth": samples_of(sawtooth),
    "sine-wave": samples_of(sine_wave),
    "mexican-hat": samples_of(mexican_hat),
}
