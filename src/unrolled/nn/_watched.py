"""Whether a module does more than its class says."""

from torch import nn
from torch.nn.modules.module import _has_any_global_hook


def is_watched(module: nn.Module) -> bool:
    """Whether calling a module runs something of somebody's own: a hook, or a method put on it.

    Args:
        module: asked alone, without its children.
    """
    everywhere = _has_any_global_hook()  # type: ignore[no-untyped-call]
    if module._forward_hooks or module._forward_pre_hooks or everywhere:
        return True
    return any(callable(getattr(type(module), name, None)) for name in vars(module))
