"""What the kernels cost, against a budget, with no GPU at hand: registers, spills, stack, warnings, instructions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba_cuda", reason="the kernels need numba-cuda: pip install 'normkit[cuda]'")

from normkit.backends.cuda import aot, offline
from normkit.backends.cuda.kernels import gemm_f32, gemm_mma, symgemm_mma, symgemm_wgmma
from normkit.backends.cuda.kernels.interface import DeviceKernel
from normkit.codegen import cache
from normkit.errors import BackendError, MissingExtra
from normkit.testing import simt

for name in ("ptxas", "nvdisasm"):
    if offline.tool(name) is None:
        pytest.skip(f"{name} is not installed; pip install 'normkit[test]' brings it", allow_module_level=True)

BUDGET: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("budget.json").read_text())
KERNELS = {
    kernel.name: kernel
    for kernel in (
        *(symgemm_mma.KERNEL, gemm_mma.KERNEL, gemm_f32.GEMM, gemm_f32.SYMGEMM),
        *(symgemm_wgmma.kernel(128, 4), symgemm_wgmma.kernel(128, 6, turns=True), symgemm_wgmma.kernel(256, 4)),
    )
}


def excesses(made: offline.Assembly, budget: dict[str, Any]) -> list[str]:
    """What breaks a budget, in words; nothing if it is kept."""
    counts = offline.instructions(made.code)
    wrong = [*made.warnings]
    if made.registers > budget["registers"]:
        wrong.append(f"{made.registers} registers, at most {budget['registers']}")
    if made.spills or made.stack:
        wrong.append(f"{made.spills} bytes of spills, {made.stack} of stack")
    if made.ptx_version > offline.NEWEST_PTX:
        wrong.append(f"PTX {made.ptx_version}")
    wrong += [
        f"{name}: {counts.get(name, 0)} times, not {least} to {most}"
        for name, (least, most) in budget["instructions"].items()
        if not least <= counts.get(name, 0) <= most
    ]
    return wrong


def compiled(kernel: DeviceKernel, dtype: str, capability: tuple[int, int]) -> offline.Assembly:
    ptx = offline.compile_to("ptx", kernel, dtype, capability)
    return offline.assemble(ptx, offline.architecture(kernel, capability))


@pytest.mark.parametrize("case", sorted(BUDGET))
def test_a_kernel_keeps_its_budget(case: str) -> None:
    name, dtype, capability = case.split()
    made = compiled(KERNELS[name], dtype, (int(capability[3]), int(capability[4])))
    assert excesses(made, BUDGET[case]) == []


def test_every_kernel_has_a_budget() -> None:
    assert {case.split()[0] for case in BUDGET} == set(KERNELS)


def test_a_kernel_that_spills_is_seen() -> None:
    """Four blocks to a multiprocessor leave 64 registers, too few for 64 sums."""
    made = compiled(replace(symgemm_mma.KERNEL, blocks=4), "bfloat16", (8, 0))
    assert any("spills" in excess for excess in excesses(made, BUDGET["symgemm_mma bfloat16 sm_80"]))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("uint32(k > 0))\n", "uint32(k > 0))\n                    acc[0] = acc[0] * float32(2)\n"),
        ("                wait_0()\n", ""),
    ],
    ids=["changed", "stored"],
)
def test_sums_that_are_touched_too_early_are_seen(right: str, wrong: str) -> None:
    """ptxas waits for every wgmma then, or once more, and says so in a note alone (C75xx)."""
    with simt.planted(symgemm_wgmma, right, wrong) as module:
        made = compiled(module.kernel(128, 4), "bfloat16", (9, 0))
    assert any("C75" in excess for excess in excesses(made, BUDGET["symgemm_wgmma_128x4 bfloat16 sm_90"]))


def test_without_libnvvm_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.cuda.cudadrv import nvvm

    monkeypatch.setattr(nvvm, "_nvvm", None)
    with pytest.raises(MissingExtra, match="takes libnvvm: pip install"):
        offline.compile_to("ptx", gemm_f32.GEMM, "float32", (9, 0))


def test_a_wrong_instruction_is_refused() -> None:
    ptx = offline.compile_to("ptx", gemm_f32.GEMM, "float32", (9, 0)).replace("bar.sync", "bar.sink")
    with pytest.raises(BackendError, match="ptxas refuses"):
        offline.assemble(ptx, (9, 0))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NORMKIT_CACHE_DIR", str(tmp_path))
    cache.folder.cache_clear()
    aot.cubin.cache_clear()
    yield tmp_path
    cache.folder.cache_clear()
    aot.cubin.cache_clear()


def test_both_ways_to_a_cubin_keep_every_instruction() -> None:
    """PTX linked by nvJitLink would drop setmaxnreg; ptxas and LTO-IR do not."""
    kernel = symgemm_wgmma.kernel(128, 4)
    made = [way(kernel, "bfloat16", (9, 0)) for way in (aot.by_ptxas, aot.by_linker)]
    for cubin in made:
        assert aot.entry_of(cubin.code) == cubin.entry
        assert "symgemm_wgmma" in cubin.entry
        counts = offline.instructions(cubin.code)
        assert counts["USETMAXREG"] == 2
        assert counts["HGMMA"] % 4 == 0


def test_cubins_are_kept_and_damage_is_repaired(folder: Path) -> None:
    kernel = gemm_f32.GEMM
    made = aot.cubin(kernel, "float32", (7, 5))
    file = next(folder.rglob("*.cubin"))
    whole = file.read_bytes()
    assert whole.endswith(made.code)
    file.write_bytes(whole[:-1])
    aot.cubin.cache_clear()
    again = aot.cubin(kernel, "float32", (7, 5))
    assert len(again.code) == pytest.approx(len(made.code), abs=64)
    assert file.read_bytes().endswith(again.code)
    file.write_bytes(whole)
    aot.cubin.cache_clear()
    assert aot.cubin(kernel, "float32", (7, 5)) == made, "what is kept is not compiled again"


def test_a_kernel_of_another_architecture_is_refused() -> None:
    with pytest.raises(BackendError, match="needs sm_90a alone; the device is sm_100"):
        aot.cubin(symgemm_wgmma.kernel(), "bfloat16", (10, 0))
    with pytest.raises(BackendError, match="needs sm_80 or later; the device is sm_75"):
        aot.cubin(gemm_mma.KERNEL, "bfloat16", (7, 5))
