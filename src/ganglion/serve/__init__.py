"""A run over HTTP: its verbs as routes, answered by one thread that puts joined questions to the network at once.

A request goes through `guard` (who may ask), `application` (how much, how long), `asking` (what is asked, read and
checked on its own), `model_thread` (the network) and `answering` (what comes back).
"""
