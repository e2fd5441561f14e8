"""Writes timestep.safetensors: the embedding of diffusers' Timesteps(flip_sin_to_cos=True, downscale_freq_shift=1).

Written from its documentation, in numpy and f64.

python timestep.py   (needs numpy, safetensors)
"""

import numpy as np
from safetensors.numpy import save_file

t = np.array([0.0, 1.0, 0.5, 17.25, 999.0])
tensors = {"t": t}
for channels in (4, 7, 64):
    half = channels // 2
    frequency = np.exp(-np.log(10000.0) * np.arange(half) / (half - 1))
    angle = t[:, None] * frequency[None]
    embedding = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    tensors[f"embedding_{channels}"] = np.pad(embedding, ((0, 0), (0, channels - 2 * half)))
save_file(tensors, "timestep.safetensors")
