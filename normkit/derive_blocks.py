r"""Derivations of norms of named arrays: the product rule, then the outer norm and every distinct block."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from normkit.derive import DESCENT, GRADIENT, VALUE, Derivation, Step
from normkit.formulas.blocks import BlockFormula, BlockMap, descent, one
from normkit.latex import latex
from normkit.norm import Blocks, Norm


class BlockDerivation(Derivation):
    """The derivation of a norm of named arrays; its formulas take mappings of small exact arrays.

    Examples
    --------
    >>> import normkit as nk
    >>> d = nk.derive(nk.Modular({"u": "linf", "v": "linf"}, outer="linf", scales={"v": 2}))
    >>> d.update({"u": [1, 2], "v": [4, 0]})["v"]
    Matrix([
    [-5/2],
    [   0]])
    """

    @cached_property
    def _blocks(self) -> Blocks:
        blocks = self.of.named_blocks()
        assert blocks is not None
        return blocks

    @cached_property
    def _parts(self) -> dict[Norm, Derivation]:
        return {norm: Derivation(norm) for _, norm in self._blocks[1]}

    @cached_property
    def _outer(self) -> Derivation:
        return Derivation(self._blocks[0])

    def _each(self, name: str) -> dict[str, Any]:
        return {block: getattr(self._parts[norm], name) for block, norm in self._blocks[1]}

    # --- formulas ------------------------------------------------------------------------------------------------

    @cached_property
    def norm(self) -> Any:
        """N as a function of W."""
        return BlockFormula(self._outer.norm, self._each("norm"))

    @cached_property
    def dual_norm(self) -> Any:
        """N* as a function of G."""
        return BlockFormula(self._outer.dual_norm, self._each("dual_norm"))

    @cached_property
    def dualize(self) -> Any:
        """The maximiser T of the sum of <G_l, T_l> over N(T) <= 1."""
        return BlockMap(self.dual_norm, self._outer.dualize, self._each("dualize"), one)

    @cached_property
    def update(self) -> Any:
        """The steepest-descent update -(N*(G) / sharpness) T."""
        return BlockMap(self.dual_norm, self._outer.dualize, self._each("dualize"), descent)

    # --- steps -----------------------------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The definition and the product rule, the outer norm, every distinct block, the map and the update."""
        found = [Step(VALUE.name, "", "", (f"N = {latex(self.of)}",)), self._rule()]
        found += list(self._of("the outer norm", self._outer))
        for norm, part in self._parts.items():
            held = [name for name, each in self._blocks[1] if each == norm]
            shown = ", ".join(held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
            found += list(self._of(f"block {shown}", part))
        return (*found, self._map(), Step(DESCENT.name, DESCENT.statement, DESCENT.source))

    def _rule(self) -> Step:
        theorem = self.of.theorem
        claims = (f"N^* = {latex(self.of.dual)}", "d_l = N_l^*(G_l)")
        return Step(theorem.name, theorem.statement, theorem.source, claims)

    @staticmethod
    def _of(what: str, part: Derivation) -> Iterator[Step]:
        """Yield the theorems of a part, its dual norm and its map; each says which part it speaks of."""
        for step in part.steps:
            if step.name != DESCENT.name:
                yield Step(f"{what}: {step.name}", step.statement, step.source, step.claims, step.formula, step.note)

    def _map(self) -> Step:
        claims = (r"T_l = c_l\,t_l(G_l)", r"c = t_\Phi(d)")
        return Step(GRADIENT.name, GRADIENT.statement, GRADIENT.source, claims)

    # --- presentation --------------------------------------------------------------------------------------------

    def known(self, name: str) -> None:
        """Return None: a formula of named arrays is no single statement; the steps show those of its parts."""

    def check(self, seed: int = 0) -> Any:
        """Test the formulas of the outer norm and of every distinct block; see `Derivation.check`."""
        checks = [part.check(seed) for part in (self._outer, *self._parts.values())]
        return max(checks, key=lambda made: max(made.unit or 0.0, made.tight, made.hoelder))

    def python(self) -> str:
        """Return the formulas as one Python module: functions of the outer norm and the parts, joined on dicts.

        ``norm(W)``, ``dual_norm(G)``, ``dualize(G)`` and ``update(G, sharpness)`` take dicts of nested lists, whose
        keys are the flat names (``a/b`` for nested ones).
        """
        from normkit.formulas.python_blocks import block_module

        outer, *parts = (
            {name: each.known(name) for name in ("norm", "dual_norm", "dualize")}
            for each in (self._outer, *self._parts.values())
        )
        places = list(self._parts)
        return block_module(str(self.of), outer, parts, {name: places.index(norm) for name, norm in self._blocks[1]})

    def _repr_latex_(self) -> str:
        return self.of._repr_latex_()
