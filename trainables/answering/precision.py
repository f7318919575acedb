"""How precisely answers are computed."""

import torch

# What each of the command's words may become.
PRECISIONS = {
    "auto": ("float32", "bfloat16"), "fp32": ("float32",), "bf16": ("bfloat16",),
}  # fmt: skip


def precision_of(word: str, device: torch.device) -> torch.dtype | None:
    """The type of "auto", "fp32" or "bf16" on a device; None = float32."""
    if word == "auto":
        return fast_precision(device)
    return torch.bfloat16 if word == "bf16" else None


def fast_precision(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the device computes in it natively, float32 (None) elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    capabilities = torch.cpu.get_capabilities()
    return (
        torch.bfloat16 if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else None
    )


def name_of(precision: torch.dtype | None) -> str:
    """Of a type, as answers say it: "float32"."""
    return str(precision or torch.float32).removeprefix("torch.")
