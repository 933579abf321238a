"""The results of evaluations, which the emulator makes up."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.cells import pending


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.filling import Turn
    from futureagi_async.emulator.rows import Call, EvalConfig, Execution
    from futureagi_async.emulator.world import World


_NO_TRANSCRIPT = "Call transcript is unavailable, so processing was skipped."


def evaluate(world: World, config: EvalConfig, call: Call) -> dict[str, Any]:
    """Return the stored result of one evaluation of one call."""
    scripted = world.scripted_cell(config, call)
    if scripted:
        return scripted
    if not _has_both_sides(call.transcript):
        return {
            "output": None,
            "output_type": None,
            "reason": _NO_TRANSCRIPT,
            "status": "skipped",
            "skipped": True,
            "name": config.name,
        }
    template = world.templates.get(config.template_id)
    fixed = config.on_run or (template and template.on_run)
    output_type = template.output_type if template else "Pass/Fail"
    result = fixed or synthetic_result(output_type, f"{call.id} {config.name}")
    return {**result, "name": config.name}


def _has_both_sides(transcript: Sequence[Turn] | None) -> bool:
    """Return whether somebody answered in a call, as far as its transcript is known."""
    if not transcript:
        return transcript is not None
    roles = {"user", "assistant"}
    for role, _ in transcript:
        roles.discard(role)
        if not roles:
            return True
    return False


def erase_results(executions: Sequence[Execution], config_ids: Sequence[str]) -> None:
    """Erase earlier results of the configs, before anything is run."""
    for execution in executions:
        for call in execution.live_calls():
            erased = {config_id: pending() for config_id in config_ids}
            call.eval_outputs = {**(call.eval_outputs or {}), **erased}


_CHOICES = ("positive", "neutral", "negative")

_PASS_RATE = 0.75
"""The share of synthetic results that pass."""


def synthetic_result(output_type: str, subject: str) -> dict[str, Any]:
    """Make up a stored result; it is always the same for the same subject."""
    share = hashlib.blake2b(subject.encode(), digest_size=1).digest()[0] / 255
    value: Any
    match output_type:
        case "score" | "numeric":
            value = round(share, 2)
        case "choices":
            value = _CHOICES[int(share * (len(_CHOICES) - 1))]
        case _:
            value = "Passed" if share < _PASS_RATE else "Failed"
    return {
        "output": value,
        "reason": "Made up by the emulator; the same call and name give the same.",
        # A number is a score; the service has no other type for its results.
        "output_type": "score" if output_type == "numeric" else output_type,
        "status": "Completed",
    }
