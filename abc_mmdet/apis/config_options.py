"""Overrides of a config on the command line."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from mmengine.config import DictAction

from abc_mmdet.errors import UserError


class ConfigOptions(DictAction):
    """MMEngine's ``DictAction`` with a message for what is not of its form.

    Raises:
        UserError: an option without ``=``, or with brackets and quotes that do not close.
    """

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: Any = None
    ) -> None:
        for value in values:
            key, equals, _ = value.partition('=')
            if not equals or not all(key.split('.')):
                raise UserError(
                    f'{option} {value!r} is not of the form key=value or key.subkey=value; lists '
                    'are written key="[a,b]", with quotes for the shell.'
                )
            try:
                super().__call__(parser, namespace, [value], option)
            except (AssertionError, ValueError, LookupError, RecursionError) as error:
                raise UserError(
                    f'{option} {value!r} cannot be read ({error or type(error).__name__}): do all '
                    'brackets and quotes close? Lists are written key="[a,b]".'
                ) from error
