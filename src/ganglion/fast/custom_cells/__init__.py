"""A user's own recurrent cell, followed once and compiled: from its equations to two kernels over all steps."""
