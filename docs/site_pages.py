"""Hook of MkDocs (mkdocs.yml): pages whose files are beside ``docs/``, not in it."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
BESIDE = ('CONTRIBUTING.md', 'CHANGELOG.md')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, with their links to ``docs/`` as those of a page in it."""
    for name in BESIDE:
        text = (ROOT / name).read_text(encoding='utf-8').replace('](docs/', '](')
        files.append(File.generated(config, name.lower(), content=text))
    return files
