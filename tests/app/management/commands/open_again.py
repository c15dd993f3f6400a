"""A command that is written elsewhere."""

from tests.app.management.commands.open_things import Command as Command
