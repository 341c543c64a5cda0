"""Slices of a batch in the threads that torch computes with, started from within compiled code.

Calling a kernel from Python in each thread costs more than a small convolution: threads would hand Python's lock to
each other, and the arguments would be unpacked once for each. Here a kernel is called from Python once.
"""

import ctypes
from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ganglion.fast.compiled import Kernel
from ganglion.openmp import torch_runtime

_FUNCTIONS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")


@cache
def team() -> tuple[int, ...] | None:
    """Return the addresses of the functions that start torch's team of threads, number its threads and count them."""
    runtime = torch_runtime()
    if not all(hasattr(runtime, name) for name in _FUNCTIONS):
        return None
    return tuple(ctypes.cast(getattr(runtime, name), ctypes.c_void_p).value or 0 for name in _FUNCTIONS)


@intrinsic
def _in_team(context: Any, team: Any, kernel: Any, rows: Any, parts: Any, arguments: Any) -> Any:
    """Call kernel(first, last, part, *arguments) for every part of the rows, in the threads of the team."""
    number = types.intp
    kernel_signature = kernel.get_call_type(context, (number, number, number, *arguments), {})
    signature = types.void(team, kernel, number, number, arguments)

    def generate(context: Any, build: Any, _: Any, values: Any) -> Any:
        functions, _, rows, parts, packed = values
        result = kernel.dispatcher.get_compile_result(kernel_signature)
        context.add_linking_libs([result.library])
        pointer = ir.IntType(8).as_pointer()
        shared = [rows, parts, functions, packed]
        record = cgutils.alloca_once(build, ir.LiteralStructType([value.type for value in shared]))
        for place, value in enumerate(shared):
            build.store(value, cgutils.gep_inbounds(build, record, 0, place))
        body = _body(context, build.module, result, kernel_signature, record.type)
        kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, ir.IntType(32), ir.IntType(32)])
        start = build.inttoptr(build.extract_value(functions, 0), kind.as_pointer())
        count = build.trunc(parts, ir.IntType(32))
        build.call(start, [build.bitcast(body, pointer), build.bitcast(record, pointer), count, ir.IntType(32)(0)])
        return context.get_dummy_value()

    def _body(context: Any, module: Any, result: Any, signature: Any, record_kind: Any) -> Any:
        """Return what each thread runs: its share of the parts, which are all but always one."""
        pointer, index = ir.IntType(8).as_pointer(), ir.IntType(64)
        name = module.get_unique_name("team_member")
        body = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer]), name)
        body.linkage = "internal"
        build = ir.IRBuilder(body.append_basic_block("entry"))
        record = build.bitcast(body.args[0], record_kind)
        rows, parts, functions, packed = (
            build.load(cgutils.gep_inbounds(build, record, 0, place)) for place in range(4)
        )
        ask = ir.FunctionType(ir.IntType(32), []).as_pointer()
        member, members = (
            build.sext(build.call(build.inttoptr(build.extract_value(functions, place), ask), []), index)
            for place in (1, 2)
        )
        values = cgutils.unpack_tuple(build, packed)
        with cgutils.for_range_slice(build, member, parts, members) as (part, _):
            first = build.sdiv(build.mul(rows, part), parts)
            last = build.sdiv(build.mul(rows, build.add(part, index(1))), parts)
            context.call_internal_no_propagate(build, result.fndesc, signature, [first, last, part, *values])
        build.ret_void()
        return body

    return signature, generate


in_team: Kernel = _in_team
