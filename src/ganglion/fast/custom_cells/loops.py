"""The operations of a step written as loops that a compiler can make fast.

A step becomes stages: products of all rows with a packed weight, and between them loops over rows and units. Operations
on the same units share a loop, so that what is used there alone never leaves the registers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import fx

from ganglion.fast.custom_cells.operations import FILLED, POINTWISE, REDUCTIONS, SAME, Node, Place, aten, located, width


@dataclass
class _Item:
    """One line of a loop: a value, or something written to a place, or added to a sum, or a sum over units."""

    width: int
    arguments: list[Any]
    text: str
    value: Node | None = None
    target: str = ""
    adds: bool = False


@dataclass
class _Loop:
    width: int
    items: list[_Item] = field(default_factory=list)
    reduction: str = ""
    """First value of a sum over units, whose only item says how it goes on."""


@dataclass
class _Product:
    left: Node
    pack: int
    start: Node | None
    out: Node


class Writer:
    """Writes what one kernel does in one step.

    Args:
        places: where values lie that need not be computed.
        vectors: names of what is the same in every row.
        weights: second factors of products.
        packs: packed weights, by number and whether they are transposed; new ones are added.
        stores: what must be left where.
        totals: values that are summed over steps and rows, and the names of their sums.
    """

    def __init__(
        self,
        places: dict[Node, Place],
        vectors: dict[Node, str],
        weights: list[Node],
        packs: list[tuple[int, bool]],
        stores: list[tuple[Node, Place]],
        totals: list[tuple[Node, str]],
    ) -> None:
        self.given, self.vectors, self.weights, self.packs = places, vectors, weights, packs
        self.places = dict(places)
        self.stages: list[list[_Loop] | _Product] = [[]]
        self.scratch: dict[str, int] = {}
        self.constants: dict[str, float] = {}
        self._position: dict[Node, tuple[int, int]] = {}
        self._lies: set[Node] = set()
        order = self._order([node for node, _ in (*stores, *totals)])
        self._sums = self._sums_with_products(order)
        for node, place in stores:
            if node in order and node not in self.places and located(node)[0] is node:
                self.places[node] = place
        for node in order:
            self._plan(node)
        for node, place in stores:
            if self.places.get(node) is place:
                self._lies.add(node)
            else:
                self._add(_Item(width(node), [node], "{0}", target=place[0]))
        for node, name in totals:
            self._add(_Item(width(node), [node], "{0}", target=name, adds=True))

    def _order(self, wanted: Iterable[Node]) -> list[Node]:
        """Return what must be computed, each after what it needs."""
        found: dict[Node, None] = {}

        def visit(node: Node) -> None:
            node = located(node)[0]
            if node in found or node in self.given or node in self.vectors:
                return
            for argument in self._read_by(node):
                if argument.target is not aten.scalar_tensor.default:
                    visit(argument)
            found[node] = None

        for node in wanted:
            visit(node)
        return list(found)

    def _read_by(self, node: Node) -> list[Node]:
        if node.target is aten.mm.default:
            return [node.args[0]]
        return [] if node.target in FILLED else node.all_input_nodes

    def _sums_with_products(self, order: list[Node]) -> dict[Node, tuple[Node, Node]]:
        """Return the sums that a product can start from, which costs nothing, with the product and the other part."""
        found = {}
        for node in order:
            if node.target is not aten.add.Tensor or node.kwargs:
                continue
            for product, other in (node.args, node.args[::-1]):
                if not isinstance(product, fx.Node) or product.target is not aten.mm.default:
                    continue
                inner = [user for user in product.users if user in order]
                if inner == [node] and other in self.given and width(other) == width(node) and product in order:
                    found[node] = (product, other)
                    break
        return found

    def _plan(self, node: Node) -> None:
        if any(node is product for product, _ in self._sums.values()):
            return
        if node in self._sums:
            self._plan_product(self._sums[node][0], self._sums[node][1], node)
        elif node.target is aten.mm.default:
            self._plan_product(node, None, node)
        elif node.target is aten.cat.default:
            if node.args[1:] not in ((1,), (-1,)):
                raise NotImplementedError("rows put below each other")
            self._plan_pieces(node, list(node.args[0]))
        elif node.target is aten.slice_backward.default:
            slope, shape, axis, first, _, gap = node.args
            if axis not in (1, -1) or gap != 1:
                raise NotImplementedError("a slice of the batch, or with gaps")
            rest = shape[1] - first - width(slope)
            self._plan_pieces(node, [first, slope, rest])
        elif node.target in REDUCTIONS:
            self._plan_reduction(node)
        elif node.target in FILLED:
            self._add(_Item(width(node), [], FILLED[node.target], value=node))
        else:
            self._plan_pointwise(node)

    def _plan_pointwise(self, node: Node) -> None:
        if node.target not in POINTWISE or set(node.kwargs) - {"alpha"}:
            raise NotImplementedError(f"no written form of {node.target}")
        text, arguments = POINTWISE[node.target], list(node.args)
        if node.target is aten.clamp.default:
            low, high = (*arguments[1:], None)[:2]
            text, arguments = _clamped(low, high), [arguments[0], *(end for end in (low, high) if end is not None)]
        if node.target is aten.pow.Tensor_Scalar and node.args[1] in (2, 3):
            text = " * ".join(["{0}"] * int(node.args[1]))
        if "alpha" in node.kwargs:
            text = text.replace("{1}", f"{self._constant(node.kwargs['alpha'])} * {{1}}")
        self._add(_Item(width(node), arguments, text, value=node))

    def _plan_product(self, node: Node, start: Node | None, out: Node) -> None:
        left, weight = node.args
        assert isinstance(left, fx.Node) and isinstance(weight, fx.Node)
        transposed = weight.target is aten.t.default
        weight = weight.args[0] if transposed else weight
        if weight not in self.weights:
            raise NotImplementedError("a product of two values that change from step to step")
        pack = (self.weights.index(weight), transposed)
        if pack not in self.packs:
            self.packs.append(pack)
        base, offset = located(left)
        if offset or width(base) != width(left) or base in self.vectors:
            self.places[left] = self._new_place(left)
            self._add(_Item(width(left), [left], "{0}", target=self.places[left][0]))
        else:
            left = base
            self._lies.add(base)
        self.stages += [_Product(left, self.packs.index(pack), start, out), []]
        self._position[out] = (len(self.stages) - 2, 0)
        self._lies.add(out)

    def _plan_pieces(self, node: Node, pieces: list[Any]) -> None:
        """Write values, or so many zeros, beside each other."""
        row = self._place(node)[0]
        first, last = 0, (0, 0)
        for piece in pieces:
            count = piece if isinstance(piece, int) else width(piece)
            if count:
                item = _Item(count, [0.0 if isinstance(piece, int) else piece], "{0}", target=_part(row, first, count))
                last = max(last, self._add(item))
            first += count
        self._position[node] = last
        self._lies.add(node)

    def _plan_reduction(self, node: Node) -> None:
        source, axes, *keep = node.args
        if list(axes) not in ([1], [-1]) or keep != [True] or node.kwargs:
            raise NotImplementedError("a sum over the batch")
        start, text = REDUCTIONS[node.target]
        item = _Item(width(source), [source], text, target=self._place(node)[0])
        self._position[node] = self._add(item, reduction=start)
        self._lies.add(node)

    def _add(self, item: _Item, reduction: str = "") -> tuple[int, int]:
        """Put an item into the first loop of its width that what it reads allows."""
        stage, earliest = 0, 0
        for argument in item.arguments:
            if isinstance(argument, fx.Node) and argument.meta["val"].dim():
                stage, earliest = max((stage, earliest), self._after(argument, item))
        loops = self.stages[stage]
        assert isinstance(loops, list)
        for number in range(earliest, len(loops)):
            if loops[number].width == item.width and not loops[number].reduction and not reduction:
                break
        else:
            number = len(loops)
            loops.append(_Loop(item.width, reduction=reduction))
        loops[number].items.append(item)
        for argument in item.arguments:
            is_row = isinstance(argument, fx.Node) and argument.meta["val"].dim()
            base = located(argument)[0] if is_row else None
            if base in self._position and (
                self._position[base] != (stage, number) or not _is_whole(argument, item.width)
            ):
                self._lies.add(base)
        if item.value is not None:
            self._position[item.value] = (stage, number)
        return stage, number

    def _after(self, argument: Node, item: _Item) -> tuple[int, int]:
        base = located(argument)[0]
        if base not in self._position:
            return 0, 0
        stage, number = self._position[base]
        loops = self.stages[stage]
        if isinstance(loops, _Product):
            return stage + 1, 0
        is_value = any(one.value is base for one in loops[number].items)
        return stage, number if is_value and _is_whole(argument, item.width) else number + 1

    def _place(self, node: Node) -> Place:
        if node not in self.places:
            self.places[node] = self._new_place(node)
        return self.places[node]

    def _new_place(self, node: Node) -> Place:
        name = f"scratch{len(self.scratch)}"
        self.scratch[name] = width(node)
        return f"{name}[row - first]", name

    def _constant(self, value: Any) -> str:
        if not isinstance(value, int | float):
            raise NotImplementedError(f"a constant {value!r}")
        for name, known in self.constants.items():
            if known == value:
                return name
        name = f"constant{len(self.constants)}"
        self.constants[name] = float(value)
        return name

    def text(self, indent: int) -> str:
        """Return the lines of one step."""
        lines: list[str] = []
        for stage in self.stages:
            if isinstance(stage, _Product):
                start = self.places[stage.start][1] if stage.start is not None else self._zeros(width(stage.out))
                left, out = self.places[stage.left][1], self._place(stage.out)[1]
                lines.append(f"product({left}, pack{stage.pack}, {start}, {out})")
            elif stage:
                lines += ["for row in range(first, last):", *("    " + line for line in self._rows(stage))]
        return "".join(" " * indent + line + "\n" for line in lines)

    def _zeros(self, units: int) -> str:
        self.scratch[f"zeros{units}"] = units
        return f"zeros{units}"

    def _rows(self, loops: list[_Loop]) -> list[str]:
        views: dict[str, str] = {}
        body: list[str] = []

        def view(text: str) -> str:
            return views.setdefault(text, f"row{len(views)}")

        for loop in loops:
            local: dict[Node, str] = {}
            if loop.reduction:
                (item,) = loop.items
                (source,) = self._texts(item, local, view)
                body += [f"total = {loop.reduction}", f"for unit in range({loop.width}):"]
                body += [f"    total = {item.text.format('total', source)}", f"{view(item.target)}[0] = total"]
                continue
            body.append(f"for unit in range({loop.width}):")
            for item in loop.items:
                text = item.text.format(*self._texts(item, local, view))
                if item.value is None:
                    body.append(f"    {view(item.target)}[unit] {'+=' if item.adds else '='} {text}")
                    continue
                local[item.value] = f"value{len(local)}"
                body.append(f"    {local[item.value]} = {text}")
                if item.value in self._lies:
                    body.append(f"    {view(self._place(item.value)[0])}[unit] = {local[item.value]}")
        return [f"{name} = {text}" for text, name in views.items()] + body

    def _texts(self, item: _Item, local: dict[Node, str], view: Any) -> list[str]:
        texts = []
        for argument in item.arguments:
            if not isinstance(argument, fx.Node) or not argument.meta["val"].dim():
                value = argument.args[0] if isinstance(argument, fx.Node) else argument
                texts.append(self._constant(value))
                continue
            base, offset = located(argument)
            if base in local and _is_whole(argument, item.width):
                texts.append(local[base])
                continue
            units = _units(argument)
            index = "unit" if units == item.width else "0"
            row = self.vectors[base] if base in self.vectors else self._place(base)[0]
            texts.append(f"{view(_part(row, offset, units, width(base)))}[{index}]")
        return texts


def _units(argument: Node) -> int:
    """Return the different units that an argument shows: of one that was spread over many, one."""
    units = width(argument)
    while argument.target in (aten.slice.Tensor, *SAME):
        argument = argument.args[0]
        units = 1 if width(argument) == 1 else units
    return units


def _is_whole(argument: Node, units: int) -> bool:
    """Return whether an argument is read unit by unit as it was computed."""
    base, offset = located(argument)
    return offset == 0 and width(base) == width(argument) == _units(argument) == units


def _clamped(low: Any, high: Any) -> str:
    text = "{0}" if low is None else "max({0}, {1})"
    return text if high is None else f"min({text}, {{{1 if low is None else 2}}})"


def _part(row: str, first: int, count: int, whole: int | None = None) -> str:
    return row if first == 0 and count == whole else f"{row}[{first}:{first + count}]"
