"""Turns the mistakes of a user into one message and exit code 2."""

import errno
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from abc_mmdet.checkpoints.loading import weights_only
from abc_mmdet.commands import in_words_of_the_command
from abc_mmdet.errors import UserError
from abc_mmdet.utils.imports import imports_are_done
from abc_mmdet.utils.processes import has_lost_another, is_first_to_say, wait_to_be_ended

# What MMEngine and MMDetection raise for a wrong config: unknown types (KeyError), unknown or
# missing fields (TypeError), values that are refused (ValueError, AssertionError), and files.
CONFIG_MISTAKES = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    ImportError,
    OSError,
    SyntaxError,
    NameError,
    RuntimeError,
    OverflowError,
)

# Of a disk that is full or read-only, which no config can help
PLACES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# What mmcv and OpenCV say of images that are damaged or too large, in exceptions of any kind
UNREADABLE = ('failed to load image: ', 'CV_IO_MAX_IMAGE')

# What PyTorch says of a process of a data loader that is gone
LOST_LOADER = 'DataLoader worker (pid'


@contextmanager
def user_messages() -> Iterator[None]:
    """The outermost block of a tool: :class:`UserError` is printed and exits with code 2.

    In a distributed run the processes that meet the same mistake print it once, and those that
    only lose their connection to one that failed say no more than that.

    Checkpoints that are read inside run no code (:mod:`abc_mmdet.checkpoints.loading`).
    """
    imports_are_done()
    try:
        with weights_only(), _hang_ups_unsaid():
            yield
    except UserError as error:
        sys.stdout.flush()
        # A data loader's worker puts its traceback before the message
        text = str(error)
        if 'Original Traceback' in text and 'UserError: ' in text:
            text = text.rpartition('UserError: ')[2].rstrip()
        _say(f'error: {text}')
        raise SystemExit(2) from None
    except OverflowError as error:
        _say(f'error: A number is too large to be computed with: {error}.')
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _say(f'error: {str(error.filename)[:100]}...: {error.strerror}.')
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        _say('interrupted')
        raise SystemExit(130) from None
    except RuntimeError as error:
        if not has_lost_another(error):
            raise
        wait_to_be_ended()
        _say(
            'error: The connection to another process of this run was lost: it has ended, or the '
            f'network has failed.\n  {_text(error).strip().splitlines()[-1]}'
        )
        raise SystemExit(1) from None


@contextmanager
def _hang_ups_unsaid() -> Iterator[None]:
    """Workers that are forked inside do not say that the process they serve has hung up.

    Of a worker that is handing a tensor over when its run is interrupted, Python's resource sharer
    would print the traceback.
    """
    usual = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        is_worker = multiprocessing.parent_process() is not None
        if not (is_worker and issubclass(kind, (EOFError, ConnectionError))):
            usual(kind, error, trace)

    sys.excepthook = hook
    try:
        yield
    finally:
        sys.excepthook = usual


def _say(text: str) -> None:
    if is_first_to_say(text):
        print(f'\n{in_words_of_the_command(text)}', file=sys.stderr, flush=True)


@contextmanager
def config_mistakes(config: str) -> Iterator[None]:
    """While something is built from a config: whatever is refused becomes a :class:`UserError`.

    The message holds the type and text of the original exception, which stays attached as cause.
    """
    try:
        yield
    except UserError:
        raise
    except CONFIG_MISTAKES as error:
        if has_lost_another(error):
            raise
        if isinstance(error, OSError) and error.errno in PLACES:
            raise UserError(
                f'{error.filename or "A file"} cannot be written: {error.strerror}. Make room '
                'there, or give another folder: --work-dir DIR.'
            ) from error
        raise UserError(
            f'{config} does not describe something that can be built.\n'
            f'  {type(error).__name__}: {_text(error)}\n'
            'Look for that name or value in the config, its _base_ files and --cfg-options.'
        ) from error


@contextmanager
def file_mistakes() -> Iterator[None]:
    """While a run reads data: a file that is missing or unreadable becomes a :class:`UserError`.

    So does an image that cannot be decoded, and a loader process that was killed; other exceptions
    stay what they are.
    """
    try:
        yield
    except OSError as error:
        # A data loader's worker puts the whole traceback into the text; its last line says it.
        last_line = _text(error).strip().splitlines()[-1]
        raise UserError(
            f'A file could not be read or written.\n  {last_line}\n'
            'Check that it exists, is readable and that the disk is not full; image names come '
            'from the annotation file and data_prefix of the data set.'
        ) from error
    except Exception as error:
        lines = _text(error).splitlines()
        lost = [line for line in lines if LOST_LOADER in line]
        if lost:
            raise UserError(
                f'A process that loads data has ended.\n  {lost[0].strip()}\n'
                'Something has killed it, as the system does when memory runs out: lower '
                'num_workers or batch_size of the data loader (a training goes on with --resume).'
            ) from error
        found = [line for line in lines if any(t in line for t in UNREADABLE)]
        if not found:
            raise
        raise UserError(
            f'An image could not be read.\n  {found[-1].strip()}\n'
            'tools/analysis_tools/check_dataset.py CONFIG looks at all images, and names those '
            'that are damaged or too large.'
        ) from error


def _text(error: BaseException) -> str:
    # str(KeyError('text')) is quoted, which hides line breaks and quotes of the text itself
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
