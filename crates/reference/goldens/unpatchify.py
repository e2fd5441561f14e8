"""Writes unpatchify.safetensors: tokens put together by the einsum of the published DiT, nhwpqc -> nchpwq.

python unpatchify.py   (needs numpy, safetensors)
"""

import numpy as np
from safetensors.numpy import save_file

x = np.arange(2 * 6 * 12, dtype=np.float32).reshape(2, 6, 12)
pictures = np.einsum("nhwpqc->nchpwq", x.reshape(2, 2, 3, 2, 2, 3)).reshape(2, 3, 4, 6)
save_file({"x": x, "out": np.ascontiguousarray(pictures)}, "unpatchify.safetensors")
