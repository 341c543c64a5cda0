"""What goes on with a run that was killed, in a process that may be a fresh one."""

from ganglion.runs.session import Session, prepare_resume


def go_on(folder: str) -> None:
    """Train to the last step, without the report after it."""
    session = prepare_resume(folder)
    assert isinstance(session, Session)
    session.trainer.fit()
    session.files.unlock()
