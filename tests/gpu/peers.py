#!/usr/bin/env python3
"""The work of bench/native/cuda_rates.cc done by PyTorch, under the same names, as JSON: each as a CUDA graph of
many times it, as Gatun's are. Whole steps also eagerly and compiled, the fastest of which counts.

usage: peers.py FILE [FILTER]"""

import contextlib
import json
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F

DTYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def multiply_in(precision):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"


def measure(call):
    """Milliseconds of a call that waits for nothing."""
    call()
    torch.cuda.synchronize()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def graph_of(work, repeats):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            work()
    return graph


def time_work(work):
    once = measure(work)
    repeats = int(min(200, max(1, 10 / max(once, 1e-3))))
    return measure(graph_of(work, repeats).replay) / repeats


def memory_rows():
    count = 64 << 20
    x = torch.full((count,), 0.01, device="cuda")
    y, z = torch.empty_like(x), torch.full_like(x, 0.01)
    yield "copy 64M", "f32", lambda: y.copy_(x)
    yield "add 64M", "f32", lambda: torch.add(x, z, out=y)
    yield "gelu 64M", "f32", lambda: F.gelu(x)
    yield "dropout 64M", "f32", lambda: F.dropout(x, 0.5)
    rows = x.view(16384, 4096)
    yield "softmax 16384x4096", "f32", lambda: torch.softmax(rows, 1)
    wide = x.view(65536, 1024)
    gamma = torch.ones(1024, device="cuda")
    yield "layer norm 65536x1024", "f32", lambda: F.layer_norm(wide, (1024,), gamma, gamma)
    yield "sum 256M by rows", "f32", lambda: wide.sum(1)
    parameter = torch.nn.Parameter(z)
    parameter.grad = x.clone()
    adam = torch.optim.AdamW([parameter], fused=True, capturable=True)
    yield "adam 64M", "f32", adam.step


def matmul_rows():
    for precision, dtype in DTYPES.items():
        multiply_in(precision)
        for n in (1024, 2048, 4096, 8192):
            if precision == "f32" and n > 4096:
                continue
            a = torch.full((n, n), 0.01, device="cuda", dtype=dtype)
            b, y = a.clone(), torch.empty_like(a)
            for form, left, right in (("", a, b), (" a turned", a.t(), b), (" b turned", a, b.t())):
                yield f"matmul {n}{form}", precision, lambda l=left, r=right: torch.matmul(l, r, out=y)


CONVS = [
    ("conv 128x32x32x16-16 3x3", 128, 32, 16, 16, 3, 1, 1),
    ("conv 128x16x16x32-32 3x3", 128, 16, 32, 32, 3, 1, 1),
    ("conv 128x8x8x64-64 3x3", 128, 8, 64, 64, 3, 1, 1),
    ("conv 256x56x56x64-64 3x3", 256, 56, 64, 64, 3, 1, 1),
    ("conv 256x28x28x128-128 3x3", 256, 28, 128, 128, 3, 1, 1),
    ("conv 256x14x14x256-256 3x3", 256, 14, 256, 256, 3, 1, 1),
    ("conv 256x7x7x512-512 3x3", 256, 7, 512, 512, 3, 1, 1),
    ("conv 256x56x56x64-256 1x1", 256, 56, 64, 256, 1, 1, 1),
    ("conv 256x56x56x128-128 3x3 stride 2", 256, 56, 128, 128, 3, 2, 1),
    ("conv 256x224x224x3-64 7x7 stride 2", 256, 224, 3, 64, 7, 2, 1),
    ("conv 64x56x56x128-128 3x3 depthwise", 64, 56, 128, 128, 3, 1, 128),
]


def conv_rows():
    for precision, dtype in DTYPES.items():
        multiply_in(precision)
        for name, n, size, c, k, kernel, stride, groups in CONVS:
            options = {"device": "cuda", "dtype": dtype}
            last = {"memory_format": torch.channels_last}
            x = torch.full((n, c, size, size), 0.01, **options).to(**last)
            w = torch.full((k, c // groups, kernel, kernel), 0.01, **options).to(**last)
            pad = kernel // 2
            y = F.conv2d(x, w, None, stride, pad, 1, groups)
            dy = torch.full_like(y, 0.01)

            def backward(mask, x=x, w=w, dy=dy, stride=stride, pad=pad, groups=groups):
                return torch.ops.aten.convolution_backward(
                    dy, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups, mask)

            yield f"{name} forward", precision, (
                lambda x=x, w=w, s=stride, p=pad, g=groups: F.conv2d(x, w, None, s, p, 1, g))
            yield f"{name} data", precision, lambda b=backward: b([True, False, False])
            yield f"{name} weights", precision, lambda b=backward: b([False, True, False])


def recurrent_rows():
    # A layer's product of its input is part of PyTorch's; here it is small beside the recurrent one.
    for name, kind in (("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM)):
        layer = kind(1, 256).cuda()
        x = torch.full((64, 64, 1), 0.01, device="cuda")
        work = f"{name} 64 steps of 64 sequences, 256 units"

        def forward(layer=layer, x=x):
            with torch.no_grad():
                layer(x)

        def both(layer=layer, x=x):
            layer.zero_grad(set_to_none=True)
            layer(x)[0].sum().backward()

        yield f"{work} forward", "f32", forward
        yield f"{work} forward and backward", "f32", both


class Block(torch.nn.Module):
    """Of ResNet-20, with a shortcut without parameters."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(outputs) for _ in range(2))
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        y = self.norms[1](self.second(y))
        if self.added:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return F.relu(y + x)


def resnet20():
    layers = [torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16), torch.nn.ReLU()]
    width = 16
    for outputs in (16, 32, 64):
        for i in range(3):
            layers.append(Block(width, outputs, 2 if i == 0 and outputs > 16 else 1))
            width = outputs
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))


def dense(sizes):
    layers = []
    for i in range(len(sizes) - 1):
        layers += [torch.nn.Linear(sizes[i], sizes[i + 1])] + [torch.nn.ReLU()] * (i + 2 < len(sizes))
    return torch.nn.Sequential(*layers)


def step_modes(net, x):
    labels = torch.ones(len(x), dtype=torch.long, device="cuda")
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=1e-4, fused=True)

    def step(model):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()

    modes = {"eager": measure(lambda: step(net))}
    with contextlib.suppress(Exception):
        modes["graph"] = measure(graph_of(lambda: step(net), 1).replay)
    with contextlib.suppress(Exception):
        compiled = torch.compile(net)
        modes["compiled"] = measure(lambda: step(compiled))
        modes["compiled graph"] = measure(graph_of(lambda: step(compiled), 1).replay)
    return modes


def step_rows():
    for sizes, batch in (((784, 256, 10), 128), ((4096, 4096, 4096, 1000), 1024)):
        x = torch.full((batch, sizes[0]), 0.01, device="cuda")
        name = "-".join(map(str, sizes))
        yield f"step mlp {name} batch {batch}", "f32", step_modes(dense(sizes).cuda(), x)
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.full((128, 3, 32, 32), 0.01, device="cuda").to(memory_format=layout)
        modes = step_modes(resnet20().cuda().to(memory_format=layout), x)
        if layout is torch.contiguous_format:
            first = modes
        else:
            modes = first | {f"{mode}, channels last": millis for mode, millis in modes.items()}
    yield "step resnet20 batch 128", "f32", modes


def main():
    path, wanted = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    multiply_in("f32")
    torch.backends.cudnn.benchmark = True
    result = {"torch": torch.__version__, "device": torch.cuda.get_device_name(), "rows": []}
    for rows in (memory_rows, matmul_rows, conv_rows, recurrent_rows, step_rows):
        for work, precision, call in rows():
            if wanted not in f"{work} {precision}":
                continue
            row = {"work": work, "precision": precision}
            try:
                if isinstance(call, dict):
                    row["millis"], row["modes"] = min(call.values()), call
                else:
                    row["millis"] = time_work(call)
            except (RuntimeError, ValueError) as error:
                row["error"] = str(error).splitlines()[0]
            result["rows"].append(row)
            # What has been measured stays, should time run out, also while this is written.
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(result, file, indent=1)
            os.replace(path + ".new", path)


if __name__ == "__main__":
    main()
