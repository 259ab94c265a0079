"""Measures the operators of a model on this machine and writes a profile bundle.

A bundle is what TokenSim's `profile` compute backend reads. The command is `tokensim-profile`:

    tokensim-profile measure --model llama3.1-8b --tp 1 --output bundles/my-gpu

`import-vidur` and `import-kernels` make bundles of what other tools measured.

Only `operators`, `kernels`, `attention`, `timing`'s CudaTimer and `serve.torch_executor` need
PyTorch; everything else (grids, shapes, bundles, the scheduler of `serve`) works without it.
"""

__version__ = "0.1.0"
