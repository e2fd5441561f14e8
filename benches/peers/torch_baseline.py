"""PyTorch on the same cases: eager, and compiled.

    python torch_baseline.py --json torch.json            # on the GPU where there is one
    python torch_baseline.py --device cpu --filter heat
"""

import torch
import torch.nn.functional as functional

import baseline

DTYPES = {"f32": torch.float32, "f16": torch.float16}


def heat(u):
    """The step as slices of a padded field, for the compiler to fuse into one kernel."""
    r, field = baseline.HEAT_RATIO, functional.pad(u, (1, 1, 1, 1))
    centre = field[..., 1:-1, 1:-1]
    around = field[..., :-2, 1:-1] + field[..., 2:, 1:-1] + field[..., 1:-1, :-2] + field[..., 1:-1, 2:]
    return (1 - 4 * r) * centre + r * around


def ways(device):
    # What a graph adds to a call is no work of the case.
    mode = "max-autotune-no-cudagraphs" if device.type == "cuda" else "default"

    def compile(function):
        # For the extents of this case: a second extent would make the compiler write code for any, slower to tune and to run.
        return torch.compile(function, mode=mode, dynamic=False)

    def of_case(case, operands):
        torch.compiler.reset()
        tensors = [torch.from_numpy(operand).to(device) for operand in operands]
        op = case["op"]
        compiled = None
        if op == "matmul":
            function = torch.matmul
        elif op == "attention":
            function = functional.scaled_dot_product_attention
        else:
            # One convolution, the centre of its filter being 1 - 4 r: the best that PyTorch has without a compiler.
            def function(x, w):
                return functional.conv2d(x, w, padding=1)

            if op == "heat":
                step = compile(heat)

                def compiled(x, _):
                    return step(x)

        compiled = compiled or compile(function)
        named = [("eager", lambda: function(*tensors)), ("compile", lambda: compiled(*tensors))]
        return named, lambda result: result.float().cpu().numpy()

    return of_case


def main():
    args = baseline.arguments(__doc__.splitlines()[0])
    has_gpu = torch.cuda.is_available()
    device = torch.device(("cuda" if has_gpu else "cpu") if args.device == "auto" else args.device)
    # f32 is f32: TF32 would be another problem.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    is_cuda = device.type == "cuda"

    def synchronize(_=None):
        if is_cuda:
            torch.cuda.synchronize()

    name = torch.cuda.get_device_name(device) if is_cuda else f"CPU, {torch.get_num_threads()} threads"
    settings = {"torch": torch.__version__, "cuda": torch.version.cuda, "allow_tf32": False}
    with torch.inference_mode():
        baseline.run(args, "torch", name, settings, ways(device), synchronize)


if __name__ == "__main__":
    main()
