"""Opens a page in headless Chromium, at a given width, and says what it looks like there."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)
FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--enable-logging=stderr', '--virtual-time-budget=10000', '--dump-dom',
)  # fmt: skip

# Windows of Chromium are at least 500 px wide; a frame can be as narrow as a phone.
CHECK = """<!doctype html><meta charset="utf-8">
<iframe id="page" style="width: {width}px; height: 844px; border: 0"
srcdoc="{page}"></iframe><pre id="answer"></pre>
<script>
// After the frame and all its images have loaded, and before Chromium dumps the document
window.onload = () => {{
  const frame = document.getElementById('page');
  const page = frame.contentDocument, root = page.documentElement;
  const images = [...page.images];
  const inside = e => e.closest('.scroll, svg') !== null && !e.matches('.scroll, svg');
  document.getElementById('answer').textContent = JSON.stringify({{
    images: images.length,
    broken: images.filter(i => !(i.complete && i.naturalWidth > 0)).map(i => i.alt),
    unnamed: images.filter(i => !i.alt).length,
    client: root.clientWidth,
    scroll: Math.max(root.scrollWidth, page.body.scrollWidth),
    beyond: [...page.body.querySelectorAll('*')].filter(
      e => !inside(e) && e.getBoundingClientRect().right > root.clientWidth + 0.5
    ).map(e => e.tagName),
    scrollingMatrices: [...page.querySelectorAll('.scroll')].filter(
      e => e.querySelector('.matrix') && e.scrollWidth > e.clientWidth + 1).length,
    scrolling: [...page.querySelectorAll('.scroll')].filter(
      e => e.scrollWidth > e.clientWidth + 1).length,
    unmarked: [...page.querySelectorAll('.scroll')].filter(
      e => e.scrollWidth > e.clientWidth + 1).filter(e => {{
      // A shadow at the border, which stays there while the table moves over it
      const style = frame.contentWindow.getComputedStyle(e);
      return !(style.backgroundImage.split('linear-gradient').length > 4
        && style.backgroundAttachment.endsWith('scroll'));
    }}).length,
    smallest: Math.min(...[...page.querySelectorAll('.charts img')].map(i => i.clientWidth)),
    requests: frame.contentWindow.performance.getEntriesByType('resource').map(
      r => r.name).filter(n => !n.startsWith('data:')),
  }});
}};
</script>"""


def look(page: str, width: int) -> dict:
    """What Chromium says of a page, and what it wrote to its console as ``console``."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / 'check.html'
        path.write_text(CHECK.format(width=width, page=html.escape(page)), encoding='utf-8')
        done = subprocess.run(
            [CHROMIUM, *FLAGS, f'--user-data-dir={folder}/user', path.as_uri()],
            **dict(capture_output=True, text=True, timeout=120, env={**os.environ, 'HOME': folder}),
        )
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.S)
    assert answer and answer[1], done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if ':CONSOLE' in line]
    return dict(json.loads(html.unescape(answer[1])), console=console)
