"""``python -m abc_mmdet``: the command ``abc-mmdet`` where its script is not on the path."""

from .cli import main

if __name__ == '__main__':
    main()
