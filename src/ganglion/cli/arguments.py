"""Parameters that many commands share."""

from typing import Annotated

import tyro

Switch = tyro.conf.FlagCreatePairsOff[bool]
Folder = tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="DIR")]]
Name = tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="NAME")]]
Inputs = tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="INPUT")]]
Folders = tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="DIR")]]
