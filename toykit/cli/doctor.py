"""`toykit doctor` among the other commands, for their help; `toykit.cli.main` runs it without this."""

import rich_click as click

from .. import doctor as machine


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def doctor(options):
    """Check this machine, and say what to do."""
    return machine.main(options)
