"""JAX on the same cases, compiled by XLA.

    python jax_baseline.py --json jax.json               # on the GPU where there is one
    JAX_PLATFORMS=cpu python jax_baseline.py --filter heat
"""

import jax
import jax.numpy as jnp

import baseline


def attention(q, k, v):
    # JAX has the heads behind the sequence.
    q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
    with jax.default_matmul_precision("highest" if q.dtype == jnp.float32 else "default"):
        return jnp.swapaxes(jax.nn.dot_product_attention(q, k, v), 1, 2)


def conv2d(x, w):
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", precision="highest")


def heat(u, _):
    r, field = baseline.HEAT_RATIO, jnp.pad(u, ((0, 0), (0, 0), (1, 1), (1, 1)))
    around = field[..., :-2, 1:-1] + field[..., 2:, 1:-1] + field[..., 1:-1, :-2] + field[..., 1:-1, 2:]
    return (1 - 4 * r) * u + r * around


def matmul(a, b):
    # f32 is f32: TF32 would be another problem.
    return jnp.matmul(a, b, precision="highest" if a.dtype == jnp.float32 else None)


FUNCTIONS = {"matmul": matmul, "attention": attention, "conv2d": conv2d, "heat": heat}


def ways(case, operands):
    tensors = [jnp.asarray(operand) for operand in operands]
    function = jax.jit(FUNCTIONS[case["op"]])
    return [("jit", lambda: function(*tensors))], lambda result: result


def main():
    args = baseline.arguments(__doc__.splitlines()[0])
    device = jax.devices()[0] if args.device == "auto" else jax.devices(args.device)[0]

    def synchronize(results=None):
        jax.block_until_ready(results)

    settings = {"jax": jax.__version__, "precision": "highest for f32"}
    with jax.default_device(device):
        baseline.run(args, "jax", device.device_kind, settings, ways, synchronize)


if __name__ == "__main__":
    main()
