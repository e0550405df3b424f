"""The recurrence on a GPU: Triton kernels that run all of time in one launch, resets included.

They are the CUDA kernels of the operators in `rnn`, `lstm`, `gru` and `gru_before`. `plans` says
which sizes run how, `switch` whether they run at all, `launch` calls them; `forward` and `backward`
hold one skeleton each, `pointwise` what the cells do in it. Only `launch` and what stands above it
import Triton, and only once a tensor on a GPU has come.
"""
