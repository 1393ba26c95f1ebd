"""Memory that a device reads, seen as a numpy array while the host holds it."""

from collections.abc import Sequence
from ctypes import byref, c_char, c_int64, c_uint64, c_void_p

import numpy as np

from orion.errors import UsageError
from orion.runtime.abi import library
from orion.runtime.device import Device
from orion.runtime.handle import Owned

# MIL's name, the number in orion_ane.h, numpy's type.
DTYPES = (
    ("fp16", 1, np.dtype(np.float16)),
    ("fp32", 2, np.dtype(np.float32)),
    ("int32", 3, np.dtype(np.int32)),
    ("int8", 4, np.dtype(np.int8)),
    ("uint8", 5, np.dtype(np.uint8)),
    ("int16", 6, np.dtype(np.int16)),
    ("uint16", 7, np.dtype(np.uint16)),
    ("bool", 8, np.dtype(np.bool_)),
)
NUMBERS = {name: number for name, number, _ in DTYPES}
NUMPY_TYPES = {name: numpy_type for name, _, numpy_type in DTYPES}


class Tensor(Owned):
    """Device memory of 0 to 5 axes, zero at first.

        with tensor as view:
            view[...] = values

    `view` is the memory itself, at the device's strides. After the block the device may use it:
    the view turns read-only, and what it shows then is no one's promise.
    """

    _noun = "tensor"

    def __init__(self, device: Device, shape: Sequence[int], dtype: str = "fp16") -> None:
        if dtype not in NUMBERS:
            raise UsageError(f"No tensor has the type {dtype!r}; there are {', '.join(NUMBERS)}.")
        self.shape = tuple(int(length) for length in shape)
        self.dtype = dtype
        created = c_uint64()
        library().orion_tensor_create(
            device.handle,
            NUMBERS[dtype],
            len(self.shape),
            (c_int64 * len(self.shape))(*self.shape),
            byref(created),
        )
        self._own(created.value, library().orion_tensor_free, owner=device)
        self._view: np.ndarray | None = None

    def __enter__(self) -> np.ndarray:
        if self._view is not None:
            raise UsageError("This tensor is already held by a `with` block; they do not nest.")
        address = c_void_p()
        strides = (c_int64 * len(self.shape))()
        library().orion_tensor_lock(self.handle, len(self.shape), byref(address), strides)
        kind = NUMPY_TYPES[self.dtype]
        span = strides[0] * self.shape[0] if self.shape else kind.itemsize
        memory = (c_char * span).from_address(address.value or 0)
        memory.tensor = self  # type: ignore[attr-defined]  # lives as long as any view of it
        self._view = np.ndarray(self.shape, kind, memoryview(memory), 0, tuple(strides))
        return self._view

    def __exit__(self, *_exception: object) -> None:
        if self._view is not None:
            self._view.flags.writeable = False
            self._view = None
            library().orion_tensor_unlock(self.handle)

    @property
    def view(self) -> np.ndarray:
        """The array of the `with` block that holds this tensor."""
        if self._view is None:
            raise UsageError("A tensor is seen inside a block only: `with tensor as view:`.")
        return self._view

    def __repr__(self) -> str:
        return f"<Tensor {self.dtype} {list(self.shape)}>"
