"""What is computed faster than torch computes it; `applies` says when. Layers and rules take it by themselves.

What holds for all of it:

- Which path is taken follows from the processor, kinds and shapes, never from numbers or a stopwatch.
- In a batch of one shape, nothing that comes out for a sample depends on the other samples. In batches of one, or of a
  multiple of 64 with one or two threads, it does not depend on the sample's place either: elsewhere torch computes the
  last few numbers of a tensor, or of a thread's share of it, without vectors, and rounds them differently.
- What an operation returns may be changed in place as a result of torch may. Its gradient is computed in the precision
  that it was written for, also within autocast. Whoever is told of every operation of torch (a counter) is told of
  those that it stands for.
"""
