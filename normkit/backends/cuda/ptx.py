"""How a PTX instruction becomes a function that numba.cuda kernels call; the only file that knows llvmlite.

One `intrinsic` around one piece of inline assembly. Every function made here carries ``simt_model``, the name and the
parameters of its model in `normkit.testing.simt`, by which the emulator runs the same kernel on the CPU. To move to
another compiler of kernels means to write this file again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from normkit.backends.cuda.language import cuda

types: Any = cuda.types
_F32, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)

REGISTERS: dict[str, tuple[Any, Any, str]] = {
    "f": (types.float32, _F32, "f"),
    "i": (types.int32, _I32, "r"),
    "r": (types.uint32, _I32, "r"),
    "l": (types.uint64, _I64, "l"),
    "h": (types.uint16, ir.IntType(16), "h"),
}
"""Letter of an operand: its type in numba, its type in LLVM, its constraint in the assembly."""


def _intrinsic(typer: Callable[..., Any], name: str, model: tuple[Any, ...]) -> Any:
    from numba.cuda.extending import intrinsic  # not beside `cuda`: the simulator has none

    typer.__name__ = name
    made: Any = intrinsic(typer)
    made.simt_model = model
    return made


def instruction(
    name: str,
    text: str,
    outs: str = "",
    ins: str = "",
    *,
    pure: bool = False,
    memory: bool = True,
    early: bool = False,
    model: tuple[Any, ...] = (),
) -> Any:
    """Return a function of a kernel that issues PTX text.

    Parameters
    ----------
    name : str
        What it is called in error messages, and its model in the emulator unless `model` says another.
    text : str
        The assembly; operands are ``$0, $1, ...``, outputs first. Labels and registers inside ``{ }`` are its own.
    outs, ins : str
        One letter of `REGISTERS` per operand. One output comes back as a value, several as a tuple.
    pure : bool
        The result depends on the operands alone: equal calls may be merged or dropped. Anything else is volatile and
        *convergent*: it may not be moved under other control flow, as ``.sync.aligned`` instructions and barriers
        require.
    memory : bool
        No access to memory moves across it.
    early : bool
        It writes outputs before it has read all inputs, so they may not share registers.
    model : tuple
        Name of the model in the emulator and its first arguments.
    """
    kinds, taken = [REGISTERS[letter] for letter in outs], [REGISTERS[letter] for letter in ins]
    constraints = [("=&" if early else "=") + kind[2] for kind in kinds] + [kind[2] for kind in taken]
    if memory and not pure:
        constraints.append("~{memory}")
    returned = ir.VoidType() if not kinds else kinds[0][1] if len(kinds) == 1 else _struct([kind[1] for kind in kinds])
    assembly = ir.FunctionType(returned, [kind[1] for kind in taken])
    result = types.void if not kinds else kinds[0][0] if len(kinds) == 1 else types.Tuple([kind[0] for kind in kinds])
    attributes = () if pure else ("convergent",)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        code = ir.InlineAsm(assembly, text, ",".join(constraints), side_effect=not pure)
        made = builder.call(code, list(values), attrs=attributes)
        if len(kinds) > 1:
            return context.make_tuple(builder, result, [builder.extract_value(made, i) for i in range(len(kinds))])
        return made if kinds else context.get_dummy_value()

    def typer(typing_context: Any, *operands: Any) -> Any:
        return result(*[kind[0] for kind in taken]), generate

    named = ["typing_context", *(f"operand{i}" for i in range(len(taken)))]  # numba wants a fixed list of arguments
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    typer.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in named])  # type: ignore[attr-defined]
    return _intrinsic(typer, name, model or (name,))


def _struct(kinds: list[Any]) -> Any:
    return ir.LiteralStructType(kinds)


def _shared_address(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the address, in the window of shared memory, of an element of a one-dimensional shared array."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        code = ir.InlineAsm(ir.FunctionType(_I64, [_I64]), "cvta.to.shared.u64 $0, $1;", "=l,l")
        place = builder.ptrtoint(builder.gep(data, [values[1]]), _I64)
        return builder.trunc(builder.call(code, [place]), _I32)

    return types.uint32(array, types.int64), generate


def _lead(typing_context: Any, condition: Any) -> Any:
    """Return the condition itself; in the emulator whether a lane of the group satisfies it.

    For sections that one elected lane runs: ``if lead(tid == 0):``.
    """
    return types.boolean(types.boolean), lambda context, builder, signature, values: values[0]


shared_address: Any = _intrinsic(_shared_address, "shared_address", ("shared_address",))
lead: Any = _intrinsic(_lead, "lead", ("lead",))


def warpgroup_product(columns: int, dtype: str) -> Any:
    """Return ``wgmma(acc, offset, a, b, keep)``: acc[offset:] = keep * acc[offset:] + A (64 x 16) @ B (columns x 16)^T.

    A and B lie in shared memory, given by descriptors. Every lane holds columns/2 accumulators in a
    ``cuda.local.array``: all are loaded, one instruction takes them as tied operands, all are stored. LLVM then keeps
    them in registers, as long as every index into the array is constant after unrolling. `keep` is 0 or 1.
    """
    held = columns // 2
    registers = ", ".join(f"${i}" for i in range(held))
    # LLVM numbers the outputs 0..held-1, the inputs tied to them held..2*held-1, then the rest.
    text = (
        f"{{ .reg .pred p; setp.ne.b32 p, ${2 * held + 2}, 0; "
        f"wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.{dtype}.{dtype} "
        f"{{{registers}}}, ${2 * held}, ${2 * held + 1}, p, 1, 1, 0, 0; }}"
    )
    constraints = ",".join(["=f"] * held + [str(i) for i in range(held)] + ["l", "l", "r"])
    assembly = ir.FunctionType(_struct([_F32] * held), [_F32] * held + [_I64, _I64, _I32])

    def typer(typing_context: Any, acc: Any, offset: Any, a: Any, b: Any, keep: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, values[0]).data
            base = builder.gep(data, [values[1]])
            places = [builder.gep(base, [ir.Constant(_I64, i)]) for i in range(held)]
            code = ir.InlineAsm(assembly, text, constraints, side_effect=True)
            operands = [builder.load(place) for place in places] + list(values[2:])
            made = builder.call(code, operands, attrs=("convergent",))
            for i, place in enumerate(places):
                builder.store(builder.extract_value(made, i), place)
            return context.get_dummy_value()

        return types.void(acc, types.int64, types.uint64, types.uint64, types.uint32), generate

    return _intrinsic(typer, "wgmma", ("wgmma", columns, dtype))
