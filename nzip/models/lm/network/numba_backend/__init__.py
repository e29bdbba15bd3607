"""The model of `exact` without torch: int8 products with the CPU's dot-product instructions, on threads.

A row is one token of one stream. `step` feeds one row a stream; `prefill` feeds many rows of one stream at once, which
an encoder may do because it knows them. Both run the same kernel, so they give the same integers; how rows are
grouped, and which thread takes which piece of work, is visible in no result, because every sum is a sum of integers.

How it works:
* Weights lie in blocks of 16 outputs by 4 inputs, one vector register, as unsigned bytes (weight + 128); a row's four
  inputs are spread over the register. The product is corrected by 128 times the row's sum. Keys lie the same way: a
  register has 16 tokens by 4 channels.
* One call of the kernel runs on every thread at once. Threads take pieces of a phase from a shared counter and wait for
  each other between phases.
* A ring holds a stream's window, and its first tokens stand before the ring. Order means nothing to integer sums.

Tables are arguments and never globals, which would become part of the machine code.
"""
