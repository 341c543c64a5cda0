"""One run in several processes, which `torchrun` starts: joining them, agreeing, and who writes."""

from ganglion.training.processes.agreement import first as first
from ganglion.training.processes.agreement import judged as judged
from ganglion.training.processes.agreement import refuse_alone as refuse_alone
from ganglion.training.processes.agreement import require_alike as require_alike
from ganglion.training.processes.agreement import stopped_by as stopped_by
from ganglion.training.processes.joining import team_of as team_of
