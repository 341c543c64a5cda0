"""Tunes in ABC notation: their grammar, what it means as music, and files of them."""

from ganglion.data.formats.abc.keys import Key as Key
from ganglion.data.formats.abc.tunes import Bar as Bar
from ganglion.data.formats.abc.tunes import Note as Note
from ganglion.data.formats.abc.tunes import Tune as Tune
from ganglion.data.formats.abc.tunes import read_tune as read_tune
