"""`inspect gan`: how an adversarial run is, and what its samples are worth."""

from ganglion.cli.arguments import Folder, Switch
from ganglion.cli.output import answer


def gan(folder: Folder, *, json: Switch = False) -> None:
    """Say whether a GAN is healthy: what was seen while it trained, what helps, and how good its samples are.

    Args:
        folder: Folder of the run; its data must still be where it was.
        json: Print one JSON object.
    """
    from ganglion.runs.doctor import check_up
    from ganglion.runs.run import open_run

    found = check_up(open_run(folder))
    answer(found.to_dict(), json, lambda: print(found))
